"""The scheduler against simulated clusters: no Ray, no clock."""

from __future__ import annotations

import heapq
import random
from collections import Counter
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fullshelf.cluster.scheduler import IN_FLIGHT, Action, Assign, Done, Kill, Patience, Quarantine, Scheduler

QUICK = Patience(attempts=3, losses=5, slow=4.0, least_seconds=2.0, most_seconds=100.0)


@dataclass
class Simulation:
    """A cluster of which every death, error and hang is an argument; checks the scheduler's promises all along."""

    scheduler: Scheduler
    seconds: dict[int, float]  # a shard takes; default 1
    poison: set[int] = field(default_factory=set)  # shards that raise
    deadly: set[int] = field(default_factory=set)  # shards that end their actor
    hang: set[tuple[int, int]] = field(default_factory=set)  # (actor, shard) that never answers
    deaths: dict[int, float] = field(default_factory=dict)  # when an actor dies by itself
    joins: dict[int, float] = field(default_factory=dict)
    now: float = 0.0

    def __post_init__(self) -> None:
        self.held: dict[int, list[int]] = {}
        self.copies: Counter[int] = Counter()
        self.ended: Counter[int] = Counter()
        self.errors: dict[int, str] = {}
        self.assigned: list[tuple[int, int]] = []
        self.events: list[tuple[float, int, str, int, int]] = []
        self.number = 0
        self.replacements = 10_000

    def at(self, time: float, what: str, actor: int, shard: int = -1) -> None:
        self.number += 1
        heapq.heappush(self.events, (time, self.number, what, actor, shard))

    def obey(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Assign(actor, shard, race):
                    hand = self.held[actor]
                    hand.append(shard)
                    self.assigned.append((actor, shard))
                    assert len(hand) <= IN_FLIGHT
                    assert len(set(hand)) == len(hand)
                    self.copies[shard] += 1
                    assert self.copies[shard] == (2 if race else 1)
                    assert not self.ended[shard]
                    if len(hand) == 1:
                        self.begin(actor)
                case Kill(actor):
                    self.end(actor)
                case Quarantine(shard, error):
                    self.ended[shard] += 1
                    self.errors[shard] = error
                case Done(shard):
                    self.ended[shard] += 1

    def end(self, actor: int) -> None:
        self.copies.subtract(self.held.pop(actor))
        self.replacements += 1
        self.at(self.now + 1.0, "join", self.replacements)

    def begin(self, actor: int) -> None:
        shard = self.held[actor][0]
        if (actor, shard) in self.hang:
            return
        what = "die" if shard in self.deadly else "fail" if shard in self.poison else "done"
        self.at(self.now + self.seconds.get(shard, 1.0), what, actor, shard)

    def run(self, ticks: float = 0.5) -> Simulation:
        for actor, time in self.joins.items():
            self.at(time, "join", actor)
        for actor, time in self.deaths.items():
            self.at(time, "die", actor)
        self.at(ticks, "tick", -1)
        while not self.scheduler.finished:
            assert self.now < 1e5, "it does not end"
            self.now, _, what, actor, shard = heapq.heappop(self.events)
            match what:
                case "tick":
                    self.obey(self.scheduler.tick(self.now))
                    self.at(self.now + ticks, "tick", -1)
                case "join":
                    self.held[actor] = []
                    self.obey(self.scheduler.joined(actor, self.now))
                case "die" if actor in self.held and (shard == -1 or self.held[actor][:1] == [shard]):
                    self.end(actor)
                    self.obey(self.scheduler.lost(actor, self.now))
                case "done" | "fail" if actor in self.held and self.held[actor][:1] == [shard]:
                    self.copies[self.held[actor].pop(0)] -= 1
                    if self.held[actor]:
                        self.begin(actor)
                    if what == "done":
                        self.obey(self.scheduler.done(actor, shard, self.now))
                    else:
                        self.obey(self.scheduler.failed(actor, shard, f"ValueError: {shard}", self.now))
        return self


def simulate(shards: int, actors: int, patience: Patience = QUICK, **what: object) -> Simulation:
    joins = dict.fromkeys(range(actors), 0.0)
    given_ = {"seconds": {}, "joins": joins} | what
    return Simulation(Scheduler(range(shards), patience), **given_).run()  # type: ignore[arg-type]


def test_every_shard_is_done_once_and_no_actor_idles() -> None:
    found = simulate(100, 4)
    assert found.ended == Counter(range(100))
    assert found.now == pytest.approx(25.0)
    assert len(found.assigned) == 100


def test_a_poison_shard_is_tried_elsewhere_and_then_quarantined_with_its_error() -> None:
    found = simulate(20, 4, poison={7})
    assert found.errors == {7: "ValueError: 7"}
    actors = [actor for actor, shard in found.assigned if shard == 7]
    assert len(actors) == len(set(actors)) == QUICK.attempts
    assert found.ended == Counter(range(20))


def test_a_poison_shard_on_a_single_actor_is_tried_there_again() -> None:
    found = simulate(5, 1, poison={2})
    assert list(found.errors) == [2]
    assert [shard for _, shard in found.assigned].count(2) == QUICK.attempts


def test_a_shard_that_kills_its_actors_takes_no_other_with_it() -> None:
    found = simulate(60, 3, deadly={11})
    assert list(found.errors) == [11]
    assert "5 actors died" in found.errors[11]
    assert found.ended == Counter(range(60))


def test_what_a_dead_actor_held_is_done_elsewhere() -> None:
    found = simulate(40, 4, deaths={0: 2.5, 3: 3.5})
    assert found.ended == Counter(range(40))
    assert not found.errors
    assert found.scheduler.counts["lost"] == 2


def test_a_hung_shard_is_raced_and_its_actor_killed() -> None:
    found = simulate(30, 3, hang={(2, 4)})
    assert found.ended == Counter(range(30))
    assert not found.errors
    assert found.scheduler.counts["raced"] >= 1
    assert found.scheduler.counts["killed"] == 1
    assert found.now < 30


def test_what_waits_behind_a_hung_shard_is_not_lost() -> None:
    found = simulate(8, 2, hang={(0, 0)})
    assert found.ended == Counter(range(8))
    assert found.now < 20


def test_a_slow_shard_is_raced_but_a_result_counts_once() -> None:
    found = simulate(30, 3, seconds={29: 9.0})
    assert found.ended == Counter(range(30))
    assert found.scheduler.counts["raced"] == 1
    assert found.now < 30 / 3 + 12


def test_a_shard_that_hangs_everywhere_is_quarantined() -> None:
    everywhere = {(actor, 3) for actor in [*range(4), *range(10_000, 10_050)]}
    found = simulate(20, 4, hang=everywhere)
    assert list(found.errors) == [3]
    assert "no result" in found.errors[3]
    assert found.ended == Counter(range(20))


def test_actors_that_join_late_take_their_part() -> None:
    joins = {0: 0.0} | dict.fromkeys(range(1, 8), 5.0)
    found = simulate(100, 1, joins=joins)
    assert len({actor for actor, _ in found.assigned}) == 8
    assert found.now < 5 + 100 / 8 + 3


def test_nothing_begins_after_a_stop_and_what_is_at_work_ends() -> None:
    scheduler = Scheduler(range(10))
    first = scheduler.joined(0, 0.0)
    assert [a.shard for a in first if isinstance(a, Assign)] == [0, 1]
    scheduler.stop()
    assert not scheduler.finished
    assert scheduler.done(0, 0, 1.0) == [Done(0)]
    assert scheduler.done(0, 1, 2.0) == [Done(1)]
    assert scheduler.finished
    assert scheduler.left == 8


def test_the_result_of_an_actor_given_up_still_counts_once() -> None:
    scheduler = Scheduler([0])
    scheduler.joined(0, 0.0)
    scheduler.lost(0, 1.0)
    assert scheduler.done(0, 0, 1.1) == [Done(0)]
    assert scheduler.finished
    assert scheduler.joined(1, 2.0) == []


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_whatever_happens_every_shard_ends_exactly_once(data: st.DataObject) -> None:
    shards, actors = data.draw(st.integers(0, 40)), data.draw(st.integers(1, 6))
    some_shards = st.sets(st.integers(0, max(0, shards - 1)), max_size=3)
    poison, deadly = data.draw(some_shards), data.draw(some_shards)
    dice = random.Random(data.draw(st.integers(0, 2**32)))
    hang = {(dice.randrange(actors), dice.randrange(max(1, shards))) for _ in range(dice.randrange(4))}
    deaths = {a: dice.uniform(0, 20) for a in range(actors) if dice.random() < 0.4}
    seconds = {s: dice.choice((0.1, 1.0, 1.0, 1.0, 12.0)) for s in range(shards)}
    joins = {a: dice.choice((0.0, 0.0, 3.0, 15.0)) for a in range(actors)}
    found = simulate(
        shards, actors, poison=poison, deadly=deadly, hang=hang, deaths=deaths, seconds=seconds, joins=joins
    )
    assert found.ended == Counter(range(shards))
    assert set(found.errors) <= poison | deadly | {shard for _, shard in hang}
    innocent = set(range(shards)) - poison - deadly
    assert not set(found.errors) & innocent


def test_a_thousand_actors_with_deaths_and_poison_finish_a_hundred_thousand_shards() -> None:
    dice = random.Random(3)
    deaths = {actor: dice.uniform(0, 80) for actor in range(0, 1000, 10)}
    hang = {(actor, actor) for actor in range(5, 1000, 100)}
    found = Simulation(
        Scheduler(range(100_000), QUICK),
        {},
        poison={500, 70_000},
        deadly={12_345},
        hang=hang,
        deaths=deaths,
        joins={actor: dice.uniform(0, 5) for actor in range(1000)},
    ).run(ticks=1.0)
    assert found.ended == Counter(range(100_000))
    assert set(found.errors) == {500, 70_000, 12_345}
    assert found.now < 100 * 1.25 + 20
