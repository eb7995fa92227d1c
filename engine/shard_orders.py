"""Who answers the driver of an allocation: one shard's orders, or several responders as one.

Only sums and a few dozen offers travel; rows never do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fullshelf.engine.limits import Limit
from fullshelf.engine.order_plan import OrderPlan
from fullshelf.engine.planning import OrderProblem
from fullshelf.engine.series_numbers import key_hashes
from fullshelf.kernels.allocation import exact_sum, in_parts
from fullshelf.kernels.order_policies import order_gains

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
Parts = NDArray[np.object_]  # whole numbers of any size
T = TypeVar("T")


class Mapper(Protocol):
    """`map`, or that of a pool: applies a function to each item, answers in the order of the items."""

    def __call__(self, function: Callable[[Responder], T], items: Iterable[Responder], /) -> Iterable[T]:
        """Apply."""
        ...


class Offers(NamedTuple):
    """Next lots that would still pay, best first."""

    value: Array  # (n,) money saved per priced use
    tie: NDArray[np.uint64]  # (n,) hash of the series, decides between equals
    place: Ints  # (n,) shard and series, as the responder understands it
    use: Ints  # (n, J) parts


class Responder(Protocol):
    """Answers for some series: one shard here, or many shards somewhere else."""

    def ceilings(self) -> Array:
        """Return prices (J,) at which nobody orders."""
        ...

    @property
    def series(self) -> int:
        """Number of series that it answers for."""
        ...

    def use(self, prices: Array) -> Parts:
        """Return the parts (J,) that the orders at prices (J,) would use."""
        ...

    def use_of(self, limit: int, prices: Array, share: float) -> int:
        """Return the parts of one limit that the orders at prices (J,) would use, of that share of the hash range."""
        ...

    def settle(self, low: Array, high: Array) -> None:
        """Remember the orders at both prices."""
        ...

    def mixed_use(self, shares: Array) -> Parts:
        """Return the parts (P, J) used where that share (P,) of the hash range orders at the low prices."""
        ...

    def fix(self, share: float) -> None:
        """Take that share."""
        ...

    def offers(self, room: Ints, count: int) -> Offers:
        """Return the best next lots that fit into the room (J,)."""
        ...

    def accept(self, places: Ints) -> None:
        """Order those lots."""
        ...


class ShardOrders:
    """One shard's series under J limits."""

    def __init__(self, problem: OrderProblem, values: pl.DataFrame, limits: Sequence[Limit]) -> None:
        S = values.height
        self._problem, self._limits = problem, limits
        self._claims = np.array([limit.claims(values) for limit in limits]).reshape(len(limits), S)
        self._tie = key_hashes(values["sku"], values["location"])
        self._rank = self._tie / 2.0**64  # (S,) place of a series among the jumps of step 2
        self._low = self._high = self.quantity = np.zeros(S)
        self._prices = np.zeros(len(limits))
        self._gain = np.full(S, np.nan)  # (S,) money that the next lot would save; NaN: not known yet

    @property
    def series(self) -> int:
        """Number of series."""
        return self._tie.size

    def ceilings(self) -> Array:
        """Return prices (J,) at which nobody orders."""
        worth = np.zeros_like(self._claims)
        np.divide(self._problem.underage, self._claims, out=worth, where=self._claims > 0)
        worth[:, ~self._problem.terms.planned] = 0.0
        highest: Array = worth.max(axis=1, initial=0.0)
        return highest

    def use(self, prices: Array) -> Parts:
        """Return the parts (J,) that the orders at prices (J,) would use."""
        return self._use_of(self._at(prices))

    def use_of(self, limit: int, prices: Array, share: float) -> int:
        """Return the parts of one limit that the orders at prices (J,) would use, of that share of the hash range."""
        rows = np.flatnonzero((self._claims[limit] > 0) & (self._rank < share))
        quantity = self._problem.orders(prices @ self._claims[:, rows], rows)[1]
        return exact_sum(in_parts(self._claims[limit, rows] * quantity, self._limits[limit].amount))

    def settle(self, low: Array, high: Array) -> None:
        """Remember the orders at both prices."""
        self._low, self._high, self._prices = self._at(low), self._at(high), high
        self.quantity = self._high

    def mixed_use(self, shares: Array) -> Parts:
        """Return the parts (P, J) used where that share (P,) of the hash range orders at the low prices."""
        return np.array([self._use_of(np.where(self._rank < share, self._low, self._high)) for share in shares])

    def fix(self, share: float) -> None:
        """Take that share."""
        self.quantity = np.where(self._rank < share, self._low, self._high)

    def offers(self, room: Ints, count: int) -> Offers:
        """Return the best next lots that fit into the room (J,)."""
        p = self._problem
        step = np.where(self.quantity > 0, p.terms.pack, p.smallest)
        step = np.where(p.terms.planned & (self.quantity + step <= p.most * (1 + 1e-12)), step, 0.0)
        use = np.array([in_parts(c * step, limit.amount) for c, limit in zip(self._claims, self._limits, strict=True)])
        priced = (self._prices @ self._claims) * step
        fits = np.flatnonzero((step > 0) & (priced > 0) & (use <= room[:, None]).all(axis=0))
        new = fits[np.isnan(self._gain[fits])]
        self._gain[new] = order_gains(
            p.levels, p.serve[new], p.outlast[new], p.underage[new], p.deciding[new],
            p.known[new], self.quantity[new], step[new],
        )  # fmt: skip
        gain = self._gain[fits]
        pays = gain > 0
        fits, value = fits[pays], gain[pays] / priced[fits[pays]]
        best = np.lexsort((self._tie[fits], -value))[:count]
        return Offers(value[best], self._tie[fits[best]], fits[best], use[:, fits[best]].T)

    def accept(self, places: Ints) -> None:
        """Order those lots."""
        p = self._problem
        self.quantity = self.quantity.copy()
        self.quantity[places] += np.where(self.quantity[places] > 0, p.terms.pack[places], p.smallest[places])
        self._gain[places] = np.nan

    def plan(self) -> OrderPlan:
        """Return the plan with the allocated quantities."""
        return self._problem.plan(self._prices @ self._claims, self.quantity)

    def _at(self, prices: Array) -> Array:
        return self._problem.orders(prices @ self._claims)[1]

    def _use_of(self, quantity: Array) -> Parts:
        pairs = zip(self._claims, self._limits, strict=True)
        return np.array([exact_sum(in_parts(claim * quantity, limit.amount)) for claim, limit in pairs], dtype=object)


class Together:
    """Several responders as one; the place of an offer is shard × 2^40 + series."""

    SHIFT = 40

    def __init__(
        self, members: Sequence[Responder], mapper: Mapper = map, check: Callable[[], None] = lambda: None
    ) -> None:
        """Take the members, who asks them (`map`, or that of a pool of threads), and what is called before each."""
        self._members, self._mapper, self._check = members, mapper, check

    def _ask(self, question: Callable[[Responder], T]) -> list[T]:
        self._check()
        return list(self._mapper(question, self._members))

    @property
    def series(self) -> int:
        """Number of series of all members."""
        return sum(m.series for m in self._members)

    def ceilings(self) -> Array:
        """Return the highest of the members' ceilings."""
        highest: Array = np.max(self._ask(lambda m: m.ceilings()), axis=0)
        return highest

    def use(self, prices: Array) -> Parts:
        """Add up the members' use."""
        total: Parts = np.sum(self._ask(lambda m: m.use(prices)), axis=0)
        return total

    def use_of(self, limit: int, prices: Array, share: float) -> int:
        """Add up the members' use of one limit."""
        return sum(self._ask(lambda m: m.use_of(limit, prices, share)))

    def settle(self, low: Array, high: Array) -> None:
        """Tell every member."""
        self._ask(lambda m: m.settle(low, high))

    def mixed_use(self, shares: Array) -> Parts:
        """Add up the members' use."""
        total: Parts = np.sum(self._ask(lambda m: m.mixed_use(shares)), axis=0)
        return total

    def fix(self, share: float) -> None:
        """Tell every member."""
        for member in self._members:
            member.fix(share)

    def offers(self, room: Ints, count: int) -> Offers:
        """Return the best of the members' offers."""
        parts = self._ask(lambda m: m.offers(room, count))
        value, tie = np.concatenate([p.value for p in parts]), np.concatenate([p.tie for p in parts])
        place = np.concatenate([p.place + (n << self.SHIFT) for n, p in enumerate(parts)])
        best = np.lexsort((tie, -value))[:count]
        return Offers(value[best], tie[best], place[best], np.concatenate([p.use for p in parts])[best])

    def accept(self, places: Ints) -> None:
        """Tell each member its own."""
        for n, member in enumerate(self._members):
            mine = places[places >> self.SHIFT == n]
            if mine.size:
                member.accept(mine & ((1 << self.SHIFT) - 1))
