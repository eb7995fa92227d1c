"""Shard files sent to the object store of a run, so that other machines than the one that split them can read them.

They lie in the run's `_work`, which goes when the run is complete. A local output needs none of this: its folder must
be one that every machine sees.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from fullshelf.engine.panels import Part
from fullshelf.engine.shard_files import KEYS, ShardFiles, shard_path
from fullshelf.engine.shard_input import Intake
from fullshelf.engine.storage import Remote

__all__ = ["publish"]

AT_ONCE = 16  # files on their way


def publish(intake: Intake, to: Remote, shards: Iterable[int], check: Callable[[], None]) -> Intake:
    """Send the files of these shards, but for those that are there already; return the intake that reads them there.

    Parameters
    ----------
    check
        Called between files; raises when the end was asked for.

    Raises
    ------
    RunError
        If the store fails.
    """
    shards = list(shards)
    parts = [*intake.sales, *([] if intake.future is None else [intake.future])]
    published = [_publish(part, to, shards, check) for part in parts]
    future = None if intake.future is None else published.pop()
    return replace(intake, sales=tuple(published), future=future)


def _publish(part: Part, to: Remote, shards: list[int], check: Callable[[], None]) -> Part:
    files = part.shards
    there = to / _name(files)
    sizes = {name: stored.size for name, stored in there.below().items()}
    names = [KEYS, *(shard_path(files.folder, shard).name for shard in shards if files.sizes[shard])]

    def send(name: str) -> None:
        check()
        file = files.folder / name
        if sizes.get(name) != file.stat().st_size:
            (there / name).send(file)

    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="publish") as pool:
        list(pool.map(send, names))
    return replace(part, shards=replace(files, published=there))


def _name(files: ShardFiles) -> str:
    """Name a folder of shard files by what it holds: within one run, how its rows are spread."""
    content = [files.values, files.series.tolist(), files.sizes]
    return f"{files.folder.name}-{hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]}"
