"""Files in an object store: the few words of a path that a run needs, and no more.

There is no rename there, and none is needed: one PUT is atomic, so a file is made whole in a local scratch folder and
sent (a large one in parts, which appear together at the end). What a store keeps of each file, its size and ETag, tells
without a download whether it is still the file that was sent.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import polars as pl

from fullshelf.engine.errors import ConfigError, RunError

__all__ = ["SCHEMES", "Location", "Remote", "Stored", "is_remote", "place", "read_back", "work_folder"]

SCHEMES = ("s3", "gs", "az", "abfs", "abfss")


class Stored(NamedTuple):
    """What a store knows of a file without sending it."""

    size: int  # bytes
    etag: str | None


@dataclass(frozen=True, slots=True)
class Remote:
    """A file, or everything below a prefix, in an object store; reads like a `Path`."""

    url: str  # without a slash at its end
    scratch: Path  # local folder where files are made before they are sent

    def __truediv__(self, name: str) -> Remote:
        return replace(self, url=f"{self.url}/{name}")

    def __str__(self) -> str:
        return self.url

    @property
    def name(self) -> str:
        """Return what follows the last slash."""
        return self.url.rpartition("/")[2]

    @property
    def parent(self) -> Remote:
        """Return the prefix that this lies in."""
        return replace(self, url=self.url.rpartition("/")[0])

    def stat(self) -> Stored | None:
        """Return size and ETag of the file, or None if there is none."""
        store, key = self._store()
        try:
            with _asking(self.url, "looked at"):
                meta = store.head(key)
        except FileNotFoundError:
            return None
        return Stored(meta["size"], meta["e_tag"])

    def exists(self) -> bool:
        """Whether there is a file of this name (a prefix is none)."""
        return self.stat() is not None

    def read_bytes(self, most: int | None = None) -> bytes:
        """Return the file's content, or at most so many of its first bytes; FileNotFoundError if there is none."""
        store, key = self._store()
        with _asking(self.url, "read"):
            if most is None:
                return bytes(store.get(key).bytes())
            size = store.head(key)["size"]
            return bytes(store.get_range(key, start=0, end=min(size, most))) if size else b""

    def read_text(self, encoding: str = "utf-8") -> str:
        """Return the file's content as text; FileNotFoundError if there is none."""
        return self.read_bytes().decode(encoding)

    def send(self, content: bytes | Path) -> Stored:
        """Place bytes or a local file here, whole, in place of what was here."""
        store, key = self._store()
        size = content.stat().st_size if isinstance(content, Path) else len(content)
        with _asking(self.url, "written"), self._bucket_exists():
            return Stored(size, store.put(key, content)["e_tag"])

    def send_if(self, content: bytes, etag: str | None) -> Stored | None:
        """Place bytes here only if what lies here still has this ETag, or, for None, only if nothing does.

        Returns
        -------
        None if that is not so. A store that knows no conditions takes the content as it is.

        Raises
        ------
        ConfigError
            If there is no such bucket or the store refuses.
        RunError
            If the store fails.
        """
        import obstore.exceptions as of

        store, key = self._store()
        mode = "create" if etag is None else {"e_tag": etag}
        expected = (of.AlreadyExistsError, of.PreconditionError, of.NotSupportedError)
        refused = (of.PermissionDeniedError, of.UnauthenticatedError)
        try:
            with _asking(self.url, "written", *expected, *refused), self._bucket_exists():
                return Stored(len(content), store.put(key, content, mode=mode)["e_tag"])
        except (of.AlreadyExistsError, of.PreconditionError):
            return None
        except of.NotSupportedError:
            return self.send(content)
        except refused as e:
            raise ConfigError(f"{self.url}: cannot be written ({_words(e)}); check the credentials") from e

    def unlink(self, missing_ok: bool = False) -> None:
        """Remove the file; a store does not say whether there was one."""
        store, key = self._store()
        try:
            with _asking(self.url, "removed"):
                store.delete(key)
        except FileNotFoundError:
            if not missing_ok:
                raise

    def below(self) -> dict[str, Stored]:
        """Return every file below this prefix, by its name from here on."""
        store, key = self._store()
        root = f"{key}/" if key else ""
        with _asking(self.url, "listed"):
            found = [meta for page in store.list(root or None) for meta in page]
        return {meta["path"].removeprefix(root): Stored(meta["size"], meta["e_tag"]) for meta in found}

    def remove_below(self) -> None:
        """Remove every file below this prefix."""
        names = list(self.below())
        if names:
            store, key = self._store()
            with _asking(self.url, "removed"):
                store.delete([f"{key}/{name}" for name in names])

    @contextmanager
    def _bucket_exists(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as e:
            raise ConfigError(f"{self.url}: there is no such bucket; make it, or check the address") from e

    def _store(self) -> tuple[Any, str]:
        parts = urlsplit(self.url, allow_fragments=False)
        return _client(f"{parts.scheme}://{parts.netloc}", os.getpid()), parts.path.strip("/")


Location = Path | Remote


def is_remote(path: str) -> bool:
    """Whether a configured path is a URL."""
    return "://" in path


def place(path: str, scratch: Path) -> Location:
    """Return the folder or prefix that a configured path names.

    Raises
    ------
    ConfigError
        If no such kind of store is known, the path names no bucket, or the library for stores is not installed.
    """
    if not is_remote(path):
        return Path(path)
    parts = urlsplit(path, allow_fragments=False)
    if parts.scheme not in SCHEMES:
        known = ", ".join(f"{scheme}://" for scheme in SCHEMES)
        raise ConfigError(f"output: {path}: expected a local folder or {known}…, found {parts.scheme}://")
    if not parts.netloc:
        raise ConfigError(f"output: {path}: names no bucket; expected {parts.scheme}://BUCKET/PREFIX")
    remote = Remote(path.rstrip("/"), scratch)
    remote._store()
    return remote


def work_folder(output: str, work: str | None) -> Path:
    """Return the local folder for what a run in an object store needs here: split sales, locks, files being made.

    It is `work`, or the user's cache folder, and in it a folder for each output.
    """
    base = Path(work) if work else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fullshelf"
    return base / hashlib.sha256(output.rstrip("/").encode()).hexdigest()[:16]


@contextmanager
def read_back(location: Location) -> Iterator[None]:
    """Explain a store that fails while Polars reads from it.

    Raises
    ------
    RunError
        In place of any error of reading, if the files lie in an object store.
    """
    try:
        yield
    except (pl.exceptions.PolarsError, OSError) as e:
        if isinstance(location, Path):
            raise
        raise RunError(_failed(str(location), "read", e)) from e


@lru_cache(maxsize=64)
def _client(root: str, process: int) -> Any:
    """Return obstore's client of a bucket; another process, forked or not, has its own."""
    try:
        import obstore.store as stores
    except ImportError as e:
        raise ConfigError(
            f"{root}: object stores need a library that is not installed: pip install 'fullshelf[store]'"
        ) from e
    return stores.from_url(root)  # asks again up to 10 times within 3 minutes, as obstore decides


@contextmanager
def _asking(url: str, done: str, *passed: type[Exception]) -> Iterator[None]:
    import obstore.exceptions as of

    try:
        yield
    except passed:
        raise
    except of.BaseError as e:
        raise RunError(_failed(url, done, e)) from e


def _failed(url: str, done: str, error: Exception) -> str:
    return (
        f"{url}: cannot be {done} ({_words(error)}). What is committed stays; check the address, the credentials and "
        "the store, then call again to resume"
    )


def _words(error: Exception) -> str:
    """Return the first words of an error; after "Debug source" follows Rust's own view of it."""
    return " ".join(str(error).partition("Debug source")[0].split())[:400]
