"""The driver's loop with a fleet that is not there: what it asks of the scheduler, and how often."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from fullshelf.cluster.driver import POLL_SECONDS, drive
from fullshelf.cluster.fleet import Event
from fullshelf.cluster.scheduler import Scheduler
from fullshelf.engine.stopping import Stop

SHARDS = 3_000


class Crew:
    """Actors that answer at once, one call at a time."""

    def __init__(self, actors: int) -> None:
        self.ready = dict.fromkeys(range(actors), "here")
        self.called: list[tuple[int, int]] = []
        self.looks = 0

    @property
    def size(self) -> int:
        self.looks += 1
        return len(self.ready)

    def resize(self, wanted: int) -> None:
        pass

    def call(self, actor: int, method: str, shard: int, tag: int) -> None:
        self.called.append((actor, tag))

    def events(self, seconds: float) -> Iterator[Event]:
        actor, shard = self.called.pop(0)
        yield Event("answer", actor, shard, result=shard)

    def kill(self, actor: int) -> None:
        raise AssertionError("nobody hangs")


def test_every_shard_is_done_once_and_all_actors_are_looked_at_a_few_times_a_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ticks, watched = list[float](), list[int]()
    plain = Scheduler.tick
    monkeypatch.setattr(Scheduler, "tick", lambda self, now: (ticks.append(now), plain(self, now))[1])
    crew: Any = Crew(8)
    begun = time.monotonic()
    found = drive(crew, Scheduler(range(SHARDS)), lambda: 8, Stop(), lambda scheduler, fleet: watched.append(1))
    assert sorted(outcome.shard for outcome in found) == list(range(SHARDS))
    rounds = 1 + (time.monotonic() - begun) / POLL_SECONDS
    assert crew.looks >= SHARDS  # so many rounds of events there were
    assert 1 <= len(ticks) <= rounds
    assert len(watched) == len(ticks)
