"""The states of an inventory with lost sales and a lead time, and the long-run average cost of what one does in them.

At the start of a period, after the day's delivery, the state is (x_0; x_1 … x_{L-1}): x_0 on hand, x_i arriving i
periods later. Then z is ordered, to arrive L periods later, then demand comes; what it cannot get is lost.

The states that count are few (Zipkin 2008, Old and new methods for lost-sales inventory systems): with ``bounds`` b_0
… b_L the tail sums x_l + … + x_{L-1} + z stay at or below b_l. The units under way are a number p in base b_L + 1, x_1
its lowest digit; `first[p]` is where the states of p start, x_0 rising, or -1 where there are none.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fullshelf.kernels.compile import core, loop
from fullshelf.kernels.policies import wanted

__all__ = [
    "States",
    "average_cost",
    "enumerate_states",
    "order_by_position",
    "order_by_tails",
    "order_cheapest",
    "order_myopic",
    "stock_on_arrival",
]

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

_DAMPING = 0.9  # of value iteration, for a policy may be periodic (Schweitzer 1971)


class States(NamedTuple):
    """The states inside the bounds."""

    bounds: Integers  # (L + 1,) units
    first: Integers  # (P,) by p
    most: Integers  # (P,) largest x_0
    room: Integers  # (P,) largest order that keeps the tail sums from x_1 on within their bounds
    total: int  # how many


@loop
def enumerate_states(bounds: Integers, limit: int) -> tuple[Integers, Integers, Integers, int]:
    """Return `first`, `most`, `room` and `total` of `States`; a total of -1 where more than `limit`."""
    L = bounds.size - 1
    base = bounds[L] + 1
    codes = 1
    for _ in range(L - 1):
        codes *= base
        if codes > limit:
            return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.int64), -1
    first = np.full(codes, -1)
    most = np.zeros(codes, np.int64)
    room = np.zeros(codes, np.int64)
    digits = np.zeros(L, np.int64)
    count = 0
    for p in range(codes):
        rest = p
        for i in range(1, L):
            digits[i] = rest % base
            rest //= base
        tail = 0
        inside = True
        z = bounds[L]
        for i in range(L - 1, 0, -1):
            tail += digits[i]
            inside = inside and tail <= bounds[i + 1]
            z = min(z, bounds[i] - tail)
        if inside and tail <= bounds[0]:
            first[p] = count
            most[p] = bounds[0] - tail
            room[p] = z
            count += most[p] + 1
            if count > limit:
                return first, most, room, -1
    return first, most, room, count


@core
def _after(p: int, z: int, base: int, codes: int) -> tuple[int, int]:
    """Return (units that arrive next, the next p) when z is ordered."""
    code = p + z * codes
    return code % base, code // base


@loop
def order_cheapest(
    states: States, table: Array, beyond: Array, cost: Array, order_cost: float, tolerance: float, sweeps: int
) -> tuple[float, float, Integers]:
    """Return a lower and an upper bound of the least average cost, and the orders, by relative value iteration.

    `table` (K,) holds P(D = d), `beyond` (b_0 + 1,) P(D >= x), `cost` (b_0 + 1,) the expected cost of a period that
    starts with x on hand. Odoni's bounds: the least and the greatest change of value in a sweep enclose the average.
    """
    first, most, room = states.first, states.most, states.room
    base = states.bounds[-1] + 1
    codes = first.size
    value = np.zeros(states.total)
    fresh = np.zeros(states.total)
    orders = np.zeros(states.total, np.int64)
    expected = np.empty(states.bounds[0] + 1)
    low, high = -np.inf, np.inf
    for _ in range(sweeps):
        for p in range(codes):
            if first[p] < 0:
                continue
            here = first[p]
            for z in range(room[p] + 1):
                X = most[p] - z
                if X < 0:
                    break
                coming, then = _after(p, z, base, codes)
                there = first[then] + coming
                fixed = order_cost if z > 0 else 0.0
                for x in range(X + 1):
                    expected[x] = fixed + beyond[x] * value[there]
                for d in range(min(X, table.size)):  # demand outside, stock inside: the inner loop vectorises
                    probability = table[d]
                    for x in range(d + 1, X + 1):
                        expected[x] += probability * value[there + x - d]
                better = z == 0
                for x in range(X + 1):
                    if z == 0 or expected[x] < fresh[here + x]:
                        fresh[here + x] = expected[x]
                        orders[here + x] = z
                        better = True
                if not better and order_cost == 0.0:
                    break  # the value is convex in z (Zipkin 2008, On the structure of lost-sales inventory models)
            for x in range(most[p] + 1):
                fresh[here + x] += cost[x]
        low, high = np.inf, -np.inf
        for i in range(states.total):
            change = fresh[i] - value[i]
            low = min(low, change)
            high = max(high, change)
        anchor = value[0] + _DAMPING * (fresh[0] - value[0])
        for i in range(states.total):
            value[i] += _DAMPING * (fresh[i] - value[i]) - anchor
        if high - low <= tolerance * abs(high):
            break
    return low, high, orders


@loop
def average_cost(
    states: States,
    table: Array,
    beyond: Array,
    cost: Array,
    order_cost: float,
    orders: Integers,
    tolerance: float,
    sweeps: int,
) -> tuple[float, float]:
    """Return a lower and an upper bound of the average cost of the orders (total,), as `order_cheapest` does."""
    first, most = states.first, states.most
    base = states.bounds[-1] + 1
    codes = first.size
    value = np.zeros(states.total)
    fresh = np.zeros(states.total)
    low, high = -np.inf, np.inf
    for _ in range(sweeps):
        low, high = np.inf, -np.inf
        for p in range(codes):
            if first[p] < 0:
                continue
            for x in range(most[p] + 1):
                i = first[p] + x
                coming, then = _after(p, orders[i], base, codes)
                there = first[then] + coming
                total = cost[x] + beyond[x] * value[there]
                if orders[i] > 0:
                    total += order_cost
                for d in range(min(x, table.size)):
                    total += table[d] * value[there + x - d]
                fresh[i] = total
                change = total - value[i]
                low = min(low, change)
                high = max(high, change)
        anchor = value[0] + _DAMPING * (fresh[0] - value[0])
        for i in range(states.total):
            value[i] += _DAMPING * (fresh[i] - value[i]) - anchor
        if high - low <= tolerance * abs(high):
            break
    return low, high


@loop
def order_by_position(states: States, reorder_point: float, up_to: float, quantity: float, most: float) -> Integers:
    """Return the orders (total,) of a policy that sees the inventory position alone, as in `policies.wanted`."""
    orders = np.zeros(states.total, np.int64)
    for p in range(states.first.size):
        if states.first[p] < 0:
            continue
        under_way = states.bounds[0] - states.most[p]
        for x in range(states.most[p] + 1):
            order = wanted(float(under_way + x), reorder_point, up_to, quantity, most)
            orders[states.first[p] + x] = int(order)
    return orders


@loop
def order_by_tails(states: States) -> Integers:
    """Return the orders (total,) that fill the tail sums up to the bounds: the vector base-stock policy."""
    orders = np.zeros(states.total, np.int64)
    for p in range(states.first.size):
        if states.first[p] < 0:
            continue
        for x in range(states.most[p] + 1):
            orders[states.first[p] + x] = min(states.room[p], states.most[p] - x)
    return orders


@core
def stock_on_arrival(x: int, p: int, L: int, base: int, table: Array, stock: Array, spare: Array) -> int:
    """Write P(w units on hand when today's order arrives), that order left out, and return the largest w.

    `stock` and `spare` have room for all units of the state.
    """
    stock[: x + 1] = 0.0
    stock[x] = 1.0
    top = x
    for i in range(1, L + 1):
        spare[: top + 1] = 0.0
        for w in range(top + 1):
            probability = stock[w]
            if probability == 0.0:
                continue
            left = 1.0
            for d in range(min(w, table.size)):
                spare[w - d] += probability * table[d]
                left -= table[d]
            spare[0] += probability * max(left, 0.0)
        come = p % base if i < L else 0
        p //= base
        stock[:come] = 0.0
        for w in range(top + 1):
            stock[come + w] = spare[w]
        top += come
    return top


@loop
def order_myopic(states: States, table: Array, beyond: Array, cost: Array, periods: int) -> Integers:
    """Return the orders (total,) that are cheapest for the period in which they arrive (1) or for it and the next (2).

    Zipkin (2008), Old and new methods: myopic and myopic2. The second assumes that the next order is myopic.
    """
    first, most, room = states.first, states.most, states.room
    L = states.bounds.size - 1
    base = states.bounds[L] + 1
    codes = first.size
    orders = np.zeros(states.total, np.int64)
    least = np.zeros(states.total)
    stock = np.empty(states.bounds[0] + 1)
    spare = np.empty(states.bounds[0] + 1)
    for look in range(periods):
        following = least.copy()
        for p in range(codes):
            if first[p] < 0:
                continue
            for x in range(most[p] + 1):
                top = stock_on_arrival(x, p, L, base, table, stock, spare)
                best = np.inf
                for z in range(min(room[p], most[p] - x) + 1):
                    total = 0.0
                    for w in range(top + 1):
                        total += stock[w] * cost[w + z]
                    if look > 0:
                        coming, then = _after(p, z, base, codes)
                        there = first[then] + coming
                        total += beyond[x] * following[there]
                        for d in range(min(x, table.size)):
                            total += table[d] * following[there + x - d]
                    if total >= best:
                        break  # convex in z
                    best = total
                    orders[first[p] + x] = z
                least[first[p] + x] = best
    return orders
