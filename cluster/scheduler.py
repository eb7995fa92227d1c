"""Which actor works on which shard: events in, actions out.

Pure: it knows no Ray, no clock and no file, so a thousand actors and their deaths are a test of seconds. The driver's
loop (`driver`) tells it what happened and does what it answers.

- An actor holds two shards at most: one at work, the next one ready, so that it never waits for the driver.
- A shard that fails is tried again elsewhere, a few times; then it is quarantined with its error.
- A shard whose actor died is tried again too. Dying twice makes it a suspect: it waits until an actor has nothing else,
  so that a shard that kills actors takes no innocent one with it.
- A shard that takes several times the median of those done is raced on a second actor; the first result wins, and an
  actor that is still at the lost copy is taken for hung and killed.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from statistics import median

IN_FLIGHT = 2  # shards in the hands of an actor
LOOK_AHEAD = 64  # waiting shards looked through for one that an actor has not failed at
MEMORY = 512  # newest durations that the median is taken of


@dataclass(frozen=True, slots=True)
class Patience:
    """When to try again, when to race, when to give up."""

    attempts: int = 3  # errors of a shard before it is quarantined
    losses: int = 5  # actors that died at a shard before it is quarantined
    slow: float = 4.0  # times the median of those done: then a shard is raced
    least_seconds: float = 20.0  # nothing is slow before
    most_seconds: float = 3600.0  # a copy that takes longer counts as an error
    known: int = 3  # shards done before anything is slow


@dataclass(frozen=True, slots=True)
class Assign:
    """Give a shard to an actor."""

    actor: int
    shard: int
    race: bool = False  # another actor is at it too


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
class _Copy:
    """A shard in the hands of an actor."""

    shard: int
    begun: float | None  # None: waits inside the actor


@dataclass(slots=True)
class _Case:
    """What has happened to a shard."""

    holders: list[int] = field(default_factory=list)  # actors that have a copy
    failed_at: set[int] = field(default_factory=set)
    errors: list[str] = field(default_factory=list)
    losses: int = 0
    queued: bool = False  # waits for an actor, its first or, in a race, its second
    ended: bool = False


class Scheduler:
    """Assigns shards to actors until each is done or quarantined.

    Parameters
    ----------
    shards
        What is to be done, in the order in which it should begin.
    at_once
        Shards that an actor works on side by side; the rest of what it holds waits inside it.
    """

    def __init__(self, shards: Iterable[int], patience: Patience | None = None, at_once: int = 1) -> None:
        self._cases = {shard: _Case(queued=True) for shard in shards}
        self._patience, self._at_once = patience or Patience(), at_once
        self._waiting, self._suspects = deque(self._cases), deque[int]()
        self._hands: dict[int, list[_Copy]] = {}
        self._open: dict[int, None] = {}  # actors with a free hand, longest free first
        self._durations = deque[float](maxlen=MEMORY)
        self._left = len(self._cases)
        self._stopped = False
        self.counts: Counter[str] = Counter()  # done, quarantined, retried, raced, lost, killed

    @property
    def finished(self) -> bool:
        """Whether every shard is done or quarantined, or the end was asked for and nothing is at work."""
        return self._left == 0 or (self._stopped and self.in_flight == 0)

    @property
    def in_flight(self) -> int:
        """Copies in the hands of actors."""
        return sum(len(hand) for hand in self._hands.values())

    @property
    def waiting(self) -> int:
        """Shards that no actor has yet."""
        return len(self._waiting) + len(self._suspects)

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
        for copy in self._drop(actor):
            case = self._cases[copy.shard]
            if copy.begun is not None and not case.ended:
                case.losses += 1
                if case.losses >= self._patience.losses:
                    case.errors.append(f"{case.losses} actors died at this shard")
                    actions.append(self._give_up(copy.shard))
                    continue
            self._again(copy.shard)
        return actions + self._fill(now)

    def done(self, actor: int, shard: int, now: float) -> list[Action]:
        """Count a shard that an actor finished, if it is its first result."""
        copy = self._take_back(actor, shard, now)
        case = self._cases[shard]
        if case.ended:
            return self._fill(now)
        if copy is not None and copy.begun is not None:
            self._durations.append(now - copy.begun)
        self._end(shard)
        self.counts["done"] += 1
        return [Done(shard), *self._fill(now)]

    def failed(self, actor: int, shard: int, error: str, now: float) -> list[Action]:
        """Try a shard elsewhere that raised an error on an actor, or give it up; the actor lives on."""
        if self._take_back(actor, shard, now) is None:
            return []
        return self._failed(actor, shard, error) + self._fill(now)

    def tick(self, now: float) -> list[Action]:
        """Race what has become slow by now, kill what hangs."""
        actions: list[Action] = []
        limit = self._slow_after()
        for actor, hand in list(self._hands.items()):
            for copy in list(hand):
                age = 0.0 if copy.begun is None else now - copy.begun
                if age <= limit:
                    continue
                ended = self._cases[copy.shard].ended
                if ended or age > self._patience.most_seconds:
                    actions.append(self._kill(actor))
                    if not ended:
                        actions += self._failed(actor, copy.shard, f"no result after {age:,.0f} s")
                    break
                for late in hand:  # what waits behind a slow shard is as late
                    if len(self._cases[late.shard].holders) == 1:
                        self._queue(late.shard, first=True)
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
        for copy in self._drop(actor):
            self._again(copy.shard)
        return Kill(actor)

    # ---- who has what

    def _drop(self, actor: int) -> list[_Copy]:
        copies = self._hands.pop(actor)
        self._open.pop(actor, None)
        for copy in copies:
            self._cases[copy.shard].holders.remove(actor)
        return copies

    def _take_back(self, actor: int, shard: int, now: float) -> _Copy | None:
        hand = self._hands.get(actor, [])
        copy = next((copy for copy in hand if copy.shard == shard), None)
        if copy is None:
            return None
        hand.remove(copy)
        self._cases[shard].holders.remove(actor)
        self._begin(hand, now)
        self._open[actor] = None
        return copy

    def _begin(self, hand: list[_Copy], now: float) -> None:
        for copy in hand[: self._at_once]:
            if copy.begun is None:
                copy.begun = now

    def _slow_after(self) -> float:
        if len(self._durations) < self._patience.known:
            return self._patience.most_seconds
        return max(self._patience.least_seconds, self._patience.slow * median(self._durations))

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
                case, hand = self._cases[shard], self._hands[actor]
                case.queued, race = False, bool(case.holders)
                self.counts["raced"] += race
                hand.append(_Copy(shard, None))
                case.holders.append(actor)
                self._begin(hand, now)
                if alone or len(hand) == IN_FLIGHT:
                    del self._open[actor]
                actions.append(Assign(actor, shard, race))
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
