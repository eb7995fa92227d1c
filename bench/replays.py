"""What the orders of `fullshelf refresh` would have cost, replayed round by round on real sales.

The scenarios and the replay that counts the money stand beside the project; the refresh is called as a shop calls it,
once for each order round, with what was known then.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from fullshelf.bench.result import OURS, Row
from fullshelf.bench.timing import once

POLICIES = ("moving-average", "textbook", "poisson-newsvendor", "negbin-newsvendor", "empirical-newsvendor")
TEXTBOOK = "textbook"


def scenario_folders(shared: Path, wanted: Sequence[str] | None) -> list[Path]:
    """Return the folders of the scenarios, all or those named."""
    found = sorted(file.parent for file in (shared / "scenarios").glob("*/scenario.yaml"))
    return [folder for folder in found if not wanted or folder.name in wanted]


def replay_rows(shared: Path, folders: Sequence[Path], observe: str, say: Callable[[str], None]) -> Iterator[Row]:
    """Replay each scenario with our orders and with the built-in policies.

    Raises
    ------
    RuntimeError
        If the replay or a refresh in it fails; the message is theirs.
    """
    for folder in folders:
        command = f"{sys.executable} -m fullshelf.engine refresh {{config}} --set output={{out}} --quiet"
        played = []
        for who, words in ((OURS, ["--command", command]), *((name, ["--policy", name]) for name in POLICIES)):
            say(f"{folder.name}: {who}")
            begun = time.perf_counter()
            said = _replay(shared, folder, words, observe)
            played.append((who, said, time.perf_counter() - begun))
        textbook = next(said["total_cost"] for who, said, _ in played if who == TEXTBOOK)
        for who, said, seconds in played:
            yield _row(folder.name, who, said, seconds, textbook)


def _row(scenario: str, who: str, said: dict[str, Any], seconds: float, textbook: float) -> Row:
    figures = {
        "cost": said["total_cost"],
        "of textbook": said["total_cost"] / textbook,
        "holding": said["holding"],
        "shortage": said["shortage"],
        "ordering": said["ordering"],
        "waste": said["waste"],
        "fill rate": said["fill_rate"],
    }
    broken = ", ".join(f"{rule} {count}" for rule, count in said["violations"].items())
    note = f"rules broken: {broken}" if broken else "no rule broken"
    size = f"{said['series']:,} series" if "series" in said else ""
    return Row(scenario, who, size, 1, "replay", once(seconds), 1, figures, note)


def _replay(shared: Path, folder: Path, words: list[str], observe: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="fullshelf-replay-") as work:
        call = [sys.executable, f"{shared}/tools/replay.py", str(folder), *words, "--observe", observe, "--work", work]
        done = subprocess.run(call, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"replay of {folder.name}: {(done.stdout + done.stderr)[-2000:]}")
    summary: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return summary
