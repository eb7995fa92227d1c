"""Which actor works on which shard: events in, actions out.

Pure: it knows no Ray, no clock and no file, so a thousand actors and their deaths are a test of seconds. The driver's
loop (`driver`) tells it what happened and does what it answers.

- An actor holds two calls at most: one at work, the next one ready, so that it never waits for the driver. A call is
  one shard. Where shards are so short that the driver could not keep up with all actors, several go with one call.
- A shard that fails is tried again elsewhere, a few times; then it is quarantined with its error.
- A shard that failed, whose actor died, or that is raced goes alone from then on: what happens next is its own doing.
- A shard whose actor died is tried again too. Dying twice makes it a suspect: it waits until an actor has nothing else,
  so that a shard that kills actors takes no innocent one with it.
- A shard that takes several times the median of those done is raced on a second actor; the first result wins, and an
  actor that is still at the lost copy is taken for hung and killed.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from statistics import median

IN_FLIGHT = 2  # calls in the hands of an actor
CALLS = 250.0  # a second, of all actors together, that leave the driver half idle: a call takes 2 ms of a busy core
TOGETHER = 64  # shards of a call at most
LOOK_AHEAD = 64  # waiting shards looked through for one that an actor has not failed at
MEMORY = 512  # newest durations that the median is taken of
NEW = 0.2  # weight of the newest call in the pace


@dataclass(frozen=True, slots=True)
class Patience:
    """When to try again, when to race, when to give up."""

    attempts: int = 3  # errors of a shard before it is quarantined
    losses: int = 5  # actors that died at a shard before it is quarantined
    slow: float = 4.0  # times the median of those done: then a shard is raced
    least_seconds: float = 20.0  # nothing is slow before
    most_seconds: float = 3600.0  # a copy that takes longer counts as an error
    known: int = 3  # shards done before anything is slow by their median
    blind_seconds: float = 120.0  # with fewer done: a shard is raced after it, once no other waits for an actor


@dataclass(frozen=True, slots=True)
class Assign:
    """Give shards to an actor, in one call."""

    actor: int
    shards: tuple[int, ...]
    race: bool = False  # another actor is at it too; then it is one shard


@dataclass(frozen=True, slots=True)
class Kill:
    """End an actor that hangs."""

    actor: int


@dataclass(frozen=True, slots=True)
class Quarantine:
    """Give a shard up."""

    shard: int
    error: str


@dataclass(frozen=True, slots=True)
class Done:
    """A shard's first result is in."""

    shard: int


Action = Assign | Kill | Quarantine | Done


@dataclass(slots=True)
class _Call:
    """Shards in the hands of an actor."""

    shards: tuple[int, ...]
    begun: float | None = None  # None: waits inside the actor


@dataclass(slots=True)
class _Case:
    """What has happened to a shard."""

    holders: list[int] = field(default_factory=list)  # actors that have a copy
    failed_at: set[int] = field(default_factory=set)
    errors: list[str] = field(default_factory=list)
    losses: int = 0
    queued: bool = False  # waits for an actor, its first or, in a race, its second
    ended: bool = False

    @property
    def untried(self) -> bool:
        """Whether nothing speaks against its going with others: no actor had it yet."""
        return not (self.holders or self.errors or self.losses)


class Scheduler:
    """Assigns shards to actors until each is done or quarantined.

    Parameters
    ----------
    shards
        What is to be done, in the order in which it should begin.
    at_once
        Calls that an actor works on side by side; the rest of what it holds waits inside it.
    """

    def __init__(self, shards: Iterable[int], patience: Patience | None = None, at_once: int = 1) -> None:
        self._cases = {shard: _Case(queued=True) for shard in shards}
        self._patience, self._at_once = patience or Patience(), at_once
        self._waiting, self._suspects = deque(self._cases), deque[int]()
        self._hands: dict[int, list[_Call]] = {}
        self._open: dict[int, None] = {}  # actors with a free hand, longest free first
        self._durations = deque[float](maxlen=MEMORY)  # of shards, by the driver's clock
        self._pace: float | None = None  # seconds of a shard by the actors' clocks, of late
        self._left = len(self._cases)
        self._stopped = False
        self.counts: Counter[str] = Counter()  # done, quarantined, retried, raced, lost, killed

    @property
    def finished(self) -> bool:
        """Whether every shard is done or quarantined, or the end was asked for and nothing is at work."""
        return self._left == 0 or (self._stopped and self.in_flight == 0)

    @property
    def in_flight(self) -> int:
        """Copies of shards in the hands of actors."""
        return sum(len(call.shards) for hand in self._hands.values() for call in hand)

    @property
    def waiting(self) -> int:
        """Shards that no actor has yet."""
        return len(self._waiting) + len(self._suspects)

    @property
    def useful(self) -> int:
        """Actors that would have something to do: one for each shard that is left, another for each race to come."""
        return self._left + sum(bool(self._cases[shard].holders) for shard in (*self._waiting, *self._suspects))

    @property
    def left(self) -> int:
        """Shards that are neither done nor quarantined."""
        return self._left

    @property
    def actors(self) -> tuple[int, ...]:
        """Actors at hand."""
        return tuple(self._hands)

    @property
    def busy(self) -> list[int]:
        """Actors that have something in their hands."""
        return [actor for actor, hand in self._hands.items() if hand]

    def stop(self) -> None:
        """Assign nothing more."""
        self._stopped = True

    def joined(self, actor: int, now: float) -> list[Action]:
        """Take in an actor that is ready."""
        self._hands[actor] = []
        self._open[actor] = None
        return self._fill(now)

    def lost(self, actor: int, now: float) -> list[Action]:
        """Give what a dead actor held to others."""
        if actor not in self._hands:
            return []
        self.counts["lost"] += 1
        actions: list[Action] = []
        for call in self._drop(actor):
            for shard in call.shards:
                case = self._cases[shard]
                if call.begun is not None and not case.ended:
                    case.losses += 1
                    if case.losses >= self._patience.losses:
                        case.errors.append(f"{case.losses} actors died at this shard")
                        actions.append(self._give_up(shard))
                        continue
                self._again(shard)
        return actions + self._fill(now)

    def answered(self, actor: int, errors: Mapping[int, str | None], seconds: float, now: float) -> list[Action]:
        """Take in the answer to a call: a first result counts, what raised an error is tried elsewhere or given up.

        Parameters
        ----------
        errors
            Of each shard of the call, in its order: what it raised, None where it is done. The actor lives on.
        seconds
            That the actor was at the call, by its own clock.
        """
        call = self._take_back(actor, tuple(errors), now)
        actions: list[Action] = []
        for shard, error in errors.items():
            if error is not None:
                actions += self._failed(actor, shard, error) if call is not None else []
            elif not self._cases[shard].ended:
                self._end(shard)
                self.counts["done"] += 1
                actions.append(Done(shard))
        if call is not None and call.begun is not None:
            self._durations.extend([(now - call.begun) / len(call.shards)] * sum(isinstance(a, Done) for a in actions))
        if not any(errors.values()):
            pace = seconds / len(errors)
            self._pace = pace if self._pace is None else self._pace + NEW * (pace - self._pace)
        return actions + self._fill(now)

    def tick(self, now: float) -> list[Action]:
        """Race what has become slow by now, kill what hangs."""
        actions: list[Action] = []
        known = len(self._durations) >= self._patience.known
        usual = median(self._durations) if known else 0.0
        blind = self._patience.most_seconds
        if not self.waiting:
            blind = min(blind, self._patience.blind_seconds)
        for actor, hand in list(self._hands.items()):
            for call in list(hand):
                age = 0.0 if call.begun is None else now - call.begun
                slow = max(self._patience.least_seconds, self._patience.slow * usual * len(call.shards))
                if age <= (slow if known else blind):
                    continue
                open_ = [shard for shard in call.shards if not self._cases[shard].ended]
                if not open_ or age > self._patience.most_seconds:
                    actions.append(self._kill(actor))
                    for shard in open_:
                        actions += self._failed(actor, shard, f"no result after {age:,.0f} s")
                    break
                for shard in (shard for late in hand for shard in late.shards):  # what waits behind it is as late
                    if len(self._cases[shard].holders) == 1:
                        self._queue(shard, first=True)
        return actions + self._fill(now)

    # ---- how shards come back

    def _failed(self, actor: int, shard: int, error: str) -> list[Action]:
        case = self._cases[shard]
        if case.ended:
            return []
        case.errors.append(error)
        case.failed_at.add(actor)
        if len(case.errors) >= self._patience.attempts:
            return [self._give_up(shard)]
        self.counts["retried"] += 1
        self._again(shard)
        return []

    def _give_up(self, shard: int) -> Quarantine:
        self._end(shard)
        self.counts["quarantined"] += 1
        return Quarantine(shard, self._cases[shard].errors[-1])

    def _end(self, shard: int) -> None:
        case = self._cases[shard]
        case.ended = True
        self._left -= 1
        if case.queued:  # for a race, or done by an actor given up
            case.queued = False
            (self._suspects if shard in self._suspects else self._waiting).remove(shard)

    def _again(self, shard: int) -> None:
        """Let a shard wait for an actor, unless another copy is at work."""
        if not self._cases[shard].holders:
            self._queue(shard)

    def _queue(self, shard: int, first: bool = False) -> None:
        case = self._cases[shard]
        if case.ended or case.queued:
            return
        case.queued = True
        queue = self._suspects if case.losses > 1 else self._waiting
        queue.appendleft(shard) if first else queue.append(shard)

    def _kill(self, actor: int) -> Kill:
        self.counts["killed"] += 1
        for call in self._drop(actor):
            for shard in call.shards:
                self._again(shard)
        return Kill(actor)

    # ---- who has what

    def _drop(self, actor: int) -> list[_Call]:
        calls = self._hands.pop(actor)
        self._open.pop(actor, None)
        for call in calls:
            self._let_go(actor, call)
        return calls

    def _take_back(self, actor: int, shards: tuple[int, ...], now: float) -> _Call | None:
        hand = self._hands.get(actor, [])
        call = next((call for call in hand if call.shards == shards), None)
        if call is None:
            return None
        hand.remove(call)
        self._let_go(actor, call)
        self._begin(hand, now)
        self._open[actor] = None
        return call

    def _let_go(self, actor: int, call: _Call) -> None:
        for shard in call.shards:
            self._cases[shard].holders.remove(actor)

    def _begin(self, hand: list[_Call], now: float) -> None:
        for call in hand[: self._at_once]:
            if call.begun is None:
                call.begun = now

    def _fill(self, now: float) -> list[Action]:
        """Give shards to the actors with a free hand: first to those that have nothing."""
        actions: list[Action] = []
        if self._stopped:
            return actions
        for load in range(IN_FLIGHT):
            if not self.waiting:
                break
            for actor in [a for a in self._open if len(self._hands[a]) == load]:
                shard, alone = self._take(self._waiting, actor), False
                if shard is None and load == 0:
                    shard, alone = self._take(self._suspects, actor), True
                if shard is None:
                    continue
                hand, race = self._hands[actor], bool(self._cases[shard].holders)
                call = _Call((shard, *self._company(shard)))
                self.counts["raced"] += race
                for one in call.shards:
                    self._cases[one].queued = False
                    self._cases[one].holders.append(actor)
                hand.append(call)
                self._begin(hand, now)
                if alone or len(hand) == IN_FLIGHT:
                    del self._open[actor]
                actions.append(Assign(actor, call.shards, race))
        return actions

    def _take(self, queue: deque[int], actor: int) -> int | None:
        """Take the first shard that the actor neither holds nor failed at; failed at is better than nobody."""
        for at, shard in enumerate(islice(queue, LOOK_AHEAD)):
            case = self._cases[shard]
            if actor in case.holders or (actor in case.failed_at and not case.failed_at.issuperset(self._hands)):
                continue
            del queue[at]
            return shard
        return None

    def _company(self, first: int) -> list[int]:
        """Take the shards that go with a first one in its call: none where the driver keeps up without.

        Enough that all actors together end no more than `CALLS` calls a second; towards the end fewer, so that what is
        left is spread over all of them.
        """
        if self._pace is None or not self._cases[first].untried:
            return []
        enough = self._at_once * len(self._hands) / (CALLS * max(self._pace, 1e-9))
        spread = (len(self._waiting) + 1) / (IN_FLIGHT * len(self._hands))
        shards: list[int] = []
        for _ in range(int(min(enough, spread, TOGETHER)) - 1):
            if not self._waiting or not self._cases[self._waiting[0]].untried:
                break
            shards.append(self._waiting.popleft())
        return shards
