"""One SKU's shelf, period by period: the event order of `fullshelf.kernels.simulation`, compiled.

A shelf is an array by remaining life: entry j holds the units that can be sold in j + 1 more periods, the last entry
those that keep for ever.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fullshelf.kernels.compile import core, loop
from fullshelf.kernels.policies import least_order, wanted, whole_lots

__all__ = ["age", "estimated_waste", "issue", "live_through"]

Array = NDArray[np.float64]


@core
def issue(shelf: Array, life: int, need: float, lifo: bool) -> float:
    """Take up to `need` units from the first `life` entries, oldest first (newest if `lifo`); return the rest."""
    for i in range(life):
        j = life - 1 - i if lifo else i
        taken = min(shelf[j], need)
        shelf[j] -= taken
        need -= taken
        if need <= 0.0:
            break
    return need


@core
def age(shelf: Array, life: int) -> float:
    """Throw away what is at its end and return how much; all else gets one period older."""
    wasted = shelf[0]
    for j in range(life - 1):
        shelf[j] = shelf[j + 1]
    shelf[life - 1] = 0.0
    return float(wasted)


@core
def estimated_waste(shelf: Array, life: int, arrivals: Array, periods: int, demand: float, lifo: bool) -> float:
    """Return the units thrown away in the next periods if demand is at its expectation; `shelf` is used up.

    `arrivals[i]` comes at the start of the i-th of them. An estimate: it counts no order that is not yet placed.
    """
    total = 0.0
    for i in range(periods):
        if i < arrivals.size:
            shelf[life - 1] += arrivals[i]
        issue(shelf, life, demand, lifo)
        total += age(shelf, life)
    return total


@loop
def live_through(
    demand: NDArray[Any],
    policies: NDArray[Any],
    levels: Array,
    supplies: NDArray[Any],
    shelves: Array,
    coming: Array,
    sums: Array,
    trace: Array,
    backorder: bool,
    lifo: bool,
    score_from: int,
    score_to: int,
) -> None:
    """Run S SKUs; writes `sums` and, where it has columns, `trace` (S, 5, T). `shelves` (S, M + 1) are used up.

    The columns of `sums` are the fields of `Simulation` in their order, up to `end_backorders`; those of `trace` the
    fields of `Trace`.
    """
    S, T = demand.shape
    traced = trace.shape[2] > 0
    placed = np.empty(T)
    soon = np.empty(T)
    spare = np.empty(shelves.shape[1])
    for s in range(S):
        supply, policy, shelf = supplies[s], policies[s], shelves[s]
        life = supply.shelf_life
        keeps = life == 0
        top = shelf.size - 1 if keeps else life - 1
        # Locals, not fields or entries: what may alias an array that is written is read again in every period.
        lead, review, pack_size = supply.lead_time, supply.review_period, supply.pack_size
        least = least_order(pack_size, supply.moq)
        given, quantity, most, expected = policy.given, policy.order_quantity, policy.most, policy.expected_demand
        changes = levels.shape[2] > 1
        point, target = levels[s, 0, 0], levels[s, -1, 0]
        owed = supply.backorders
        on_order = 0.0
        for a in range(coming.shape[1]):
            on_order += coming[s, a]
        total = sums[s]
        demanded = sold = missed = thrown_away = arrived = orders = stock_outs = held = 0.0
        until_review = 0
        broken = False
        for t in range(T):  # t periods have passed; the period lived below is p = t + 1
            units = float(demand[s, t])
            if not 0.0 <= units < np.inf:
                broken = True
                break
            order = 0.0
            if changes:
                point, target = levels[s, 0, t], levels[s, -1, t]
            if given:
                order = point
            elif until_review == 0:
                until_review = review
                position = on_order - owed + shelf[shelf.size - 1]
                for j in range(life if life < shelf.size else shelf.size - 1):
                    position += shelf[j]
                if expected > 0.0 and not keeps:
                    n = min(lead + review - 1, T)
                    for i in range(n):
                        soon[i] = coming[s, t + i] if t + i < coming.shape[1] else 0.0
                        if 0 <= t + i - lead < t:
                            soon[i] += placed[t + i - lead]
                    for j in range(life):  # a copied slice would compile its error message, for seconds
                        spare[j] = shelf[j]
                    position -= estimated_waste(spare, life, soon[:n], n, expected, lifo)
                order = wanted(position, point, target, quantity, most)
                if order > 0.0:
                    order = whole_lots(order, pack_size, least)
            until_review -= 1
            placed[t] = order
            on_order += order

            come = placed[t - lead] if t >= lead else 0.0
            delivery = come + coming[s, t] if t < coming.shape[1] else come
            shelf[top] += delivery
            on_order -= delivery
            need = units + owed
            if keeps:
                taken = min(shelf[top], need)
                stock = shelf[top] - taken
                shelf[top] = stock
                need -= taken
                thrown = 0.0
            else:
                need = issue(shelf, life, need, lifo)
                thrown = age(shelf, life)
                stock = 0.0
                for j in range(life):
                    stock += shelf[j]
            served = max(units - need, 0.0)
            owed = need if backorder else 0.0
            if traced:
                trace[s, 0, t] = order
                trace[s, 1, t] = stock
                trace[s, 2, t] = served
                trace[s, 3, t] = need
                trace[s, 4, t] = thrown
            if score_from <= t + 1 <= score_to:
                demanded += units
                sold += served
                missed += need
                thrown_away += thrown
                arrived += delivery
                orders += come > 0.0
                stock_outs += need > 0.0
                held += stock
        if broken:
            for j in range(total.size):
                total[j] = np.nan
            for row in range(trace.shape[1]):
                for t in range(trace.shape[2]):
                    trace[s, row, t] = np.nan
            continue
        total[0] = demanded
        total[1] = sold
        total[2] = missed
        total[3] = thrown_away
        total[4] = arrived
        total[5] = orders
        total[6] = stock_outs
        total[7] = supply.holding_cost * held
        total[8] = supply.shortage_cost * missed
        total[9] = supply.order_cost * orders
        total[10] = supply.waste_cost * thrown_away
        total[11] = held / (score_to - score_from + 1)
        total[12] = 0.0
        for j in range(shelf.size):
            total[12] += shelf[j]
        total[13] = on_order
        total[14] = owed
