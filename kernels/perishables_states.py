"""The states of a shelf of perishable goods, the cheapest order in each, and what a policy comes to.

At the start of a period the day's delivery is on the shelf, then a is ordered, then demand is served, then what is at
its end is thrown away and all else gets a period older; the order arrives L >= 1 periods after it was placed, fresh.

A state is the shelf, by remaining life, and the orders under way. Both are numbers in base B = largest order + 1: of
the shelf the freshest units are the lowest digit, of the orders the newest. State = shelf · B^(L-1) + orders, so that
the values after the orders 0 … B - 1 lie side by side.
"""

import numpy as np
from numpy.typing import NDArray

from fullshelf.kernels.compile import core, loop
from fullshelf.kernels.shop import estimated_waste, issue

__all__ = ["order_cheapest", "order_up_to", "policy_costs", "shelf_outcomes"]

Array = NDArray[np.float64]

_DAMPING = 0.9


@loop
def shelf_outcomes(
    table: Array, life: int, base: int, lifo: bool, holding_cost: float, shortage_cost: float, waste_cost: float
) -> tuple[NDArray[np.int32], Array]:
    """Return the shelf after each demand (B^m, K), the next delivery left out, and each shelf's expected cost (B^m,).

    Demands of the shelf's total and more lead to the empty shelf 0.
    """
    shelves = base**life
    K = table.size
    then = np.zeros((shelves, K), np.int32)
    cost = np.zeros(shelves)
    shelf = np.zeros(life)
    for g in range(shelves):
        rest = g
        total = 0.0
        for i in range(life):
            shelf[life - 1 - i] = rest % base
            total += shelf[life - 1 - i]
            rest //= base
        for d in range(K):
            short = 0.0 if d == 0 else issue(shelf, life, 1.0, lifo)  # one unit more than for the demand before
            if short > 0.0:
                cost[g] += table[d] * shortage_cost * (d - total)
                continue
            code = 0
            left = 0.0
            for j in range(1, life):
                code = code * base + int(shelf[j])  # the oldest that stay are the highest digit
                left += shelf[j]
            then[g, d] = code * base
            cost[g] += table[d] * (holding_cost * left + waste_cost * shelf[0])
    return then, cost


@core
def _next_base(shelf: int, orders: int, base: int, ways: int) -> int:
    """Return the state that follows an order of 0, from the shelf after demand and the orders under way."""
    if ways == 1:
        return shelf
    share = ways // base
    return (shelf + orders // share) * ways + (orders % share) * base


@loop
def order_cheapest(
    table: Array,
    then: NDArray[np.int32],
    cost: Array,
    base: int,
    ways: int,
    unit_cost: float,
    discount: float,
    precision: float,
    sweeps: int,
) -> tuple[float, float, Array, NDArray[np.int16]]:
    """Return the least and greatest change of value in the last sweep, the values and the orders, by value iteration.

    `ways` = B^(L-1) are the combinations of orders under way. It ends when the two changes are at most `precision`
    apart, in currency per period. With a discount of 1 they enclose the average cost and values are relative; below 1
    the values are raised by what all later sweeps would add (MacQueen 1966).
    """
    shelves, K = then.shape
    total = shelves * ways
    value = np.zeros(total)
    fresh = np.zeros(total)
    orders = np.zeros(total, np.int16)
    expected = np.empty(base)
    low, high = -np.inf, np.inf
    for _ in range(sweeps):
        low, high = np.inf, -np.inf
        for g in range(shelves):
            known = 0  # demands that leave something
            while known < K and (known == 0 or then[g, known] > 0):
                known += 1
            emptied = 1.0
            for d in range(known):
                emptied -= table[d]
            for way in range(ways):
                for a in range(base):
                    expected[a] = unit_cost * a
                for d in range(known):
                    weight = discount * table[d]
                    there = _next_base(then[g, d], way, base, ways)
                    for a in range(base):
                        expected[a] += weight * value[there + a]
                if known < K:
                    weight = discount * max(emptied, 0.0)
                    there = _next_base(0, way, base, ways)
                    for a in range(base):
                        expected[a] += weight * value[there + a]
                best = 0
                for a in range(1, base):
                    if expected[a] < expected[best]:
                        best = a
                i = g * ways + way
                fresh[i] = cost[g] + expected[best]
                orders[i] = best
                change = fresh[i] - value[i]
                low = min(low, change)
                high = max(high, change)
        if discount < 1.0:
            jump = 0.5 * (low + high) * discount / (1.0 - discount)
            for i in range(total):
                value[i] = fresh[i] + jump
        else:  # damped, for a policy may be periodic (Schweitzer 1971); relative to the first state
            anchor = value[0] + _DAMPING * (fresh[0] - value[0])
            for i in range(total):
                value[i] += _DAMPING * (fresh[i] - value[i]) - anchor
        if high - low <= precision:
            break
    return low, high, value, orders


@loop
def order_up_to(
    life: int, base: int, lead_time: int, level: float, expected_demand: float, lifo: bool
) -> NDArray[np.int16]:
    """Return the orders of a base-stock level, to the nearest unit.

    With `expected_demand` > 0 the units that it will leave to be thrown away do not count.
    """
    ways = base ** (lead_time - 1)
    shelves = base**life
    orders = np.zeros(shelves * ways, np.int16)
    shelf = np.zeros(life)
    under_way = np.zeros(lead_time)
    for g in range(shelves):
        for way in range(ways):
            rest = g
            position = 0.0
            for i in range(life):
                shelf[life - 1 - i] = rest % base
                position += rest % base
                rest //= base
            rest = way
            for i in range(lead_time - 1, 0, -1):
                under_way[i] = rest % base
                position += rest % base
                rest //= base
            if expected_demand > 0.0:
                position -= estimated_waste(shelf, life, under_way, lead_time, expected_demand, lifo)
            orders[g * ways + way] = int(min(max(np.floor(level - position + 0.5), 0.0), base - 1.0))
    return orders


@loop
def policy_costs(
    table: Array,
    then: NDArray[np.int32],
    cost: Array,
    base: int,
    ways: int,
    unit_cost: float,
    orders: NDArray[np.int16],
    periods: int,
    tolerance: float,
    stay: float,
) -> tuple[Array, int]:
    """Return the expected cost of each period (periods,) from an empty shelf, and after how many it stays the same.

    The distribution over states is carried forward; once it changes by at most `tolerance` in sum, all later periods
    cost the same. With `stay` > 0 nothing happens in that share of the periods: the long run is the same, and is
    reached by policies with a period as well.
    """
    shelves, K = then.shape
    total = shelves * ways
    share = np.zeros(total)
    fresh = np.zeros(total)
    reached = np.zeros(total, np.bool_)
    active = np.empty(total, np.int64)
    following = np.empty(total, np.int64)
    share[0] = 1.0
    active[0] = 0
    count = 1
    costs = np.empty(periods)
    for t in range(periods):
        costs[t] = 0.0
        coming = 0
        for k in range(count):
            i = active[k]
            g = i // ways
            way = i % ways
            a = orders[i]
            costs[t] += share[i] * (cost[g] + unit_cost * a)
            emptied = share[i] * (1.0 - stay)
            if stay > 0.0:
                fresh[i] += share[i] * stay
                if not reached[i]:
                    reached[i] = True
                    following[coming] = i
                    coming += 1
            for d in range(K):
                if d > 0 and then[g, d] == 0:
                    break
                mass = share[i] * (1.0 - stay) * table[d]
                emptied -= mass
                j = _next_base(then[g, d], way, base, ways) + a
                fresh[j] += mass
                if not reached[j]:
                    reached[j] = True
                    following[coming] = j
                    coming += 1
            j = _next_base(0, way, base, ways) + a
            fresh[j] += max(emptied, 0.0)
            if not reached[j]:
                reached[j] = True
                following[coming] = j
                coming += 1
        moved = 0.0
        for k in range(count):
            i = active[k]
            moved += abs(fresh[i] - share[i])
            share[i] = 0.0
        count = 0
        for k in range(coming):
            j = following[k]
            if not reached[j]:
                continue
            reached[j] = False
            mass = fresh[j]
            fresh[j] = 0.0
            if mass > 1e-18:
                share[j] = mass
                active[count] = j
                count += 1
        if moved <= tolerance:
            costs[t + 1 :] = costs[t]
            return costs, t + 1
    return costs, periods
