"""From the configured paths to files: a file, a folder, a glob or a list of them, here or in an object store.

What a file holds is not looked at, except for the first bytes of a file whose name does not say whether it is Parquet.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from fullshelf.engine.errors import InputError
from fullshelf.engine.url_files import WILD, list_urls

__all__ = ["SourceFile", "find_files"]

ENDINGS: dict[str, Literal["parquet", "csv"]] = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
    ".csv.gz": "csv",
    ".csv.zst": "csv",
}
PACKED = (".gz", ".zst")
MAGIC = b"PAR1"


@dataclass(frozen=True, slots=True, order=True)
class SourceFile:
    """One file of a table."""

    path: str  # absolute, or a URL
    format: Literal["parquet", "csv"]
    partition: tuple[tuple[str, str], ...] = ()  # key=value folders between the configured folder and the file

    @property
    def is_remote(self) -> bool:
        """Whether the path is a URL."""
        return "://" in self.path


def find_files(table: str, paths: Iterable[str]) -> list[SourceFile]:
    """List the files of a table, each once, in the order of their paths.

    Raises
    ------
    InputError
        If a path does not exist, cannot be read, or names no Parquet or CSV file.
    """
    found = {file.path: file for path in paths for file in _files(table, path.removeprefix("file://"))}
    return [found[path] for path in sorted(found)]


def _files(table: str, path: str) -> Iterator[SourceFile]:
    before = f"inputs.{table}: {path}"
    if "://" in path:
        yield from _remote_files(before, path)
        return
    try:
        if os.path.isdir(path):  # noqa: PTH112 - unlike Path.is_dir it does not hide that a folder is unreadable
            yield from _in_folder(before, path, _walk(path))
        elif os.path.lexists(path):
            yield SourceFile(path, _format(path, _first_bytes(path)))
        elif any(letter in path for letter in WILD):
            matches = sorted(glob.glob(path, recursive=True))  # noqa: PTH207 - the pattern is absolute
            if not matches:
                raise InputError(f"{before}: no file matches this pattern; check the folder and the spelling")
            for match in matches:
                if os.path.isdir(match):  # noqa: PTH112
                    yield from _in_folder(before, match, _walk(match))
                else:
                    yield SourceFile(match, _format(match, _first_bytes(match)))
        else:
            raise InputError(f"{before}: does not exist; {_siblings(path)}")
    except OSError as e:
        raise InputError(f"{before}: cannot be read: {e.strerror or e}; check that this user may read it") from e


def _walk(folder: str) -> list[str]:
    def fail(e: OSError) -> None:
        raise e

    files = []
    for parent, folders, names in os.walk(folder, onerror=fail):
        folders[:] = [name for name in folders if not name.startswith((".", "_"))]
        files += [f"{parent}/{name}" for name in names]
    return files


def _in_folder(before: str, folder: str, paths: Iterable[str]) -> Iterator[SourceFile]:
    """Keep the data files of a folder, and read `key=value` in the names of the folders between."""
    root, others, any_file = folder.rstrip("/"), [], False
    for path in sorted(paths):
        inside = PurePosixPath(path[len(root) + 1 :])
        form = _by_name(path)
        if any(part.startswith((".", "_")) for part in inside.parts):
            continue
        if form is None:
            others.append(inside.name)
            continue
        any_file = True
        pairs = (part.partition("=") for part in inside.parts[:-1])
        yield SourceFile(path, form, tuple((key, value) for key, equals, value in pairs if equals))
    if not any_file:
        seen = f"it holds {', '.join(others[:5])}" if others else "it is empty"
        raise InputError(f"{before}: no Parquet or CSV file in this folder ({seen}); expected {', '.join(ENDINGS)}")


def _by_name(path: str) -> Literal["parquet", "csv"] | None:
    name = PurePosixPath(path).name.lower()
    return next((form for ending, form in ENDINGS.items() if name.endswith(ending)), None)


def _format(path: str, first: bytes) -> Literal["parquet", "csv"]:
    return _by_name(path) or ("parquet" if first == MAGIC else "csv")


def _first_bytes(path: str) -> bytes:
    with open(path, "rb") as file:  # noqa: PTH123 - raises for unreadable files, which the caller explains
        return file.read(len(MAGIC))


def _siblings(path: str) -> str:
    """Say what lies where the missing path should be."""
    folder = Path(path).parent
    while not folder.is_dir():
        folder = folder.parent
    names = sorted(p.name for p in folder.iterdir() if not p.name.startswith("."))
    return f"{folder} holds {', '.join(names[:8]) or 'nothing'}{', …' if len(names) > 8 else ''}"


def _remote_files(before: str, url: str) -> Iterator[SourceFile]:
    try:
        urls, folder = list_urls(url)
    except InputError as e:
        raise InputError(f"{before}: {str(e).removeprefix(f'{url}: ')}") from e
    if not urls:
        raise InputError(f"{before}: no file matches; check the address")
    if folder is None:
        yield from (SourceFile(name, _by_name(name) or "parquet") for name in urls)
    else:
        yield from _in_folder(before, folder, urls)
