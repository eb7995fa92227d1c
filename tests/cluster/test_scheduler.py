"""The scheduler against simulated clusters: no Ray, no clock."""

from __future__ import annotations

import heapq
import random
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from fullshelf.cluster.scheduler import IN_FLIGHT, TOGETHER, Action, Assign, Done, Kill, Patience, Quarantine, Scheduler

QUICK = Patience(attempts=3, losses=5, slow=4.0, least_seconds=2.0, most_seconds=100.0)


@dataclass
class Simulation:
    """A cluster of which every death, error and hang is an argument; checks the scheduler's promises all along."""

    scheduler: Scheduler
    seconds: dict[int, float]  # a shard takes; default `usual`
    poison: set[int] = field(default_factory=set)  # shards that raise
    deadly: set[int] = field(default_factory=set)  # shards that end their actor
    hang: set[tuple[int, int]] = field(default_factory=set)  # (actor, shard) that never answers
    deaths: dict[int, float] = field(default_factory=dict)  # when an actor dies by itself
    joins: dict[int, float] = field(default_factory=dict)
    usual: float = 1.0  # seconds of a shard
    now: float = 0.0

    def __post_init__(self) -> None:
        self.held: dict[int, list[tuple[int, ...]]] = {}
        self.copies: Counter[int] = Counter()
        self.ended: Counter[int] = Counter()
        self.errors: dict[int, str] = {}
        self.assigned: list[tuple[int, int]] = []
        self.calls: list[tuple[int, ...]] = []
        self.tried: set[int] = set()
        self.events: list[tuple[float, int, str, int, Any]] = []
        self.number = 0
        self.replacements = 10_000

    def at(self, time: float, what: str, actor: int, more: Any = None) -> None:
        self.number += 1
        heapq.heappush(self.events, (time, self.number, what, actor, more))

    def obey(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Assign(actor, shards, race):
                    hand = self.held[actor]
                    hand.append(shards)
                    self.calls.append(shards)
                    assert len(hand) <= IN_FLIGHT
                    assert len({shard for call in hand for shard in call}) == sum(len(call) for call in hand)
                    assert 1 <= len(shards) <= TOGETHER
                    assert len(shards) == 1 or not self.tried & set(shards), "what failed or was lost goes alone"
                    for shard in shards:
                        self.assigned.append((actor, shard))
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
        calls = self.held.pop(actor)
        for call in calls:
            self.copies.subtract(call)
        self.tried.update(*calls[:1])
        self.replacements += 1
        self.at(self.now + 1.0, "join", self.replacements)

    def begin(self, actor: int) -> None:
        """Let the actor begin its next call: it answers, dies at a shard, or never does either."""
        call, seconds = self.held[actor][0], 0.0
        for shard in call:
            if (actor, shard) in self.hang:
                return None
            seconds += self.seconds.get(shard, self.usual)
            if shard in self.deadly:
                return self.at(self.now + seconds, "die", actor, call)
        return self.at(self.now + seconds, "answer", actor, (call, seconds))

    def answer(self, actor: int, call: tuple[int, ...], seconds: float) -> None:
        self.copies.subtract(self.held[actor].pop(0))
        if self.held[actor]:
            self.begin(actor)
        errors = {shard: f"ValueError: {shard}" if shard in self.poison else None for shard in call}
        self.tried.update(shard for shard, error in errors.items() if error)
        self.obey(self.scheduler.answered(actor, errors, seconds, self.now))

    def run(self, ticks: float = 0.5) -> Simulation:
        for actor, time in self.joins.items():
            self.at(time, "join", actor)
        for actor, time in self.deaths.items():
            self.at(time, "die", actor)
        self.at(ticks, "tick", -1)
        while not self.scheduler.finished:
            assert self.now < 1e5, "it does not end"
            self.now, _, what, actor, more = heapq.heappop(self.events)
            match what:
                case "tick":
                    self.obey(self.scheduler.tick(self.now))
                    self.at(self.now + ticks, "tick", -1)
                case "join":
                    self.held[actor] = []
                    self.obey(self.scheduler.joined(actor, self.now))
                case "die" if actor in self.held and (more is None or self.held[actor][:1] == [more]):
                    self.end(actor)
                    self.obey(self.scheduler.lost(actor, self.now))
                case "answer" if actor in self.held and self.held[actor][:1] == [more[0]]:
                    self.answer(actor, *more)
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


def test_a_lone_shard_that_hangs_asks_for_another_actor_and_is_raced_there() -> None:
    scheduler = Scheduler([0], replace(QUICK, blind_seconds=5.0))
    assert scheduler.joined(1, 0.0) == [Assign(1, (0,), race=False)]
    assert (scheduler.tick(4.0), scheduler.useful) == ([], 1)
    assert (scheduler.tick(6.0), scheduler.useful) == ([], 2)
    assert scheduler.joined(2, 7.0) == [Assign(2, (0,), race=True)]
    assert scheduler.answered(2, {0: None}, 1.0, 8.0) == [Done(0)]
    assert scheduler.finished


def test_before_anything_is_known_of_their_pace_new_shards_come_before_races() -> None:
    scheduler = Scheduler(range(6), replace(QUICK, blind_seconds=5.0))
    for actor in (1, 2):
        scheduler.joined(actor, 0.0)
    assert (scheduler.waiting, scheduler.tick(50.0), scheduler.waiting) == (2, [], 2)


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
    assert [a.shards for a in first if isinstance(a, Assign)] == [(0,), (1,)]
    scheduler.stop()
    assert not scheduler.finished
    assert scheduler.answered(0, {0: None}, 1.0, 1.0) == [Done(0)]
    assert scheduler.answered(0, {1: None}, 1.0, 2.0) == [Done(1)]
    assert scheduler.finished
    assert scheduler.left == 8


def test_the_result_of_an_actor_given_up_still_counts_once() -> None:
    scheduler = Scheduler([0])
    scheduler.joined(0, 0.0)
    scheduler.lost(0, 1.0)
    assert scheduler.answered(0, {0: None}, 1.1, 1.1) == [Done(0)]
    assert scheduler.finished
    assert scheduler.joined(1, 2.0) == []


def test_short_shards_go_together_and_towards_the_end_alone_again() -> None:
    found = simulate(4_000, 2, usual=1e-5)
    assert found.ended == Counter(range(4_000))
    sizes = [len(call) for call in found.calls]
    assert sizes[:4] == [1, 1, 1, 1]  # nothing is known yet
    assert max(sizes) == TOGETHER
    assert sizes[-4:] == [1, 1, 1, 1]
    assert len(sizes) < 4_000 / 30


def test_shards_of_a_second_go_alone_as_long_as_the_driver_keeps_up() -> None:
    assert {len(call) for call in simulate(2_000, 64).calls} == {1}


def test_a_poison_shard_among_short_ones_fails_alone() -> None:
    found = simulate(1_000, 4, usual=1e-4, poison={300, 301})
    assert found.errors == {300: "ValueError: 300", 301: "ValueError: 301"}
    calls = [call for call in found.calls if 300 in call]
    assert len(calls[0]) > 1
    assert calls[1:] == [(300,)] * (QUICK.attempts - 1)
    assert all(count == 1 for shard, count in Counter(s for _, s in found.assigned).items() if shard not in (300, 301))


def test_a_deadly_shard_among_short_ones_is_given_up_without_its_neighbours() -> None:
    found = simulate(1_000, 4, usual=1e-4, deadly={300})
    assert list(found.errors) == [300]
    assert "5 actors died" in found.errors[300]
    (together,) = [call for call in found.calls if 300 in call and len(call) > 1]
    again = Counter(shard for _, shard in found.assigned)
    assert all(2 <= again[shard] <= 3 for shard in together if shard != 300)  # 3: it once waited behind 300
    assert found.ended == Counter(range(1_000))


def test_of_a_call_that_hangs_every_shard_is_raced_and_done_once() -> None:
    holder = next(actor for actor, shard in simulate(1_000, 4, usual=1e-4).assigned if shard == 300)
    found = simulate(1_000, 4, usual=1e-4, hang={(holder, 300)})
    assert found.ended == Counter(range(1_000))
    assert not found.errors
    assert found.scheduler.busy == [holder]  # whom the driver ends
    (hung,) = [call for call in found.calls if 300 in call and len(call) > 1]
    assert found.scheduler.counts["raced"] >= len(hung)
    assert found.now < 10


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_whatever_happens_every_shard_ends_exactly_once(data: st.DataObject) -> None:
    shards, actors = data.draw(st.integers(0, 40)), data.draw(st.integers(1, 6))
    some_shards = st.sets(st.integers(0, max(0, shards - 1)), max_size=3)
    poison, deadly = data.draw(some_shards), data.draw(some_shards)
    dice = random.Random(data.draw(st.integers(0, 2**32)))
    hang = {(dice.randrange(actors), dice.randrange(max(1, shards))) for _ in range(dice.randrange(4))}
    deaths = {a: dice.uniform(0, 20) for a in range(actors) if dice.random() < 0.4}
    scale = data.draw(st.sampled_from((1.0, 1e-2, 1e-4)))  # short ones go together
    shards *= 1 if scale == 1.0 else 8
    seconds = {s: scale * dice.choice((0.1, 1.0, 1.0, 1.0, 12.0)) for s in range(shards)}
    joins = {a: dice.choice((0.0, 0.0, 3.0, 15.0)) for a in range(actors)}
    found = simulate(
        shards, actors, poison=poison, deadly=deadly, hang=hang, deaths=deaths, seconds=seconds, joins=joins
    )
    event(f"several to a call: {any(len(call) > 1 for call in found.calls)}")
    assert found.ended == Counter(range(shards))
    assert set(found.errors) <= poison | deadly | {shard for _, shard in hang}
    innocent = set(range(shards)) - poison - deadly
    assert not set(found.errors) & innocent


@pytest.mark.parametrize("usual", [1.0, 0.01])
def test_a_thousand_actors_with_deaths_and_poison_finish_a_hundred_thousand_shards(usual: float) -> None:
    dice = random.Random(3)
    deaths = {actor: usual * dice.uniform(0, 80) for actor in range(0, 1000, 10)}
    hang = {(actor, actor) for actor in range(5, 1000, 100)}
    found = Simulation(
        Scheduler(range(100_000), QUICK),
        {},
        poison={500, 70_000},
        deadly={12_345},
        hang=hang,
        deaths=deaths,
        joins={actor: usual * dice.uniform(0, 5) for actor in range(1000)},
        usual=usual,
    ).run(ticks=1.0)
    assert found.ended == Counter(range(100_000))
    assert set(found.errors) == {500, 70_000, 12_345}
    assert found.now < usual * 100 * 1.25 + 20
    assert len(found.calls) < 100_000 / (2 if usual == 1.0 else 5)
