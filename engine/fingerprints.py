"""What a file holds, in one hash; a file whose stat has not changed since is not read again.

Size, times and inode are trusted only if the file had been left alone for two seconds when it was hashed: a file
written twice within the clock's step keeps the times of the first writing.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from fullshelf.engine.commit import write_json
from fullshelf.engine.errors import InputError, RunError
from fullshelf.engine.scan import reading
from fullshelf.engine.sources import PACKED, SourceFile
from fullshelf.engine.url_files import tag_and_size
from fullshelf.engine.watch import Watch

__all__ = ["Fingerprints", "Known", "check_unchanged", "combine"]

SETTLED_NS = 2_000_000_000
BLOCK = 8 << 20
CSV_ROW_BYTES = 32  # a guess, for the number of shards alone
PACKING = 6  # bytes of text in a byte of a compressed file; likewise a guess


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a file without parsing its rows."""

    content: str  # sha256, hex; in an object store of its ETag
    rows: int  # exact for Parquet, a guess for CSV
    stat: tuple[int, ...]  # size, mtime, ctime (ns), inode; empty in an object store

    def identity(self, file: SourceFile) -> str:
        """Return content and everything about the path that changes how the content is read."""
        return combine([self.content, file.format, *(f"{key}={value}" for key, value in file.partition)])


def combine(parts: Iterable[str]) -> str:
    """Hash a list of texts, hex.

    Examples
    --------
    >>> combine(["a", "b"]) == combine(["ab"])
    False
    """
    return hashlib.sha256(json.dumps(list(parts)).encode()).hexdigest()


class Fingerprints:
    """The hashes of all input files, remembered in one file of the cache."""

    def __init__(self, memory: Path) -> None:
        self._memory = memory
        try:
            entries = json.loads(memory.read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            entries = {}
        self._before = {path: Known(content, rows, tuple(stat)) for path, (content, rows, stat) in entries.items()}

    def of(self, files: Iterable[SourceFile], watch: Watch) -> dict[str, Known]:
        """Return what is known of each file, by path; remember it for the next call.

        Raises
        ------
        InputError
            If a file cannot be read, or changes while it is.
        """
        wanted = list({file.path: file for file in files}.values())
        known: dict[str, Known] = {}
        new = []
        for file in wanted:
            before = self._before.get(file.path)
            if before is not None and not file.is_remote and before.stat == stat_of(file):
                known[file.path] = before
            else:
                new.append(file)
        with ThreadPoolExecutor(watch.threads, thread_name_prefix="hash") as pool:
            looks = pool.map(lambda file: _look(file, watch.stop), new)
            for done, (file, result) in enumerate(zip(new, looks, strict=True), start=1):
                known[file.path] = result
                watch.progress("fingerprint", done, len(new))
        now = time.time_ns()
        settled = {path: k for path, k in known.items() if k.stat and now - max(k.stat[1:3]) >= SETTLED_NS}
        if settled != self._before:
            write_json(self._memory, {path: (k.content, k.rows, k.stat) for path, k in settled.items()})
        return known


def stat_of(file: SourceFile) -> tuple[int, ...]:
    """Return size, times and inode of a local file; an empty tuple for a remote one."""
    if file.is_remote:
        return ()
    try:
        s = os.stat(file.path)  # noqa: PTH116
    except OSError as e:
        raise InputError(f"{file.path}: cannot be read: {e.strerror or e}") from e
    return (s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino)


def check_unchanged(files: Iterable[SourceFile], known: Iterable[Known]) -> None:
    """Raise RunError if a file is no longer what it was when it was looked at."""
    for file, before in zip(files, known, strict=True):
        if before.stat and stat_of(file) != before.stat:
            raise RunError(f"{file.path}: changed while it was read; call again when it is complete")


def _look(file: SourceFile, stop: Callable[[], None]) -> Known:
    if file.is_remote:
        tag, size = tag_and_size(file.path)
        return Known(combine([tag, str(size)]), _rows(file, size), ())
    stat = stat_of(file)
    if stat[0] == 0:
        raise InputError(f"{file.path}: the file is empty (0 bytes); was its export cut short?")
    digest = hashlib.sha256()
    try:
        with open(file.path, "rb", buffering=0) as stream:  # noqa: PTH123
            block = bytearray(min(BLOCK, stat[0]))
            while size := stream.readinto(block):
                digest.update(memoryview(block)[:size])
                stop()
    except OSError as e:
        raise InputError(f"{file.path}: cannot be read: {e.strerror or e}") from e
    rows = _rows(file, stat[0])
    known = Known(digest.hexdigest(), rows, stat)
    check_unchanged([file], [known])
    return known


def _rows(file: SourceFile, size: int) -> int:
    if file.format == "parquet":
        with reading(file):
            rows: int = (
                pl.scan_parquet(file.path, glob=False, hive_partitioning=False).select(pl.len()).collect().item()
            )
            return rows
    return size * (PACKING if file.path.endswith(PACKED) else 1) // CSV_ROW_BYTES + 1
