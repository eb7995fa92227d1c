"""Writing so that a reader never sees half a file, and records that say what is done.

A file is written under a temporary name, flushed to the disk, and renamed. A shard is done when its record exists; the
record names the shard's files with their rows and sha256, so that a torn or foreign file is noticed and done again.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from fullshelf.engine.errors import RunError

TEMPORARY = ".tmp-"  # prefix of what is still being written
UNFINISHED = ".part"  # its ending: no reader of *.parquet takes what a kill left behind for a finished file


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name beside `path`; on success it is flushed and renamed to `path`, on failure removed.

    Raises
    ------
    RunError
        If the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{TEMPORARY}{os.getpid()}-{path.name}{UNFINISHED}")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException as e:
        temporary.unlink(missing_ok=True)
        if is_disk_full(e):
            raise RunError(
                f"{path}: the disk is full. What is committed stays; make room and call again to resume"
            ) from e
        raise


def is_disk_full(error: BaseException) -> bool:
    """Whether an error, also one that Polars wrapped, says that no space is left."""
    full = (errno.ENOSPC, errno.EDQUOT)
    return (isinstance(error, OSError) and error.errno in full) or "No space left on device" in str(error)


def write_json(path: Path, content: Any) -> None:
    """Write JSON by temporary name and rename, keys sorted."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1, sort_keys=True, default=str) + "\n", encoding="utf-8")


def write_parquet(path: Path, frame: pl.DataFrame) -> dict[str, Any]:
    """Write a Parquet file by temporary name and rename; return its entry for the shard's record."""
    with replacing(path) as temporary:
        frame.write_parquet(temporary, compression="zstd", compression_level=1)
        digest = sha256(temporary)
    return {"file": f"{path.parent.name}/{path.name}", "rows": frame.height, "sha256": digest}


def sha256(path: Path) -> str:
    """Hash a file's content, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_record(path: Path, run: Path) -> dict[str, Any] | None:
    """Return a shard's record if it is whole and every file it names is there in its full size, else None."""
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    for entry in record["files"]:
        file = run / entry["file"]
        if not file.exists() or sha256(file) != entry["sha256"]:
            return None
    return record


def switch_current(runs: Path, run: str) -> None:
    """Let `current` beside the runs name `run`, in one step: a link, or a text file where links are not allowed."""
    current, temporary = runs / "current", runs / f"{TEMPORARY}{os.getpid()}-current"
    temporary.unlink(missing_ok=True)
    try:
        temporary.symlink_to(run, target_is_directory=True)
    except OSError:
        temporary.write_text(run + "\n", encoding="utf-8")
    temporary.replace(current)


def read_current(runs: Path) -> Path | None:
    """Return the folder of the newest complete run, or None."""
    current = runs / "current"
    if current.is_symlink() or current.is_dir():
        folder = current.resolve()
    elif current.is_file():
        folder = runs / current.read_text(encoding="utf-8").strip()
    else:
        return None
    return folder if (folder / "_SUCCESS").exists() else None


@contextmanager
def only_one(path: Path, what: str) -> Iterator[None]:
    """Hold a lock that the system releases when the process dies, however it dies.

    Raises
    ------
    RunError
        If another process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as e:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise RunError(
                f"{what} is at work already (process {holder}); wait for it, or choose another `output`"
            ) from e
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
