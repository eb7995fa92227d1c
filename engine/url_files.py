"""Input files at URLs: listed, looked at, and begun to be read. Rows are read by Polars.

Object stores are asked through `storage`, so that inputs and outputs need one library and one set of credentials; what
else Polars can scan (`http://`, `hf://`) is asked through fsspec.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import fsspec
from fsspec.utils import glob_translate

from fullshelf.engine.errors import ConfigError, InputError, RunError
from fullshelf.engine.storage import SCHEMES, Remote

__all__ = ["WILD", "first_bytes", "list_urls", "tag_and_size"]

WILD = "*?["


def list_urls(url: str) -> tuple[list[str], str | None]:
    """Return the URLs of a file, of those that a pattern matches, or of all files below a folder; and that folder.

    Raises
    ------
    InputError
        If the store cannot be reached, its library is not installed, or no such kind of store is known.
    """
    if urlsplit(url).scheme not in SCHEMES:
        system, path = _file_system(url)
        with _asking(url, "listed"):
            if any(letter in path for letter in WILD):
                return [system.unstrip_protocol(name) for name in system.glob(path)], None
            if system.isfile(path):
                return [system.unstrip_protocol(path)], None
            return [system.unstrip_protocol(name) for name in system.find(path)], system.unstrip_protocol(path)
    with _asking(url, "listed"):
        wild = next((at for at, letter in enumerate(url) if letter in WILD), None)
        if wild is not None:
            matches = re.compile(glob_translate(url))
            return [name for name in _below(url[:wild].rpartition("/")[0]) if matches.match(name)], None
        folder = url.rstrip("/")
        return ([folder], None) if _remote(folder).exists() else (_below(folder), folder)


def tag_and_size(url: str) -> tuple[str, int]:
    """Return what changes with the content of a file (its ETag or the like), and its size in bytes."""
    if urlsplit(url).scheme in SCHEMES:
        with _asking(url, "read"):
            stored = _remote(url).stat()
        if stored is None:
            raise InputError(f"{url}: is gone; was it moved while the inputs were listed?")
        return str(stored.etag), stored.size
    system, path = _file_system(url)
    with _asking(url, "read"):
        info = system.info(path)
        tag = info.get("ETag") or info.get("etag") or info.get("md5Hash") or system.ukey(path)
    return str(tag), int(info.get("size") or 0)


def first_bytes(url: str, most: int) -> bytes:
    """Return at most so many bytes from the beginning of a file."""
    with _asking(url, "read"):
        if urlsplit(url).scheme in SCHEMES:
            return _remote(url).read_bytes(most)
        system, path = _file_system(url)
        return bytes(system.cat_file(path, start=0, end=most))


def _below(folder: str) -> list[str]:
    return [f"{folder}/{name}" for name in sorted(_remote(folder).below())]


def _remote(url: str) -> Remote:
    return Remote(url, Path())  # nothing is written


def _file_system(url: str) -> tuple[Any, str]:
    scheme = urlsplit(url).scheme
    try:
        return fsspec.core.url_to_fs(url)  # type: ignore[no-any-return]
    except ImportError as e:
        raise InputError(f"{url}: listing {scheme}:// needs a library that is not installed: {e}") from e
    except ValueError as e:
        raise InputError(f"{url}: no store is known by {scheme}://: {e}") from e


@contextmanager
def _asking(url: str, done: str) -> Iterator[None]:
    try:
        yield
    except ConfigError as e:
        raise InputError(str(e)) from e
    except InputError:
        raise
    except RunError as e:
        raise InputError(str(e).partition(". What is committed")[0] + "; check the address and the credentials") from e
    except Exception as e:  # each of fsspec's file systems raises its own classes, without a common base
        raise InputError(
            f"{url}: cannot be {done}: {type(e).__name__}: {e}; check the address and the credentials"
        ) from e
