"""Who answers the driver of an allocation: one shard's orders, or several responders as one.

Only sums and a few dozen offers travel; rows never do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

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

    def use(self, prices: Array) -> Parts:
        """Return the parts (J,) that the orders at prices (J,) would use."""
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

    def __init__(
        self, problem: OrderProblem, keys: pl.DataFrame, supply: pl.DataFrame, limits: Sequence[Limit]
    ) -> None:
        self._problem, self._limits = problem, limits
        self._claims = np.array([limit.claims(keys, supply) for limit in limits]).reshape(len(limits), keys.height)
        self._tie = key_hashes(keys["sku"], keys["location"])
        self._rank = self._tie / 2.0**64  # (S,) place of a series among the jumps of step 2
        self._low = self._high = self.quantity = np.zeros(keys.height)
        self._prices = np.zeros(len(limits))

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
        gain = order_gains(
            p.levels, p.serve[fits], p.outlast[fits], p.underage[fits], p.deciding[fits],
            p.known[fits], self.quantity[fits], step[fits],
        )  # fmt: skip
        pays = gain > 0
        fits, value = fits[pays], gain[pays] / priced[fits[pays]]
        best = np.lexsort((self._tie[fits], -value))[:count]
        return Offers(value[best], self._tie[fits[best]], fits[best], use[:, fits[best]].T)

    def accept(self, places: Ints) -> None:
        """Order those lots."""
        p = self._problem
        self.quantity = self.quantity.copy()
        self.quantity[places] += np.where(self.quantity[places] > 0, p.terms.pack[places], p.smallest[places])

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

    def __init__(self, members: Sequence[Responder]) -> None:
        self._members = members

    def ceilings(self) -> Array:
        """Return the highest of the members' ceilings."""
        highest: Array = np.max([m.ceilings() for m in self._members], axis=0)
        return highest

    def use(self, prices: Array) -> Parts:
        """Add up the members' use."""
        total: Parts = np.sum([m.use(prices) for m in self._members], axis=0)
        return total

    def settle(self, low: Array, high: Array) -> None:
        """Tell every member."""
        for member in self._members:
            member.settle(low, high)

    def mixed_use(self, shares: Array) -> Parts:
        """Add up the members' use."""
        total: Parts = np.sum([m.mixed_use(shares) for m in self._members], axis=0)
        return total

    def fix(self, share: float) -> None:
        """Tell every member."""
        for member in self._members:
            member.fix(share)

    def offers(self, room: Ints, count: int) -> Offers:
        """Return the best of the members' offers."""
        parts = [m.offers(room, count) for m in self._members]
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
