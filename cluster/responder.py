"""The answers of all shards to the driver of the limits: actors hold the shards' orders, the driver only adds up.

Shards are held in groups, each by one actor. A question goes to every group. All sums are whole numbers, so neither the
groups nor who holds them change a byte. When an actor dies or hangs, its groups are loaded elsewhere from the run's
files and told again what they had been told; then they are asked again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from ray.exceptions import RayActorError

from fullshelf.cluster.driver import POLL_SECONDS, START_SECONDS
from fullshelf.cluster.fleet import Fleet, cause_of
from fullshelf.cluster.worker import Question
from fullshelf.engine.errors import RunError
from fullshelf.engine.pipeline import Record
from fullshelf.engine.shard_orders import Offers, Regret, best_offers
from fullshelf.engine.stopping import Stop

__all__ = ["ClusterOrders"]

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
Parts = NDArray[np.object_]
K = TypeVar("K", bound=Hashable)
Call = tuple[int, str, tuple[Any, ...]]  # group, method of the actor, arguments after the group

LEAST_SECONDS = 30.0  # an answer is not late before
BLIND_SECONDS = 3600.0  # where not even half of the groups answered: a group may hold a million series
SLOW = 10.0  # times what the quicker half of the groups took: then an actor is taken for hung


class ClusterOrders:
    """A `Responder` for shards whose orders lie in the actors of a fleet.

    Parameters
    ----------
    resize
        Called when actors are needed: asks the cluster for them.
    """

    def __init__(
        self,
        fleet: Fleet,
        shards: Sequence[int],
        resize: Callable[[], None],
        stop: Stop,
        loaded: Callable[[int], None] = lambda shards: None,
    ) -> None:
        self._fleet, self._resize, self._stop = fleet, resize, stop
        count = max(1, min(len(shards), self._wait_for_actors()))
        self._groups = {g: list(shards[g::count]) for g in range(count)}
        self._held: dict[int, int] = {}  # group → actor
        self._told: list[Question] = []
        self._place(self._groups, lambda groups: loaded(sum(len(self._groups[g]) for g in groups)))
        self._series: int = sum(self._ask("series"))

    @property
    def series(self) -> int:
        """Number of series of all shards."""
        return self._series

    def ceilings(self) -> Array:
        """Return the highest of the groups' ceilings."""
        highest: Array = np.max(self._ask("ceilings"), axis=0)
        return highest

    def use(self, prices: Array) -> Parts:
        """Add up the groups' use."""
        return self._sum("use", prices)

    def use_of(self, limits: Ints, prices: Array, share: float) -> Parts:
        """Add up the groups' use of some limits."""
        return self._sum("use_of", limits, prices, share)

    def curvature(self, prices: Array, scale: Array, share: float) -> Ints:
        """Add up how the groups' use falls with scaled prices."""
        total: Ints = np.zeros((prices.size, prices.size), dtype=np.int64)
        for part in self._ask("curvature", prices, scale, share):  # 18 MB of each group where there are 1,500 limits
            total += part
        return total

    def settle(self, low: Array, high: Array) -> None:
        """Tell every group."""
        self._tell("settle", low, high)

    def mixed_use(self, shares: Array) -> Parts:
        """Add up the groups' use."""
        return self._sum("mixed_use", shares)

    def fix(self, shares: Array) -> None:
        """Tell every group."""
        self._tell("fix", shares)

    def offers(self, room: Ints, count: int) -> Offers:
        """Return the best of the groups' offers."""
        parts = self._ask("offers", room, count)
        return best_offers(Offers(*(np.concatenate(column) for column in zip(*parts, strict=True))), count)

    def accept(self, places: Ints) -> None:
        """Tell every group; each knows its own."""
        self._tell("accept", places)

    def regret(self) -> Regret:
        """Add up the groups' regrets and costs."""
        parts = self._ask("regret")
        return Regret(sum(p.regret for p in parts), sum(p.cost for p in parts))

    def commit(self, done: Callable[[int], None]) -> list[Record]:
        """Let every shard commit its orders; return the records by shard. `done` is called with how many are."""
        calls = {shard: (g, "commit", (shard,)) for g, shards in self._groups.items() for shard in shards}
        records = self._collect(calls, done)
        return [records[shard] for shard in sorted(records)]

    def _sum(self, method: str, *arguments: Any) -> Parts:
        total: Parts = np.sum(self._ask(method, *arguments), axis=0)
        return total

    def _tell(self, method: str, *arguments: Any) -> None:
        self._ask(method, *arguments)
        self._told.append((method, arguments))

    def _ask(self, method: str, *arguments: Any) -> list[Any]:
        answers = self._collect({g: (g, "ask", (method, *arguments)) for g in self._groups})
        return [answers[g] for g in self._groups]

    def _collect(self, calls: Mapping[K, Call], done: Callable[[int], None] = lambda count: None) -> dict[K, Any]:
        """Put each call to the actor that holds its group, wherever that is by then; return the answers."""
        answers: dict[K, Any] = {}
        while len(answers) < len(calls):
            self._place({group for key, (group, _, _) in calls.items() if key not in answers})
            sent = {
                self._fleet.submit(self._held[group], method, group, *arguments): (key, self._held[group])
                for key, (group, method, arguments) in calls.items()
                if key not in answers
            }

            def take(future: Future[Any], key: K) -> None:
                answers[key] = future.result()
                done(len(answers))

            self._wait(sent, take)
        return answers

    def _place(self, groups: Any, loaded: Callable[[list[int]], None] = lambda groups: None) -> None:
        """Load the groups that no living actor holds into those that hold least."""
        while homeless := [g for g in groups if self._held.get(g) not in self._fleet.ready]:
            self._wait_for_actors()
            load = {actor: sum(held == actor for held in self._held.values()) for actor in self._fleet.ready}
            for group in homeless:
                self._held[group] = min(load, key=lambda actor: (load[actor], actor))
                load[self._held[group]] += 1
            sent = {
                self._fleet.submit(self._held[g], "load", g, self._groups[g], self._told): (g, self._held[g])
                for g in homeless
            }
            there: list[int] = []

            def take(future: Future[Any], group: int, there: list[int] = there) -> None:
                future.result()
                there.append(group)
                loaded(there)

            self._wait(sent, take)
            for group in set(homeless) - set(there):
                self._held.pop(group, None)

    def _wait(self, sent: dict[Future[Any], tuple[K, int]], take: Callable[[Future[Any], K], None]) -> None:
        """Take what comes; let go of actors that are dead, and kill those that the others have waited for too long."""
        begun, half, open_ = time.monotonic(), None, dict(sent)
        while open_:
            self._stop.check()
            finished, _ = wait(open_, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
            for future in finished:
                key, actor = open_.pop(future)
                error = future.exception()
                if error is None:
                    take(future, key)
                elif isinstance(error, RayActorError):
                    self._fleet.kill(actor)
                else:
                    raise cause_of(error)
            now = time.monotonic()
            if half is None and 2 * len(open_) <= len(sent):
                half = now - begun
            if now - begun > (BLIND_SECONDS if half is None else max(LEAST_SECONDS, SLOW * half)):
                for _, actor in open_.values():
                    self._fleet.kill(actor)
                return

    def _wait_for_actors(self) -> int:
        """Wait until an actor is ready; return how many are."""
        begun = time.monotonic()
        self._resize()
        while not self._fleet.ready:
            self._stop.check()
            for _ in self._fleet.events(POLL_SECONDS):
                pass
            self._resize()
            if time.monotonic() - begun > START_SECONDS:
                raise RunError(f"no actor got ready within {START_SECONDS:,.0f} s; free or add nodes and call again")
        for _ in self._fleet.events(0.0):
            pass
        return len(self._fleet.ready)
