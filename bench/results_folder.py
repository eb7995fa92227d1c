"""The kept results: `bench/results/MACHINE/NAME-SIZE.json`, what tables, pictures and plans are made from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fullshelf.bench.machine import BUSY

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results"
QUOTED = "full"  # the size that documents quote
HOW = "fullshelf bench all --size full --json-folder bench/results"


@dataclass(frozen=True, slots=True)
class Kept:
    """The result of one benchmark on one machine."""

    machine: str  # folder, e.g. "intel-xeon-processor-2-cores"
    content: Mapping[str, Any]  # Report.as_json

    @property
    def name(self) -> str:
        """Name of the benchmark."""
        return str(self.content["benchmark"])

    @property
    def rows(self) -> Sequence[Mapping[str, Any]]:
        """Rows of its table."""
        return list(self.content["rows"])

    def caption(self) -> str:
        """Say where, when and of which code it was measured, and whether others worked there too."""
        machine = self.content["machine"]
        commit, _, changes = machine["commit"].partition("+")
        load = machine.get("load", 0.0)
        busy = f"; others kept {load:.1f} cores busy" if load > BUSY else ""
        return (
            f"{machine['cpu']}, {machine['cores']} cores, {machine['measured'][:10]}, commit {commit[:8] or 'unknown'}"
            f"{' with changes' if changes else ''}{busy}"
        )


def read_kept(folder: Path = RESULTS, size: str = QUOTED) -> list[Kept]:
    """Read all results of a size, by machine and name.

    Raises
    ------
    ValueError
        If a file is no result of `fullshelf bench`.
    """
    found = []
    for file in sorted(folder.glob(f"*/*-{size}.json")):
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            missing = [key for key in ("benchmark", "machine", "rows") if key not in content]
        except (ValueError, TypeError) as e:
            raise ValueError(f"{file}: not JSON ({e}); expected what `bench NAME --json` writes") from e
        if missing:
            raise ValueError(f"{file}: lacks {', '.join(missing)}; expected what `bench NAME --json` writes")
        found.append(Kept(file.parent.name, content))
    return found
