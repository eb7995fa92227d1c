"""`fullshelf bench decisions`: what the orders of `fullshelf refresh` would have cost, replayed on real sales.

The scenarios and the replay that counts the money stand beside the project; the refresh is called as a shop calls it,
once for each order round, with what was known then.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

OURS = "fullshelf"
POLICIES = ("moving-average", "textbook", "poisson-newsvendor", "negbin-newsvendor", "empirical-newsvendor")


def replay_scenarios(
    shared: Path, scenarios: Sequence[str] | None, observe: str, policies: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """Replay each scenario with our orders and with the built-in policies; yield the replay's own summary.

    Raises
    ------
    FileNotFoundError
        If the scenarios are not there.
    RuntimeError
        If the replay or a refresh in it fails; the message is theirs.
    """
    folders = sorted(f.parent for f in (shared / "scenarios").glob("*/scenario.yaml"))
    if not folders:
        raise FileNotFoundError(f"{shared / 'scenarios'}: no scenario there")
    for folder in folders:
        if scenarios and folder.name not in scenarios:
            continue
        command = f"{sys.executable} -m fullshelf.engine refresh {{config}} --set output={{out}} --quiet"
        yield _replay(shared, folder, ["--command", command], observe) | {"policy": OURS}
        for policy in policies:
            yield _replay(shared, folder, ["--policy", policy], observe)


def _replay(shared: Path, folder: Path, words: list[str], observe: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="fullshelf-replay-") as work:
        call = [sys.executable, f"{shared}/tools/replay.py", str(folder), *words, "--observe", observe, "--work", work]
        done = subprocess.run(call, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"replay of {folder.name}: {(done.stdout + done.stderr)[-2000:]}")
    summary: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return summary


def show(results: Sequence[dict[str, Any]], console: Console) -> None:
    """Print the money of each policy beside the textbook's, then one JSON line."""
    textbook = {r["scenario"]: r["total_cost"] for r in results if r["policy"] == "textbook"}
    columns = (
        "scenario",
        "policy",
        "total cost",
        "of textbook",
        "holding",
        "shortage",
        "orders",
        "waste",
        "fill",
        "broken",
    )
    table = Table(*columns)
    for r in results:
        base = textbook.get(r["scenario"])
        share = "-" if base is None else f"{r['total_cost'] / base:.1%}"
        money = (f"{r[c]:,.0f}" for c in ("holding", "shortage", "ordering", "waste"))
        broken = ", ".join(f"{k} {v}" for k, v in r["violations"].items()) or "no rule"
        table.add_row(
            r["scenario"], r["policy"], f"{r['total_cost']:,.0f}", share, *money, f"{r['fill_rate']:.1%}", broken
        )  # fmt: skip
    console.print(table)
    print(json.dumps({"benchmark": "decisions", "results": list(results)}))
