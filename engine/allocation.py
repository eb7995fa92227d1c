"""Allocate: share out limits of capital, volume or units over all orders, of whatever shard.

The driver of the shards' answers (`shard_orders`)

1. finds the shadow price of each limit: every series then orders what pays at the prices of what it uses;
2. between the prices just too low and just high enough, lots make orders jump; the jumps are let through in the order
   of the series' hash as far as the limits allow;
3. hands what is still left to the best offers: the next lot of a series, by money saved per priced use.

A limit is never exceeded. All sums are whole numbers, so orders do not depend on the shards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fullshelf.engine.claims import limit_groups
from fullshelf.engine.limits import Limit
from fullshelf.engine.shard_orders import GRAIN, Responder
from fullshelf.kernels.allocation import CLOSE, PARTS, ROOM, SWEEPS, largest_shares, shadow_prices
from fullshelf.kernels.price_newton import CURVATURE, newton_prices

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

SAMPLE = 20_000  # series on which the search for prices begins
FEW = 12  # limits that are searched one by one
SAMPLE_A_LIMIT = 20  # series on which the search begins where there are more
CURVED = 100_000  # series from which the curvature is taken
AROUND = 2e-3  # below the prices of many limits, where jumps of orders are looked for
LAST_SWEEPS = 6  # over all limits after Newton's steps
OFFERS = 64  # in one round of step 3, or
OFFERS_A_LIMIT = 4
ROUNDS = 40  # of step 3


@dataclass(frozen=True, slots=True)
class Allocation:
    """What became of J limits."""

    limits: tuple[Limit, ...]
    price: Array  # (J,) currency saved per further unit of the resource; 0: the limit does not bind
    wanted: Array  # (J,) use without limits, in units of the resource
    used: Array  # (J,) use of the orders, never above the amount
    cost: float = 0.0  # expected cost of the orders, currency
    regret: float = (
        0.0  # the most that another sharing could save at these prices, currency: distance to the dual bound
    )

    @property
    def gap(self) -> float:
        """Share of the least possible cost by which the orders may be dearer than it: 0 is the best; NaN without cost.

        Examples
        --------
        >>> none = np.zeros(0)
        >>> Allocation((), none, none, none, cost=1001.0, regret=1.0).gap
        0.001
        """
        least = self.cost - self.regret
        return self.regret / least if least > 0 else (0.0 if self.regret == 0 else float("nan"))


def allocate(orders: Responder, limits: Sequence[Limit]) -> Allocation:
    """Share out the limits; afterwards every shard's quantities are final."""
    J, groups = len(limits), limit_groups(limits)
    room = np.array([ROOM if limit.amount > 0 else 0 for limit in limits], dtype=np.int64)
    scale = np.array([limit.amount / PARTS if limit.amount > 0 else 1 / PARTS for limit in limits])
    nothing = np.zeros(J)
    wanted = orders.use(nothing)
    high, around = (nothing, 0.0) if (wanted <= room).all() else _prices(orders, groups, room, scale * PARTS)
    orders.settle(high * (1 - 2 * around), high)
    used = wanted.astype(np.int64) if not high.any() else _fill(orders, groups, room)
    regret = orders.regret()
    spare = float((high * scale * np.maximum(room - used, 0)).sum())
    cost = regret.cost / GRAIN
    return Allocation(
        tuple(limits), high, (wanted * scale).astype(np.float64), used * scale, cost, regret.regret / GRAIN + spare
    )


def _fill(orders: Responder, groups: Sequence[Ints], room: Ints) -> Ints:
    """Let the jumps through and hand out what is left; return the parts (J,) used."""
    shares = largest_shares(orders.mixed_use, groups, room.tolist(), room.size)
    orders.fix(shares)
    used: Ints = orders.mixed_use(shares).astype(np.int64)
    left, count = np.append(room - used, 4 * PARTS), max(OFFERS, OFFERS_A_LIMIT * room.size)
    for _ in range(ROUNDS):
        offers = orders.offers(left[:-1], count)
        taken = []
        for n, (limit, use) in enumerate(zip(offers.limit, offers.use, strict=True)):
            if (use <= left[limit]).all():
                left[limit] -= use
                left[-1] = 4 * PARTS
                taken.append(n)
        if not taken:
            break
        orders.accept(offers.place[taken])
    spent: Ints = room - left[:-1]
    return spent


def _prices(orders: Responder, groups: Sequence[Ints], room: Ints, amounts: Array) -> tuple[Array, float]:
    """Find the shadow prices, and how far below them the jumps of orders are looked for.

    Few limits are searched one by one, as exactly as is of use. Of many, a sample by hash gives a first guess, Newton's
    steps over all series come near, and what is still away from its limit then is searched one by one.
    """
    ceilings = orders.ceilings()
    if room.size <= FEW:
        return _searched(orders, groups, room, ceilings), CLOSE
    sample = min(1.0, SAMPLE_A_LIMIT * room.size / orders.series)
    prices = _search(orders, groups, room, ceilings, None, sample, 2)
    given = np.flatnonzero(room > 0)  # of a limit of 0 the price is the ceiling already
    part = min(1.0, CURVED / orders.series)

    def full(some: Array) -> Array:
        every = prices.copy()
        every[given] = some
        return every

    def bent(some: Array, scale: Array) -> Array:
        every = np.zeros(room.size)
        every[given] = scale
        return orders.curvature(full(some), every, part)[np.ix_(given, given)] / (CURVATURE * part)

    near = newton_prices(
        lambda some: (orders.use(full(some))[given] / ROOM).astype(np.float64),
        bent, amounts[given], ceilings[given], prices[given],
    )  # fmt: skip
    return _search(orders, groups, room, ceilings, full(near), 1.0, LAST_SWEEPS), AROUND


def _searched(orders: Responder, groups: Sequence[Ints], room: Ints, ceilings: Array) -> Array:
    """Search limit by limit, first on a sample by hash: most of the search costs little there."""
    share, guess = 1.0, None
    while orders.series * share > SAMPLE:
        share /= 4
    while share < 1.0:
        guess = _search(orders, groups, room, ceilings, guess, share, SWEEPS)
        share *= 4
    return _search(orders, groups, room, ceilings, guess, 1.0, SWEEPS)


def _search(
    orders: Responder,
    groups: Sequence[Ints],
    room: Ints,
    ceilings: Array,
    guess: Array | None,
    share: float,
    sweeps: int,
) -> Array:
    part = [int(r * share) for r in room]
    return shadow_prices(
        lambda which, prices: orders.use_of(which, prices, share), groups, part, ceilings, guess, sweeps=sweeps
    )
