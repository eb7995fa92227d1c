"""Who answers the driver of an allocation: one shard's orders, or several responders as one.

Only sums and a few dozen offers travel; rows never do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fullshelf.engine.claims import claims_of, limit_groups
from fullshelf.engine.limits import Limit
from fullshelf.engine.order_plan import OrderPlan
from fullshelf.engine.planning import OrderProblem
from fullshelf.engine.series_numbers import key_hashes
from fullshelf.kernels.allocation import PARTS, exact_sum, in_parts
from fullshelf.kernels.limit_use import add_use, unit_prices
from fullshelf.kernels.order_policies import expectations, order_gains, order_regrets
from fullshelf.kernels.price_newton import add_curvature

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
Parts = NDArray[np.object_]  # whole numbers of any size
T = TypeVar("T")

AROUND = 0.08  # of what a unit pays: how far around it the fall of orders is measured, lots included
GRAIN = 2.0**20  # of a currency unit: money is added up in whole numbers, so that sums do not depend on the shards


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
    limit: NDArray[np.int32]  # (n, G) limits that a lot uses, J where none
    use: Ints  # (n, G) parts of them


class Regret(NamedTuple):
    """How far orders are from those that are best at the prices; in whole parts of a currency unit, `GRAIN`."""

    regret: int  # what the orders would save if each were the best at its prices
    cost: int  # expected cost of the orders


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

    def use_of(self, limits: Ints, prices: Array, share: float) -> Parts:
        """Return the parts (n,) of limits of one group that the orders at prices (J,) use, in a share of the hashes."""
        ...

    def curvature(self, prices: Array, scale: Array, share: float) -> Ints:
        """Return how use falls with scaled prices (J, J), see `price_newton`, of a share of the hashes."""
        ...

    def settle(self, low: Array, high: Array) -> None:
        """Remember the orders at both prices."""
        ...

    def mixed_use(self, shares: Array) -> Parts:
        """Return the parts (J,) used where series order at low prices in all their limits' shares (J,) of hashes."""
        ...

    def fix(self, shares: Array) -> None:
        """Take those shares."""
        ...

    def offers(self, room: Ints, count: int) -> Offers:
        """Return the best next lots that fit into the room (J,)."""
        ...

    def accept(self, places: Ints) -> None:
        """Order those lots."""
        ...

    def regret(self) -> Regret:
        """Return how far the orders are from the best at the prices, and what they are expected to cost."""
        ...


class ShardOrders:
    """One shard's series under J limits."""

    def __init__(self, problem: OrderProblem, values: pl.DataFrame, limits: Sequence[Limit]) -> None:
        S, J = values.height, len(limits)
        self._problem, self._limits = problem, limits
        claims = claims_of(limits, values)
        self._limit = claims.limit
        self._claim = np.where(np.isnan(problem.fixed)[:, None], claims.claim, 0.0)  # a person's word is not shared out
        self._group_of = np.zeros(J, dtype=np.int64)
        for g, group in enumerate(limit_groups(limits)):
            self._group_of[group] = g
        self._amount = np.array([*(limit.amount for limit in limits), 1.0])
        self._tie = key_hashes(values["sku"], values["location"])
        self._rank = self._tie / 2.0**64  # (S,) place of a series among the jumps of step 2
        self._low = self._high = self.quantity = np.zeros(S)
        self._prices = np.zeros(J + 1)  # the last is that of no limit
        self._gain = np.full(S, np.nan)  # (S,) money that the next lot would save; NaN: not known yet
        self._users = self._by_limit()
        self._jumps, self._base = np.empty(0, dtype=np.int64), np.zeros(J, dtype=object)

    @property
    def series(self) -> int:
        """Number of series."""
        return self._tie.size

    def ceilings(self) -> Array:
        """Return prices (J,) at which nobody orders."""
        highest = np.zeros(self._amount.size)
        used = (self._claim > 0) & self._problem.terms.planned[:, None]
        rows, columns = np.nonzero(used)
        worth = self._problem.underage[rows] / self._claim[rows, columns]
        np.maximum.at(highest, self._limit[rows, columns], worth)
        return highest[:-1]

    def use(self, prices: Array) -> Parts:
        """Return the parts (J,) that the orders at prices (J,) would use."""
        return self._use_of(self._at(prices))

    def use_of(self, limits: Ints, prices: Array, share: float) -> Parts:
        """Return the parts (n,) of limits of one group that the orders at prices (J,) use, in a share of the hashes."""
        users = [self._users[j] for j in limits]
        if share < 1.0:
            users = [rows[: int(np.searchsorted(self._rank[rows], share))] for rows in users]
        rows = np.concatenate(users)
        quantity = self._orders(prices, rows)
        group = int(self._group_of[limits[0]])
        used: Parts = self._sum(rows, quantity, group)[limits]
        return used

    def curvature(self, prices: Array, scale: Array, share: float) -> Ints:
        """Return how use falls with scaled prices (J, J), see `price_newton`, of a share of the hashes."""
        rows = np.flatnonzero(
            (self._rank < share) & self._problem.terms.planned & (self._limit < len(self._limits)).any(1)
        )
        paid = self._paid(prices, rows)
        step = AROUND * np.maximum(paid, AROUND * self._problem.underage[rows])
        less, more = (self._problem.orders(np.maximum(paid + sign * step, 0.0), rows)[1] for sign in (-1.0, 1.0))
        slope = np.divide(
            less - more, paid + step - np.maximum(paid - step, 0.0), out=np.zeros(rows.size), where=step > 0
        )
        total = np.zeros((self._amount.size, self._amount.size), dtype=np.int64)
        add_curvature(self._limit, self._claim, np.append(scale, 0.0), rows, slope, total)
        inner: Ints = total[:-1, :-1]
        return inner

    def settle(self, low: Array, high: Array) -> None:
        """Remember the orders at both prices."""
        self._low, self._high = self._at(low), self._at(high)
        self._prices = np.append(high, 0.0)
        self.quantity = self._high
        self._base = self._use_of(self._high)
        self._jumps = np.flatnonzero(self._low != self._high)

    def mixed_use(self, shares: Array) -> Parts:
        """Return the parts (J,) used where series order at low prices in all their limits' shares (J,) of hashes."""
        rows = self._within(shares)
        used: Parts = self._base + self._sum(rows, self._low[rows]) - self._sum(rows, self._high[rows])
        return used

    def fix(self, shares: Array) -> None:
        """Take those shares."""
        rows = self._within(shares)
        self.quantity = self._high.copy()
        self.quantity[rows] = self._low[rows]

    def offers(self, room: Ints, count: int) -> Offers:
        """Return the best next lots that fit into the room (J,)."""
        p = self._problem
        step = np.where(self.quantity > 0, p.terms.pack, p.smallest)
        step = np.where(p.terms.planned & (self.quantity + step <= p.most * (1 + 1e-12)), step, 0.0)
        priced = self._unit_prices() * step
        rows = np.flatnonzero((step > 0) & (priced > 0))
        limit = self._limit[rows]
        use = in_parts(self._claim[rows] * step[rows, None], self._amount[limit])
        fits = (use <= np.append(room, 4 * PARTS)[limit]).all(axis=1)
        rows, limit, use = rows[fits], limit[fits], use[fits]
        new = rows[np.isnan(self._gain[rows])]
        self._gain[new] = order_gains(
            p.levels, p.serve[new], p.outlast[new], p.underage[new], p.deciding[new],
            p.known[new], self.quantity[new], step[new],
        )  # fmt: skip
        gain = self._gain[rows]
        pays = np.flatnonzero(gain > 0)
        value = gain[pays] / priced[rows[pays]]
        best = np.lexsort((self._tie[rows[pays]], -value))[:count]
        chosen = pays[best]
        return Offers(value[best], self._tie[rows[chosen]], rows[chosen], limit[chosen], use[chosen])

    def accept(self, places: Ints) -> None:
        """Order those lots."""
        p = self._problem
        self.quantity = self.quantity.copy()
        self.quantity[places] += np.where(self.quantity[places] > 0, p.terms.pack[places], p.smallest[places])
        self._gain[places] = np.nan

    def regret(self) -> Regret:
        """Return how far the orders are from the best at the prices, and what they are expected to cost."""
        p, rows = self._problem, np.flatnonzero(self.quantity != self._high)
        regret = order_regrets(
            p.levels, p.serve[rows], p.outlast[rows], p.underage[rows], p.deciding[rows], p.known[rows],
            p.carry[rows], self._unit_prices()[rows], self.quantity[rows], self._high[rows],
        )  # fmt: skip
        short, left, over = (np.empty(self.series) for _ in range(3))
        expectations(p.levels, p.need, p.outlast, p.overage, self.quantity, short, left, over)
        cost = np.where(p.terms.planned, p.terms.shortage * short + over, 0.0)
        return Regret(*(exact_sum(np.rint(money * GRAIN).astype(np.int64)) for money in (regret, cost)))

    def plan(self) -> OrderPlan:
        """Return the plan with the allocated quantities."""
        return self._problem.plan(self._unit_prices(), self.quantity, self._dearest())

    def _by_limit(self) -> list[Ints]:
        """Return the series that use each limit, in the order of their hashes."""
        J = len(self._limits)
        users: list[Ints] = [np.empty(0, dtype=np.int64)] * J
        by_rank = np.argsort(self._rank, kind="stable")
        for g in range(self._limit.shape[1]):
            column = self._limit[by_rank, g]
            order = np.argsort(column, kind="stable")
            starts = np.searchsorted(column[order], np.arange(J + 1))
            for j in np.flatnonzero(np.diff(starts)):
                users[j] = by_rank[order[starts[j] : starts[j + 1]]]
        return users

    def _unit_prices(self) -> Array:
        """Return what a unit of each series pays (S,) at the prices that were settled."""
        out = np.empty(self.series)
        unit_prices(self._limit, self._claim, self._prices, np.arange(self.series), out)
        return out

    def _dearest(self) -> pl.Series:
        """Name the limit (S,) at which each series pays most for a unit; null: no price."""
        paid = self._prices[self._limit] * self._claim
        if not paid.size:
            return pl.Series([None] * self.series, dtype=pl.String)
        most = paid.argmax(axis=1)
        every = np.arange(self.series)
        chosen = np.where(paid[every, most] > 0, self._limit[every, most], len(self._limits))
        names = pl.Series([*(limit.name for limit in self._limits), None], dtype=pl.String)
        return names.gather(chosen)

    def _paid(self, prices: Array, rows: Ints) -> Array:
        paid = np.empty(rows.size)
        unit_prices(self._limit, self._claim, np.append(prices, 0.0), rows, paid)
        return paid

    def _orders(self, prices: Array, rows: Ints) -> Array:
        return self._problem.orders(self._paid(prices, rows), rows)[1]

    def _at(self, prices: Array) -> Array:
        return self._orders(prices, np.arange(self.series))

    def _within(self, shares: Array) -> Ints:
        """Return the series whose jump is inside the shares of all limits that they use."""
        least = np.append(shares, 1.0)[self._limit[self._jumps]].min(axis=1, initial=1.0)
        inside: Ints = self._jumps[self._rank[self._jumps] < least]
        return inside

    def _use_of(self, quantity: Array) -> Parts:
        return self._sum(np.arange(self.series), quantity)

    def _sum(self, rows: Ints, quantity: Array, group: int = -1) -> Parts:
        """Return the parts (J,) of all limits, or of those of one group, that orders use."""
        high, low = np.zeros(self._amount.size, dtype=np.int64), np.zeros(self._amount.size, dtype=np.int64)
        add_use(self._limit, self._claim, self._amount, rows, quantity, group, high, low)
        used: Parts = (high[:-1].astype(object) << 32) + low[:-1].astype(object)
        return used


class Together:
    """Several responders as one; the place of an offer is shard × 2^40 + series."""

    SHIFT = 40

    def __init__(
        self,
        members: Sequence[Responder],
        mapper: Mapper = map,
        check: Callable[[], None] = lambda: None,
        numbers: Sequence[int] | None = None,
    ) -> None:
        """Take the members, who asks them (`map`, or that of a pool of threads), and what is called before each.

        `numbers` name the members' shards where further shards answer elsewhere; default: 0, 1, ….
        """
        self._members, self._mapper, self._check = members, mapper, check
        self._numbers = range(len(members)) if numbers is None else numbers

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

    def use_of(self, limits: Ints, prices: Array, share: float) -> Parts:
        """Add up the members' use of some limits."""
        total: Parts = np.sum(self._ask(lambda m: m.use_of(limits, prices, share)), axis=0)
        return total

    def curvature(self, prices: Array, scale: Array, share: float) -> Ints:
        """Add up the members' curvature."""
        self._check()
        total: Ints = np.zeros((prices.size, prices.size), dtype=np.int64)
        for part in self._mapper(lambda m: m.curvature(prices, scale, share), self._members):
            total += part
        return total

    def settle(self, low: Array, high: Array) -> None:
        """Tell every member."""
        self._ask(lambda m: m.settle(low, high))

    def mixed_use(self, shares: Array) -> Parts:
        """Add up the members' use."""
        total: Parts = np.sum(self._ask(lambda m: m.mixed_use(shares)), axis=0)
        return total

    def fix(self, shares: Array) -> None:
        """Tell every member."""
        self._ask(lambda m: m.fix(shares))

    def offers(self, room: Ints, count: int) -> Offers:
        """Return the best of the members' offers."""
        parts = self._ask(lambda m: m.offers(room, count))
        value, tie = np.concatenate([p.value for p in parts]), np.concatenate([p.tie for p in parts])
        place = np.concatenate([p.place + (n << self.SHIFT) for n, p in zip(self._numbers, parts, strict=True)])
        limit, use = np.concatenate([p.limit for p in parts]), np.concatenate([p.use for p in parts])
        return best_offers(Offers(value, tie, place, limit, use), count)

    def accept(self, places: Ints) -> None:
        """Tell each member its own."""
        for n, member in zip(self._numbers, self._members, strict=True):
            mine = places[places >> self.SHIFT == n]
            if mine.size:
                member.accept(mine & ((1 << self.SHIFT) - 1))

    def regret(self) -> Regret:
        """Add up the members' regrets and costs."""
        parts = self._ask(lambda m: m.regret())
        return Regret(sum(p.regret for p in parts), sum(p.cost for p in parts))


def best_offers(offers: Offers, count: int) -> Offers:
    """Return the best offers, in an order that does not depend on who made them first."""
    best = np.lexsort((offers.place, offers.tie, -offers.value))[:count]
    return Offers(offers.value[best], offers.tie[best], offers.place[best], offers.limit[best], offers.use[best])
