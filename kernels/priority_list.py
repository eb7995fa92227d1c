"""The priority list: unit after unit in the order of what each is worth for its cost, down to where a budget ends."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fullshelf.kernels.blocks import FloatArray, floats
from fullshelf.kernels.compile import core, loop
from fullshelf.kernels.distributions import Demand
from fullshelf.kernels.empirical_demand import EmpiricalDemand
from fullshelf.kernels.empirical_rows import NAMED, empirical_losses
from fullshelf.kernels.families import losses
from fullshelf.kernels.threads import writeable

__all__ = ["PriorityList", "priority_list", "sink"]

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class PriorityList:
    """What to buy, most urgent first, of N SKUs: a list of M purchases.

    Attributes
    ----------
    units
        (N,) units bought of each SKU.
    sku
        (M,) index of the SKU of each purchase.
    score
        (M,) expected gain of the purchase for each unit of currency that it costs, falling except where a dearer
        purchase no longer fitted the budget.
    spend
        Currency.
    gain
        Expected gain of all purchases, currency.
    """

    units: FloatArray
    sku: Ints
    score: FloatArray
    spend: float
    gain: float


@core
def before(score: FloatArray, heap: Ints, i: int, j: int) -> bool:
    """Say whether place i of the heap goes first: the higher score, of equal ones the lower SKU index."""
    left, right = score[heap[i]], score[heap[j]]
    return bool(left > right or (left == right and heap[i] < heap[j]))


@core
def sink(score: FloatArray, heap: Ints, size: int, at: int) -> None:
    """Let the SKU at a place of the heap sink to where it belongs.

    >>> score, heap = np.array([1.0, 5.0, 3.0]), np.array([0, 1, 2])
    >>> sink(score, heap, 3, 0)
    >>> heap.tolist()
    [1, 0, 2]
    """
    while True:
        child = 2 * at + 1
        if child >= size:
            return
        if child + 1 < size and before(score, heap, child + 1, child):
            child += 1
        if not before(score, heap, child, at):
            return
        heap[at], heap[child] = heap[child], heap[at]
        at = child


@core
def gain_of_pack(
    family: int, a: float, b: float, kind: int, levels: FloatArray, row: FloatArray, weight: FloatArray,
    under: float, over: float, stock: float, pack: float,
) -> float:  # fmt: skip
    """Return what a pack more saves in underage and overage cost."""
    if kind == NAMED:
        now = losses(family, a, b, stock)
        then = losses(family, a, b, stock + pack)
    else:
        now = empirical_losses(kind, levels, row, weight, stock)
        then = empirical_losses(kind, levels, row, weight, stock + pack)
    return under * (now[0] - then[0]) - over * (then[1] - now[1])


@loop
def _buy(
    family: int,
    a: FloatArray,
    b: FloatArray,
    kind: int,
    levels: FloatArray,
    values: FloatArray,
    weights: FloatArray,
    under: FloatArray,
    over: FloatArray,
    cost: FloatArray,
    pack: FloatArray,
    stock: FloatArray,
    budget: float,
    units: FloatArray,
) -> tuple[Ints, FloatArray, float, float]:
    n = a.size
    score = np.empty(n)
    heap = np.empty(n, dtype=np.int64)
    size = 0
    for i in range(n):
        units[i] = 0.0
        at_row = i if kind != NAMED else 0
        gain = gain_of_pack(
            family, a[i], b[i], kind, levels, values[at_row], weights[at_row], under[i], over[i], stock[i], pack[i]
        )
        score[i] = gain / (cost[i] * pack[i])
        if gain > 0.0:
            heap[size] = i
            size += 1
    for at in range(size // 2 - 1, -1, -1):
        sink(score, heap, size, at)
    bought = np.empty(1024, dtype=np.int64)
    scores = np.empty(1024)
    m = 0
    spend = 0.0
    total = 0.0
    while size > 0:
        i = heap[0]
        price = cost[i] * pack[i]
        gone = spend + price > budget  # what does not fit now never will
        if not gone:
            spend += price
            total += score[i] * price
            units[i] += pack[i]
            if m == bought.size:
                longer = np.empty(2 * m, dtype=np.int64)
                wider = np.empty(2 * m)
                for j in range(m):  # a slice assignment would take seconds to compile
                    longer[j] = bought[j]
                    wider[j] = scores[j]
                bought = longer
                scores = wider
            bought[m] = i
            scores[m] = score[i]
            m += 1
            at_row = i if kind != NAMED else 0
            gain = gain_of_pack(
                family, a[i], b[i], kind, levels, values[at_row], weights[at_row], under[i], over[i],
                stock[i] + units[i], pack[i],
            )  # fmt: skip
            score[i] = gain / price
            gone = not gain > 0.0
        if gone:
            size -= 1
            heap[0] = heap[size]
        sink(score, heap, size, 0)
    return bought[:m], scores[:m], spend, total


def priority_list(
    demand: Demand | EmpiricalDemand,
    underage_cost: ArrayLike,
    overage_cost: ArrayLike,
    unit_cost: ArrayLike,
    budget: float,
    *,
    pack_size: ArrayLike = 1.0,
    inventory_position: ArrayLike = 0.0,
) -> PriorityList:
    """Buy the pack with the highest expected gain per currency, again and again, until nothing fits or pays any more.

    The k-th unit of a SKU gains underage x P(X >= k) - overage x P(X < k); a purchase that no longer fits the budget is
    skipped and cheaper ones go on (Lokad calls it prioritised ordering; the greedy rule for a concave knapsack). With
    no budget (inf) it is the newsvendor's answer, unit by unit.

    Parameters
    ----------
    demand
        Of N SKUs in the time that the purchase must cover.
    underage_cost
        (N,) or scalar: the margin that a unit short would have brought, currency per unit.
    overage_cost
        (N,) or scalar: what carrying a unit left over costs, currency per unit; above 0 where the budget is inf.
    unit_cost
        (N,) or scalar, above 0: what a unit costs of the budget.
    budget
        Currency, not below 0.
    pack_size
        Units bought at once, above 0.
    inventory_position
        Units that are there already.

    Raises
    ------
    ValueError
        If a cost, pack or the budget is out of its range or demand makes no sense: the list ranks all SKUs together, so
        none can be left out in silence.

    Examples
    --------
    >>> bought = priority_list(Demand.poisson([2, 5, 1, 8]), [5, 2, 14, 3], [0.6, 0.2, 2, 0.4], [3, 1, 10, 2], 30)
    >>> bought.units.tolist(), bought.spend, bought.sku[:6].tolist()
    ([2.0, 6.0, 0.0, 9.0], 30.0, [1, 1, 1, 3, 3, 3])
    >>> seen = EmpiricalDemand.samples([[0, 0, 3, 5], [1, 2, 2, 4]])
    >>> priority_list(seen, [5, 4], [0.6, 0.4], [3, 2], budget=10).units.tolist()
    [2.0, 2.0]
    """
    single = [floats(value) for value in (underage_cost, overage_cost, unit_cost, pack_size, inventory_position)]
    own = [np.empty(demand.shape)] if isinstance(demand, EmpiricalDemand) else [demand.a, demand.b]
    shape = np.broadcast_shapes(*(value.shape for value in own), *(value.shape for value in single))
    shape = shape if shape else (1,)
    if len(shape) != 1:
        raise ValueError(f"a priority list ranks one row of SKUs, but the arguments broadcast to {shape}")
    under, over, cost, pack, stock = (np.array(np.broadcast_to(value, shape), dtype=np.float64) for value in single)
    proper = (
        (under >= 0.0) & (over >= 0.0) & (cost > 0.0) & (pack > 0.0) & np.isfinite(under + over + cost + pack + stock)
    )
    proper &= np.isfinite(np.broadcast_to(demand.mean, shape)) & ((over > 0.0) | (budget < math.inf))
    if not proper.all():
        raise ValueError(
            f"{int((~proper).sum())} of {proper.size} SKUs cannot be ranked, the first at index "
            f"{int(np.argmin(proper))}: costs must not be negative, unit costs and packs above 0, demand parameters "
            f"valid, and an overage cost of 0 needs a budget"
        )
    if not budget >= 0.0:
        raise ValueError(f"the budget must not be below 0, got {budget}")
    units = np.empty(shape)
    given = (under, over, cost, pack, stock, float(budget), units)
    if isinstance(demand, EmpiricalDemand):
        values, weights = (
            writeable(np.broadcast_to(part, (*shape, part.shape[-1]))) for part in (demand.values, demand.weights)
        )
        none = np.empty(shape)
        return PriorityList(units, *_buy(0, none, none, demand.kind, demand.levels, values, weights, *given))
    a, b = (np.array(np.broadcast_to(value, shape), dtype=np.float64) for value in (demand.a, demand.b))
    empty = np.empty((1, 0))
    return PriorityList(units, *_buy(demand.family, a, b, NAMED, np.empty(0), empty, empty, *given))
