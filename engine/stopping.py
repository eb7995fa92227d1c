"""A polite end: SIGTERM and Ctrl-C set a flag, the work asks for it between its steps."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from fullshelf.engine.errors import Interrupted


class Stop:
    """Set once, asked often, from any thread."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """Ask everything to end at its next step."""
        self._event.set()

    @property
    def wanted(self) -> bool:
        """Whether the end was asked for."""
        return self._event.is_set()

    def check(self) -> None:
        """Raise Interrupted if the end was asked for."""
        if self.wanted:
            raise Interrupted("interrupted; what is committed stays, call again to resume")


@contextmanager
def on_signals() -> Iterator[Stop]:
    """Give a Stop that SIGTERM and SIGINT set; a second Ctrl-C acts at once. Outside the main thread: a plain Stop."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def handle(number: int, frame: FrameType | None) -> None:
        if stop.wanted and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
