"""Base stock for certain demand when the supplier fails at times.

A period without disruption is followed by one with the disruption probability a, a period with one by one without with
the recovery probability b; in a disruption nothing arrives. The number N of disrupted periods up to now has
``P(N > n) = a / (a + b) (1 - b)^n`` (Snyder and Shen, Fundamentals of Supply Chain Theory, 2nd ed., section 9.3).

Both functions take scalars or arrays over SKUs. A SKU with a demand or a cost that is not above 0 or a probability
outside (0, 1) has NaN and harms no other.
"""

import numpy as np
from numpy.typing import ArrayLike

from fullshelf.kernels.base_stock import BaseStock
from fullshelf.kernels.blocks import FloatArray, over_blocks
from fullshelf.kernels.compile import core, loop

__all__ = ["disruption_cost", "with_disruptions"]


def with_disruptions(
    demand: ArrayLike,
    holding_cost: ArrayLike,
    shortage_cost: ArrayLike,
    disruption_probability: ArrayLike,
    recovery_probability: ArrayLike,
) -> BaseStock:
    """Return the best level: it covers 1 + n periods of demand with the smallest n at which P(N > n) <= h / (p + h).

    Parameters
    ----------
    demand
        Units per period.
    holding_cost, shortage_cost
        Currency per unit held and per unit owed at the end of a period.
    disruption_probability, recovery_probability
        Inside (0, 1).

    Examples
    --------
    Snyder and Shen, example 9.3:

    >>> best = with_disruptions(2000, 0.25, 3, 0.04, 0.25)
    >>> float(best.order_up_to), round(float(best.cost), 3)
    (8000.0, 2737.069)
    """
    arguments = [demand, holding_cost, shortage_cost, disruption_probability, recovery_probability]
    return BaseStock(*over_blocks(_disrupted, arguments, 6))


def disruption_cost(
    level: ArrayLike,
    demand: ArrayLike,
    holding_cost: ArrayLike,
    shortage_cost: ArrayLike,
    disruption_probability: ArrayLike,
    recovery_probability: ArrayLike,
) -> FloatArray:
    """Return the cost per period of a level as `with_disruptions` has it for the best.

    Examples
    --------
    >>> round(float(disruption_cost(1200, 2000, 0.25, 3, 0.04, 0.25)), 3)
    5710.345
    """
    arguments = [level, demand, holding_cost, shortage_cost, disruption_probability, recovery_probability]
    (cost,) = over_blocks(_disrupted_cost, arguments, 1)
    return cost


@core
def _disrupted_losses(periods: float, a: float, b: float) -> tuple[float, float]:
    """Return E[(N + 1 - x)+] and E[(x - N - 1)+] for x periods of demand on the shelf and N disrupted periods so far.

    P(N > n) = a / (a + b) (1 - b)^n, so E[(N - n)+] = a / (a + b) (1 - b)^n / b for whole n >= 0.
    """
    x = periods - 1.0
    down = a / (a + b)
    mean = down / b
    if x <= 0.0:
        return mean - x, 0.0
    n = np.floor(x)
    beyond = down * (1.0 - b) ** n
    short = beyond / b - (x - n) * beyond
    return short, max(x - mean + short, 0.0)


@core
def _can_fail(demand: float, h: float, p: float, a: float, b: float) -> bool:
    costs = 0.0 < h < np.inf and 0.0 < p < np.inf
    return bool(costs and 0.0 < demand < np.inf and 0.0 < a < 1.0 and 0.0 < b < 1.0)


@loop
def _disrupted(
    demand: FloatArray,
    holding: FloatArray,
    shortage: FloatArray,
    disruption: FloatArray,
    recovery: FloatArray,
    level: FloatArray,
    cost: FloatArray,
    short: FloatArray,
    left: FloatArray,
    mean: FloatArray,
    variance: FloatArray,
) -> None:
    for i in range(demand.size):
        d, h, p, a, b = demand[i], holding[i], shortage[i], disruption[i], recovery[i]
        level[i] = cost[i] = short[i] = left[i] = mean[i] = variance[i] = np.nan
        if not _can_fail(d, h, p, a, b):
            continue
        down = a / (a + b)
        # P(N > n) <= h / (p + h)
        n = np.ceil(np.log(h / (p + h) / down) / np.log1p(-b)) if down > h / (p + h) else 0.0
        while n > 0.0 and down * (1.0 - b) ** (n - 1.0) <= h / (p + h):
            n -= 1.0
        while down * (1.0 - b) ** n > h / (p + h):
            n += 1.0
        more, less = _disrupted_losses(1.0 + n, a, b)
        level[i] = d * (1.0 + n)
        short[i], left[i] = d * more, d * less
        cost[i] = h * left[i] + p * short[i]
        mean[i] = d * (1.0 + down / b)
        variance[i] = d * d * down / b * ((2.0 - b) / b - down / b)


@loop
def _disrupted_cost(
    level: FloatArray,
    demand: FloatArray,
    holding: FloatArray,
    shortage: FloatArray,
    disruption: FloatArray,
    recovery: FloatArray,
    cost: FloatArray,
) -> None:
    for i in range(demand.size):
        d, h, p, a, b = demand[i], holding[i], shortage[i], disruption[i], recovery[i]
        cost[i] = np.nan
        if _can_fail(d, h, p, a, b) and abs(level[i]) < np.inf:
            more, less = _disrupted_losses(level[i] / d, a, b)
            cost[i] = d * (h * less + p * more)
