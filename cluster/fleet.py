"""The actors of a run: asked for, taken in when they are ready, noticed when they die, ended.

An actor is never restarted and no call is ever repeated by Ray (`max_restarts=0`, `max_task_retries=0`): the driver
alone decides what is done again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, Literal

import ray
from ray.exceptions import RayActorError, RayTaskError

__all__ = ["Event", "Fleet", "cause_of"]

OVERDUE_SECONDS = 120.0  # after which an actor that was asked for may hang: then another is asked for
LOST_AT_START = 5  # actors in a row that die before they are ready: then nobody asks for more


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to an actor or to a call."""

    what: Literal["ready", "refused", "lost", "answer", "error"]
    actor: int
    tag: Any = None  # of the call
    result: Any = None
    error: Exception | None = None


class Fleet:
    """The actors of a run.

    Parameters
    ----------
    start
        Asks Ray for an actor and returns its handle.
    opening
        What an actor's method `open` is called with before it counts as ready.
    """

    def __init__(self, start: Callable[[], Any], opening: tuple[Any, ...]) -> None:
        self._start, self._opening = start, opening
        self._queue: SimpleQueue[tuple[int, Any, Future[Any]]] = SimpleQueue()
        self._handles: dict[int, Any] = {}  # asked for or ready
        self._ready: dict[int, str] = {}  # where each is
        self._asked: list[float] = []  # when, by number
        self._failures: list[Exception] = []  # of actors that never became ready
        self._lost_at_start = 0

    @property
    def ready(self) -> dict[int, str]:
        """Actors that are ready, and where."""
        return dict(self._ready)

    @property
    def size(self) -> int:
        """Actors that are ready."""
        return len(self._ready)

    @property
    def pending(self) -> int:
        """Actors asked for that are not ready yet."""
        return len(self._handles) - len(self._ready)

    def resize(self, useful: int, room: int) -> None:
        """Ask for actors until there are so many, less those that could not open the job; end none.

        One that has not got ready for long does not count, as long as there is room for another.

        Raises
        ------
        Exception
            What kept the last actor from getting ready, if none is left.
        """
        now = time.monotonic()
        overdue = sum(a not in self._ready and now - self._asked[a] > OVERDUE_SECONDS for a in self._handles)
        wanted = min(useful + overdue, room) - len(self._failures)
        if self._failures and not self._handles:
            raise self._failures[-1]
        while len(self._handles) < wanted:
            actor = len(self._asked)
            self._asked.append(now)
            self._handles[actor] = self._start()
            self.call(actor, "open", *self._opening, tag="open")

    def call(self, actor: int, method: str, *arguments: Any, tag: Any) -> None:
        """Call an actor; the answer comes as an event with the tag."""
        future = self.submit(actor, method, *arguments)
        future.add_done_callback(lambda done: self._queue.put((actor, tag, done)))

    def submit(self, actor: int, method: str, *arguments: Any) -> Future[Any]:
        """Call an actor; the answer is not an event."""
        future: Future[Any] = getattr(self._handles[actor], method).remote(*arguments).future()
        return future

    def events(self, seconds: float) -> Iterator[Event]:
        """Wait for an event, at most so long, and yield all that have come."""
        try:
            found = self._queue.get(timeout=seconds)
            while True:
                event = self._event(*found)
                if event is not None:
                    yield event
                found = self._queue.get_nowait()
        except Empty:
            return

    def kill(self, actor: int) -> None:
        """End an actor at once; no event of it comes any more."""
        handle = self._handles.pop(actor, None)
        self._ready.pop(actor, None)
        if handle is not None:
            ray.kill(handle, no_restart=True)

    def close(self) -> None:
        """End all actors."""
        for actor in list(self._handles):
            self.kill(actor)

    def _event(self, actor: int, tag: Any, done: Future[Any]) -> Event | None:
        error = done.exception()
        if actor not in self._handles:
            return None
        if isinstance(error, RayActorError):  # also for a moment out of reach: it must not work unseen
            self.kill(actor)
            if tag == "open":
                self._lost_at_start += 1
                if self._lost_at_start >= LOST_AT_START:
                    self._failures.append(error)
            return Event("lost", actor, tag, error=error)
        if error is not None:
            cause = cause_of(error)
            if tag == "open":
                self.kill(actor)
                self._failures.append(cause)
                return Event("refused", actor, tag, error=cause)
            return Event("error", actor, tag, error=cause)
        if tag == "open":
            self._lost_at_start = 0
            self._ready[actor] = done.result()
            return Event("ready", actor)
        return Event("answer", actor, tag, result=done.result())


def cause_of(error: BaseException) -> Exception:
    """Return the error that the method itself raised, out of what Ray wraps it in."""
    if isinstance(error, RayTaskError):
        cause = error.cause
        return cause if isinstance(cause, Exception) else error
    if not isinstance(error, Exception):
        raise error
    return error
