"""Perishable goods for the million: base-stock levels, with and without counting what will be thrown away.

The optimal order depends on the units of each age (`fullshelf.kernels.perishables_exact`); a base-stock level sees
their sum. Leaving out the units that will not be sold in time (EWA of Broekmeulen and van Donselaar 2009) wins back
part of the difference. Lost sales, one order each period, the demand of L periods between an order and its arrival.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fullshelf.kernels.compile import core, loop
from fullshelf.kernels.distributions import Demand
from fullshelf.kernels.sample_path import common_shape, fill_path, flattened, path_order, tables_by_chunk
from fullshelf.kernels.shop import age, estimated_waste, issue
from fullshelf.kernels.threads import in_threads

__all__ = ["PerishableLevels", "perishable_levels"]

Array = NDArray[np.float64]

_WARM_UP = 64


@dataclass(frozen=True, slots=True)
class PerishableLevels:
    """A base-stock level for each SKU; `fullshelf.kernels.policies.waste_aware` or `order_up_to` runs it."""

    order_up_to: Array  # (S,) or scalar, units of inventory position, with `waste_aware` less what will be thrown away
    cost: Array  # (S,) or scalar, currency per period: estimate on the sample path
    waste: Array  # (S,) or scalar, units thrown away per period, on the same path


def perishable_levels(
    demand: Demand,
    holding_cost: ArrayLike,
    shortage_cost: ArrayLike,
    waste_cost: ArrayLike,
    lead_time: ArrayLike,
    shelf_life: ArrayLike,
    *,
    waste_aware: bool = True,
    issuing: Literal["fifo", "lifo"] = "fifo",
    periods: int = 1024,
    parallel: bool = False,
) -> PerishableLevels:
    """Return the base-stock level that is cheapest on a sample path of demand.

    Parameters
    ----------
    demand
        Demand of a period for each SKU.
    holding_cost, shortage_cost, waste_cost
        Currency per unit left at the end of a period, per unit lost, per unit thrown away.
    lead_time
        L, whole periods of demand between order and arrival.
    shelf_life
        m, whole periods in which a unit can be sold.
    waste_aware
        The level is compared with the position less the units that will be thrown away before the order arrives.
    issuing
        Whether customers get the oldest or the newest units.
    periods
        Length of the path, see `fullshelf.kernels.sample_path`; the work grows with it.
    parallel
        Use all of numba's threads instead of one.

    Returns
    -------
    PerishableLevels
        NaN where the shortage cost is not above 0, another cost is below 0, or a time is no whole number in its range.

    Raises
    ------
    ValueError
        If shapes do not broadcast, a SKU has no demand distribution, or there are fewer than 16 periods.

    Examples
    --------
    Hendrix et al. (2019): price 1, cost 0.5, so that a lost unit costs 0.5 and a wasted one 0.5; the exact level is 13.

    >>> float(perishable_levels(Demand.poisson(5.0), 0, 0.5, 0.5, lead_time=1, shelf_life=2).order_up_to)
    13.0
    """
    if issuing not in ("fifo", "lifo"):
        raise ValueError(f'issuing is "fifo" or "lifo", got {issuing!r}')
    given = (holding_cost, shortage_cost, waste_cost, lead_time, shelf_life)
    shape = common_shape(demand.mean, *given)
    flat = [flattened(value, shape) for value in given]
    shuffled = path_order(periods)
    answers = np.empty((flat[0].size, 3))
    for part, table in tables_by_chunk(demand, shape):
        rows = [array[part].copy() for array in flat]
        in_threads(_levels, (table, *rows, answers[part]), shuffled, waste_aware, issuing == "lifo", parallel=parallel)
    return PerishableLevels(*(np.ascontiguousarray(answers[:, i]).reshape(shape)[()] for i in range(3)))


@core
def _path_cost(
    path: Array,
    level: float,
    expected: float,
    lifo: bool,
    costs: tuple[float, float, float],
    shelf: Array,
    spare: Array,
    coming: Array,
) -> tuple[float, float]:
    """Return the mean cost and the mean waste per period; entry i of `coming` (L + 1,) arrives in i periods."""
    T = path.size
    life = shelf.size
    lead = coming.size - 1
    shelf[:] = 0.0
    coming[:] = 0.0
    left, lost, wasted = 0.0, 0.0, 0.0
    for t in range(-min(T, _WARM_UP + 4 * (lead + life)), T):
        shelf[life - 1] += coming[0]
        coming[0] = 0.0
        position = 0.0
        for i in range(1, lead):
            position += coming[i]
        for j in range(life):
            position += shelf[j]
        if expected > 0.0 and lead > 0:
            for j in range(life):
                spare[j] = shelf[j]
            position -= estimated_waste(spare, life, coming, lead, expected, lifo)
        order = max(np.floor(level - position + 0.5), 0.0)
        coming[lead] = order
        if lead == 0:
            shelf[life - 1] += order
        short = issue(shelf, life, path[t] if t >= 0 else path[T + t], lifo)
        thrown = age(shelf, life)
        for i in range(lead):
            coming[i] = coming[i + 1]
        coming[lead] = 0.0
        if t >= 0:
            lost += short
            wasted += thrown
            for j in range(life):
                left += shelf[j]
    holding, shortage, waste = costs
    return (holding * left + shortage * lost + waste * wasted) / T, wasted / T


@loop
def _levels(
    table: Array,
    holding: Array,
    shortage: Array,
    waste: Array,
    lead_time: Array,
    shelf_life: Array,
    answers: Array,
    shuffled: NDArray[np.int64],
    waste_aware: bool,
    lifo: bool,
) -> None:
    path = np.empty(shuffled.size)
    for s in range(holding.size):
        answers[s] = np.nan
        costs = holding[s], shortage[s], waste[s]
        fine = 0.0 <= costs[0] < np.inf and 0.0 < costs[1] < np.inf and 0.0 <= costs[2] < np.inf
        if not (fine and 0.0 <= lead_time[s] < 1e6 and 1.0 <= shelf_life[s] < 1e6):
            continue
        lead, life = int(lead_time[s]), int(shelf_life[s])
        if lead_time[s] != lead or shelf_life[s] != life:
            continue
        mean, sd = fill_path(table[s], shuffled, path)
        expected = mean if waste_aware else 0.0
        shelf, spare, coming = np.zeros(life), np.zeros(life), np.zeros(lead + 1)
        spread = sd * np.sqrt(lead + 1.0)
        level = np.floor((lead + 1.0) * mean + 0.5 * spread + 0.5)
        best, thrown = _path_cost(path, level, expected, lifo, costs, shelf, spare, coming)
        step = max(np.floor(0.5 * spread), 1.0)
        while True:
            moved = False
            for sign in (-1.0, 1.0):
                while level + sign * step >= 0.0:
                    tried = level + sign * step
                    cost, gone = _path_cost(path, tried, expected, lifo, costs, shelf, spare, coming)
                    if cost >= best:
                        break
                    best, thrown, level, moved = cost, gone, tried, True
                if moved:
                    break
            if not moved:
                if step == 1.0:
                    break
                step = np.floor(0.5 * step)
        answers[s, 0] = level
        answers[s, 1] = best
        answers[s, 2] = thrown
