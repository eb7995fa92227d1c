"""What the driver of a cluster run notes: a line of JSON for each event, with the ids of run, shard and actor."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import Any, Protocol, TextIO

__all__ = ["EventLog", "Note", "unnoted"]


class Note(Protocol):
    """Takes an event and its ids."""

    def __call__(self, event: str, **fields: Any) -> None:
        """Take note."""
        ...


class EventLog:
    """Writes events of one run, one JSON object a line.

    Examples
    --------
    >>> import io
    >>> file = io.StringIO()
    >>> EventLog("20250629-3fa9", file).note("shard done", shard=7, actor=2)
    >>> {k: v for k, v in json.loads(file.getvalue()).items() if k != "time"}
    {'run': '20250629-3fa9', 'event': 'shard done', 'shard': 7, 'actor': 2}
    """

    def __init__(self, run: str, file: TextIO | None = None) -> None:
        self._run, self._file = run, file

    def note(self, event: str, **fields: Any) -> None:
        """Write an event down."""
        time = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = {"time": time, "run": self._run, "event": event} | fields
        print(json.dumps(line, default=str), file=self._file or sys.stderr, flush=True)


def unnoted(event: str, **fields: Any) -> None:
    """Write nothing."""
