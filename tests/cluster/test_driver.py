"""The driver's loop with a fleet that is not there: what it asks of the scheduler, and how often."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from fullshelf.cluster.actor import Answer
from fullshelf.cluster.driver import POLL_SECONDS, drive
from fullshelf.cluster.fleet import Event
from fullshelf.cluster.scheduler import Scheduler
from fullshelf.engine.errors import RunError
from fullshelf.engine.local import Outcome
from fullshelf.engine.stopping import Stop

SHARDS = 3_000


class Crew:
    """Actors that answer at once, one call at a time."""

    def __init__(self, actors: int, seconds: float, errors: dict[int, Exception] | None = None) -> None:
        self.ready = dict.fromkeys(range(actors), "here")
        self.called: list[tuple[int, tuple[int, ...]]] = []
        self.calls = self.looks = 0
        self.seconds, self.errors = seconds, errors or {}  # of a shard; that shards raise

    @property
    def size(self) -> int:
        self.looks += 1
        return len(self.ready)

    def resize(self, useful: int, room: int) -> None:
        pass

    def call(self, actor: int, method: str, *arguments: Any, tag: tuple[int, ...]) -> None:
        assert (method, arguments) == ("each", ("run", tag))
        self.called.append((actor, tag))

    def events(self, seconds: float) -> Iterator[Event]:
        actor, shards = self.called.pop(0)
        self.calls += 1
        found = [Outcome(s, None, self.errors[s]) if s in self.errors else Outcome(s, 2 * s, None) for s in shards]
        yield Event("answer", actor, shards, result=Answer(tuple(found), self.seconds * len(shards)))

    def kill(self, actor: int) -> None:
        raise AssertionError("nobody hangs")


def test_every_shard_is_done_once_and_all_actors_are_looked_at_a_few_times_a_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ticks, watched = list[float](), list[int]()
    plain = Scheduler.tick
    monkeypatch.setattr(Scheduler, "tick", lambda self, now: (ticks.append(now), plain(self, now))[1])
    crew: Any = Crew(8, seconds=1.0)
    begun = time.monotonic()
    found = drive(crew, Scheduler(range(SHARDS)), lambda: 8, Stop(), lambda scheduler, fleet: watched.append(1))
    assert sorted(outcome.shard for outcome in found) == list(range(SHARDS))
    rounds = 1 + (time.monotonic() - begun) / POLL_SECONDS
    assert crew.looks >= SHARDS  # so many rounds of events there were
    assert 1 <= len(ticks) <= rounds
    assert len(watched) == len(ticks)


def test_shards_that_go_together_come_back_one_by_one_each_with_its_own_result_or_error() -> None:
    poison = ValueError("poison")
    crew: Any = Crew(2, seconds=1e-5, errors={70: poison})
    found = {outcome.shard: outcome for outcome in drive(crew, Scheduler(range(SHARDS)), lambda: 2, Stop())}
    assert crew.calls < SHARDS / 20
    assert found.pop(70) == Outcome(70, None, poison)
    assert found == {shard: Outcome(shard, 2 * shard, None) for shard in range(SHARDS) if shard != 70}


def test_an_error_that_no_other_attempt_can_escape_ends_the_run_as_it_was_raised() -> None:
    crew: Any = Crew(2, seconds=1e-5, errors={70: RunError("the disk is full")})
    with pytest.raises(RunError, match="the disk is full"):
        list(drive(crew, Scheduler(range(SHARDS)), lambda: 2, Stop()))
