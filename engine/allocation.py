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

from fullshelf.engine.limits import Limit
from fullshelf.engine.shard_orders import Responder
from fullshelf.kernels.allocation import CLOSE, PARTS, ROOM, shadow_prices

Array = NDArray[np.float64]

SAMPLE = 20_000  # series on which the search for prices begins
OFFERS = 64  # in one round of step 3
ROUNDS = 20  # of step 3


@dataclass(frozen=True, slots=True)
class Allocation:
    """What became of J limits."""

    limits: tuple[Limit, ...]
    price: Array  # (J,) currency saved per further unit of the resource; 0: the limit does not bind
    wanted: Array  # (J,) use without limits, in units of the resource
    used: Array  # (J,) use of the orders, never above the amount


def allocate(orders: Responder, limits: Sequence[Limit]) -> Allocation:
    """Share out the limits; afterwards every shard's quantities are final."""
    room = np.array([ROOM if limit.amount > 0 else 0 for limit in limits], dtype=np.int64)
    scale = np.array([limit.amount / PARTS if limit.amount > 0 else 1 / PARTS for limit in limits])
    nothing = np.zeros(len(limits))
    wanted = orders.use(nothing)
    high = nothing if (wanted <= room).all() else _prices(orders, room)
    orders.settle(high * (1 - 2 * CLOSE), high)
    if not high.any():
        return Allocation(tuple(limits), high, *[(wanted * scale).astype(np.float64)] * 2)
    begin, end = 0.0, 1.0
    for _ in range(8):
        shares = np.linspace(begin, end, 9)
        fits = (orders.mixed_use(shares) <= room).all(axis=1)
        last = int(np.flatnonzero(fits).max())
        if last == shares.size - 1:
            begin = end
            break
        begin, end = float(shares[last]), float(shares[last + 1])
    orders.fix(begin)
    used = orders.mixed_use(np.array([begin]))[0].astype(np.int64)
    for _ in range(ROUNDS):
        offers = orders.offers(room - used, OFFERS)
        taken = []
        for n, use in enumerate(offers.use):
            if (used + use <= room).all():
                used = used + use
                taken.append(n)
        if not taken:
            break
        orders.accept(offers.place[taken])
    return Allocation(tuple(limits), high, (wanted * scale).astype(np.float64), used * scale)


def _prices(orders: Responder, room: NDArray[np.int64]) -> Array:
    """Find the shadow prices, first on a sample by hash: most of the search costs little there."""
    ceilings, guess, share = orders.ceilings(), None, 1.0
    while orders.series * share > SAMPLE:
        share /= 4
    while True:
        part = np.array([int(r * share) for r in room], dtype=np.int64)
        guess = shadow_prices(lambda j, prices: orders.use_of(j, prices, share), part, ceilings, guess)  # noqa: B023
        if share == 1.0:
            return guess
        share *= 4
