"""One refresh at a time on one prefix of an object store: a small file there that its holder renews.

A lock of the operating system does not reach other machines. What lies in a run is decided by its inputs alone, so two
refreshes at once could not spoil it, but the work would be done twice. A holder that died is followed at once on the
same machine, elsewhere after its file has not changed for `LAPSE_SECONDS` (no clocks are compared). A store without
conditional writes grants the lease to everybody.
"""

from __future__ import annotations

import json
import os
import platform
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import psutil

from fullshelf.engine.errors import FullshelfError, RunError
from fullshelf.engine.stopping import Stop
from fullshelf.engine.storage import Remote, Stored

__all__ = ["NAME", "holding"]

NAME = "_lease.json"  # beside the runs
RENEW_SECONDS = 15.0
LAPSE_SECONDS = 60.0
LOOK_SECONDS = 1.0  # between two looks at a lease that may have lapsed


@contextmanager
def holding(runs: Remote, stop: Stop) -> Iterator[None]:
    """Hold the lease of a prefix; `stop` is set if it is lost (this process stood still for longer than it lasts).

    Raises
    ------
    ConfigError
        If there is no such bucket, or it may not be written.
    RunError
        If another refresh holds it and is alive, or the store fails.
    """
    lease = _Lease(runs / NAME)
    lease.take(stop)
    ended = threading.Event()
    renewing = threading.Thread(target=_renew, args=(lease, ended, stop), name="lease", daemon=True)
    renewing.start()
    try:
        yield
    finally:
        ended.set()
        renewing.join()
        lease.give_back()


class _Lease:
    """The file, and what lies there as far as this process knows."""

    def __init__(self, file: Remote) -> None:
        self._file = file
        self._owner = {
            "host": platform.node(),
            "process": os.getpid(),
            "born": psutil.Process().create_time(),
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        self._renewed = 0
        self._held: Stored | None = None

    def take(self, stop: Stop) -> None:
        """Write the file if there is none, or if its writer is dead."""
        while not self._write(None):
            before, owner = self._look()
            if before is None:
                continue
            began = time.monotonic()
            while not _is_dead_here(owner) and time.monotonic() - began < LAPSE_SECONDS:
                stop.check()
                time.sleep(LOOK_SECONDS)
                now, _ = self._look()
                if now is None:
                    break
                if now.etag != before.etag:
                    raise RunError(
                        f"{self._file.parent}: another refresh is at work there (process {owner.get('process')} on "
                        f"{owner.get('host')}, since {owner.get('since')}); wait for it, or choose another `output`"
                    )
            else:
                if self._write(before.etag):
                    return

    def renew(self) -> bool:
        """Write the file again; False if it is somebody else's by now."""
        return self._held is not None and self._write(self._held.etag)

    def give_back(self) -> None:
        """Remove the file, if it is still ours."""
        if self._held is not None and self._file.stat() == self._held:
            self._file.unlink(missing_ok=True)

    def _write(self, etag: str | None) -> bool:
        self._renewed += 1
        content = json.dumps(self._owner | {"renewed": self._renewed}).encode()
        self._held = self._file.send_if(content, etag)
        return self._held is not None

    def _look(self) -> tuple[Stored | None, dict[str, Any]]:
        stored = self._file.stat()
        try:
            owner: dict[str, Any] = json.loads(self._file.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return None, {}
        return stored, owner


def _is_dead_here(owner: dict[str, Any]) -> bool:
    """Whether the writer was a process of this machine that is gone."""
    if owner.get("host") != platform.node():
        return False
    try:
        return bool(psutil.Process(owner.get("process")).create_time() != owner.get("born"))
    except psutil.NoSuchProcess:
        return True


def _renew(lease: _Lease, ended: threading.Event, stop: Stop) -> None:
    while not ended.wait(RENEW_SECONDS):
        try:
            if not lease.renew():
                stop.set()
                return
        except FullshelfError:  # the store fails: the next attempt tells, and so does the work
            continue
