"""Writing so that a reader never sees half a file, and records that say what is done.

A file is written under a temporary name, flushed to the disk, and renamed; for an object store it is written to a local
scratch folder and sent whole. A shard is done when its record exists; the record names the shard's files with rows and
sha256 (in a store also size and ETag), so that a torn or foreign file is noticed and done again.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from fullshelf.engine.errors import RunError
from fullshelf.engine.storage import Location, Remote, Stored

TEMPORARY = ".tmp-"  # prefix of what is still being written
UNFINISHED = ".part"  # its ending: no reader of *.parquet takes what a kill left behind for a finished file


@contextmanager
def replacing(path: Location) -> Iterator[Path]:
    """Give a temporary local name; on success the file is placed at `path`, whole and at once, on failure removed.

    Raises
    ------
    RunError
        If the disk is full or the object store fails.
    """
    with _temporary(path) as temporary:
        yield temporary
        _place(temporary, path)


@contextmanager
def _temporary(path: Location) -> Iterator[Path]:
    """Give a temporary local name, beside `path` where that is local; afterwards no file of that name is left."""
    if isinstance(path, Remote):
        name = f"{hashlib.sha256(path.url.encode()).hexdigest()[:16]}-{path.name}"
        folder = path.scratch
    else:
        name, folder = path.name, path.parent
    folder.mkdir(parents=True, exist_ok=True)
    writer = f"{socket.gethostname()}-{os.getpid()}"  # two machines that race at a shard may give the same pid
    temporary = folder / f"{TEMPORARY}{writer}-{name}{UNFINISHED}"
    try:
        yield temporary
    except BaseException as e:
        temporary.unlink(missing_ok=True)
        if is_disk_full(e):
            raise RunError(
                f"{path}: the disk is full. What is committed stays; make room and call again to resume"
            ) from e
        raise
    temporary.unlink(missing_ok=True)


def _place(temporary: Path, path: Location) -> Stored | None:
    """Put a finished file where it belongs; return what a store keeps of it."""
    if isinstance(path, Remote):
        return path.send(temporary)
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    temporary.replace(path)
    return None


def is_disk_full(error: BaseException) -> bool:
    """Whether an error, also one that Polars wrapped, says that no space is left."""
    full = (errno.ENOSPC, errno.EDQUOT)
    return (isinstance(error, OSError) and error.errno in full) or "No space left on device" in str(error)


def write_json(path: Location, content: Any) -> None:
    """Write JSON, whole and at once, keys sorted."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1, sort_keys=True, default=str) + "\n", encoding="utf-8")


def write_parquet(path: Location, frame: pl.DataFrame) -> dict[str, Any]:
    """Write a Parquet file, whole and at once; return its entry for the shard's record."""
    with _temporary(path) as temporary:
        frame.write_parquet(temporary, compression="zstd", compression_level=1)
        digest = sha256(temporary)
        stored = _place(temporary, path)
    entry = {"file": f"{path.parent.name}/{path.name}", "rows": frame.height, "sha256": digest}
    return entry if stored is None else entry | stored._asdict()


def sha256(path: Location) -> str:
    """Hash a file's content, hex."""
    if isinstance(path, Remote):
        return hashlib.sha256(path.read_bytes()).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_record(path: Location, run: Location, listed: Mapping[str, Stored] | None = None) -> dict[str, Any] | None:
    """Return a shard's record if it is whole and every file that it names is there as it was written, else None.

    Parameters
    ----------
    run
        The folder of the run, which the names of the files count from.
    listed
        What lies below `run` in an object store, if that is known already.
    """
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return record if all(_is_as_written(run / entry["file"], entry, listed) for entry in record["files"]) else None


def _is_as_written(file: Location, entry: Mapping[str, Any], listed: Mapping[str, Stored] | None) -> bool:
    """Whether a file is what its entry says; one in a store is read only if it was sent again since."""
    if isinstance(file, Remote):
        stored = file.stat() if listed is None else listed.get(entry["file"])
        if stored is None or stored.size != entry.get("size"):
            return False
        if stored.etag is not None and stored.etag == entry.get("etag"):
            return True
    elif not file.exists():
        return False
    written: str = entry["sha256"]
    return sha256(file) == written


def switch_current(runs: Location, run: str) -> None:
    """Let `current` beside the runs name `run`, in one step.

    It is a link; in an object store and where links are not allowed, a text file.
    """
    if isinstance(runs, Remote):
        (runs / "current").send(f"{run}\n".encode())
        return
    current, temporary = runs / "current", runs / f"{TEMPORARY}{os.getpid()}-current"
    temporary.unlink(missing_ok=True)
    try:
        temporary.symlink_to(run, target_is_directory=True)
    except OSError:
        temporary.write_text(run + "\n", encoding="utf-8")
    temporary.replace(current)


def read_current(runs: Location) -> Location | None:
    """Return the folder of the newest complete run, or None."""
    folder: Location
    if isinstance(runs, Remote):
        try:
            folder = runs / (runs / "current").read_text().strip()
        except FileNotFoundError:
            return None
        return folder if (folder / "_SUCCESS").exists() else None
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
