"""Generations: sales kept split between runs, so that a night splits only what is new.

Like a log-structured merge tree. Each generation is one folder of shard files with the content hashes of the source
files whose rows it holds. A new file becomes a new generation; rows of a file that is gone are left out while reading;
generations of like size are merged, so a row is merged again only when its generation has doubled, and there are few.
This file decides and remembers; it reads and writes no rows.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from fullshelf.engine.commit import write_json
from fullshelf.engine.shard_files import ShardFiles
from fullshelf.kernels.partition import FILES

__all__ = [
    "META",
    "DayCount",
    "Generation",
    "Plan",
    "SplitFile",
    "load",
    "load_one",
    "plan",
    "save",
    "to_merge",
    "write_meta",
]

META = "generation.json"
MANIFEST = "generations.json"


@dataclass(frozen=True, slots=True)
class DayCount:
    """The good rows of one file on one day."""

    day: int  # days from 1970-01-01
    rows: int
    returned_rows: int  # with negative units
    returned_units: float  # negative


@dataclass(frozen=True, slots=True)
class SplitFile:
    """A source file whose rows a generation holds."""

    identity: str  # hash of content and of how it is read
    read: int  # rows, good and bad
    rejects: str | None  # the file beside generation.json with its rejected rows
    days: tuple[DayCount, ...]

    @property
    def used(self) -> int:
        """Good rows."""
        return sum(day.rows for day in self.days)


@dataclass(frozen=True, slots=True)
class Generation:
    """Shard files, the source files in them, and which of those still count."""

    shards: ShardFiles
    files: tuple[SplitFile, ...]  # a row's FILE is the place in this tuple
    alive: tuple[bool, ...]

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return self.shards.folder

    @property
    def rows(self) -> int:
        """Rows held, also those that no longer count."""
        return sum(file.used for file in self.files)

    @property
    def live_rows(self) -> int:
        """Rows that count."""
        return sum(file.used for file, alive in zip(self.files, self.alive, strict=True) if alive)

    def live_files(self) -> list[SplitFile]:
        """Return the files that count."""
        return [file for file, alive in zip(self.files, self.alive, strict=True) if alive]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do so that the generations hold the wanted files."""

    keep: list[Generation]
    merge: list[Generation]  # into one
    new: list[int]  # places of the wanted files that no generation holds


def plan(generations: Iterable[Generation], wanted: list[str]) -> Plan:
    """Match the wanted files (identities) with what the generations hold; each holding counts once.

    A generation half of whose rows no longer count is merged, alone if need be, which drops them.
    """
    missing = Counter(wanted)
    keep: list[Generation] = []
    merge: list[Generation] = []
    for generation in generations:
        alive = []
        for file in generation.files:
            alive.append(missing[file.identity] > 0)
            missing[file.identity] -= alive[-1]
        if any(alive):
            at = Generation(generation.shards, generation.files, tuple(alive))
            (keep if 2 * at.live_rows >= at.rows else merge).append(at)
    new = []
    for place, identity in enumerate(wanted):
        if missing[identity] > 0:
            missing[identity] -= 1
            new.append(place)
    return Plan(keep, merge, new)


def to_merge(generations: list[Generation]) -> list[Generation]:
    """Return the youngest generations that have together grown to half the size of the next older one or more."""
    found: list[Generation] = []
    rows = files = 0
    for generation in reversed(generations):
        files += len(generation.live_files())
        if found and (generation.live_rows > 2 * rows or files > FILES):
            break
        found.insert(0, generation)
        rows += generation.live_rows
    return found if len(found) > 1 else []


def write_meta(generation: Generation) -> None:
    """Describe a generation in its folder: the last file written there."""
    shards = generation.shards
    content = {
        "values": shards.values,
        "series": shards.series.tolist(),
        "sizes": shards.sizes,
        "files": [asdict(file) for file in generation.files],
    }
    write_json(shards.folder / META, content)


def save(store: Path, generations: Iterable[Generation]) -> None:
    """Name the generations that count, oldest first, in one step."""
    write_json(store / MANIFEST, [generation.folder.name for generation in generations])


def load(store: Path) -> list[Generation]:
    """Return the generations that `save` named and that are whole, oldest first."""
    try:
        names = json.loads((store / MANIFEST).read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return []
    found = (load_one(store / name) for name in names if (store / name / META).exists())
    return [generation for generation in found if generation.shards.is_whole()]


def load_one(folder: Path) -> Generation:
    """Read the description of a generation; all its files count."""
    content = json.loads((folder / META).read_text(encoding="utf-8"))
    shards = ShardFiles(
        folder, tuple(content["values"]), np.asarray(content["series"], np.int64), tuple(content["sizes"])
    )
    files = tuple(
        SplitFile(f["identity"], f["read"], f["rejects"], tuple(DayCount(**day) for day in f["days"]))
        for f in content["files"]
    )
    return Generation(shards, files, (True,) * len(files))
