"""Economic order quantity when supply is uncertain: disruptions of the supplier, and yields that differ from the order.

Costs are currency per period, demand units per period. Arguments broadcast; a SKU without an answer gets NaN.
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from fullshelf.kernels.blocks import FloatArray, floats, over_blocks
from fullshelf.kernels.compile import core, loop

__all__ = ["additive_yield", "disruption_cost", "multiplicative_yield", "with_disruptions"]


@core
def slope_sign(
    quantity: float, setup: float, demand: float, holding: float, shortage: float, down: float, up: float
) -> float:
    """Return a number of the sign of the slope of the cost per period."""
    share = down / (down + up)
    decay = (down + up) / demand
    waiting = -math.expm1(-decay * quantity) * share / up
    slope = share * decay * math.exp(-decay * quantity) / up
    cost = setup + 0.5 * holding * quantity * quantity / demand + shortage * demand * waiting
    length = quantity / demand + waiting
    return (holding * quantity / demand + shortage * demand * slope) * length - cost * (1.0 / demand + slope)


@loop
def _disrupted(
    setup: FloatArray,
    demand: FloatArray,
    holding: FloatArray,
    shortage: FloatArray,
    down: FloatArray,
    up: FloatArray,
    quantity: FloatArray,
) -> None:
    for i in range(demand.size):
        k, d, h, p, gone, back = setup[i], demand[i], holding[i], shortage[i], down[i], up[i]
        quantity[i] = math.nan
        if not (k >= 0.0 and d > 0.0 and h > 0.0 and p >= 0.0 and gone >= 0.0 and back > 0.0):
            continue
        if not k + d + h + p + gone + back < math.inf:
            continue
        # The cost falls, then rises (Berk and Arreola-Risa 1994): bisect the sign of its slope.
        low = 0.0
        high = math.sqrt(2.0 * k * d / h) + d / back
        while slope_sign(high, k, d, h, p, gone, back) < 0.0:
            low = high
            high *= 2.0
        for _ in range(100):
            middle = 0.5 * (low + high)
            if slope_sign(middle, k, d, h, p, gone, back) < 0.0:
                low = middle
            else:
                high = middle
            if high - low <= 1e-16 * high:
                break
        quantity[i] = 0.5 * (low + high)


def with_disruptions(
    order_cost: ArrayLike,
    demand: ArrayLike,
    holding_cost: ArrayLike,
    shortage_cost: ArrayLike,
    disruption_rate: ArrayLike,
    recovery_rate: ArrayLike,
    *,
    parallel: bool = False,
) -> tuple[FloatArray, FloatArray]:
    """Return the quantity of least cost, and that cost, when the supplier is up and down for exponential times.

    An order placed while the supplier is down waits for its recovery, and demand meanwhile is lost. The quantity
    minimises `disruption_cost`, exactly: Parlar and Berkin 1991; Berk and Arreola-Risa 1994; Snyder and Shen,
    Fundamentals of Supply Chain Theory, 2nd ed., section 9.2.

    Parameters
    ----------
    order_cost
        Currency for each order.
    demand
        Units per period, above 0.
    holding_cost
        Currency per unit and period, above 0.
    shortage_cost
        Currency per unit of demand lost.
    disruption_rate, recovery_rate
        Per period: 1 / mean time up, 1 / mean time down. The recovery rate must be above 0.
    parallel
        Use all of numba's threads.

    Returns
    -------
    quantity, cost
        Units, currency per period; NaN where an argument is out of its range.

    Examples
    --------
    >>> quantity, cost = with_disruptions(8, 1300, 0.225, 5, 1.5, 14)  # Snyder and Shen, 2nd ed., example 9.1
    >>> float(quantity.round(3)), float(cost.round(4))
    (772.811, 173.95)
    """
    arguments = [order_cost, demand, holding_cost, shortage_cost, disruption_rate, recovery_rate]
    (quantity,) = over_blocks(_disrupted, arguments, 1, parallel=parallel)
    cost = disruption_cost(quantity, order_cost, demand, holding_cost, shortage_cost, disruption_rate, recovery_rate)
    return quantity, cost


def disruption_cost(
    quantity: ArrayLike,
    order_cost: ArrayLike,
    demand: ArrayLike,
    holding_cost: ArrayLike,
    shortage_cost: ArrayLike,
    disruption_rate: ArrayLike,
    recovery_rate: ArrayLike,
) -> FloatArray:
    """Return the cost per period of any quantity when the supplier is up and down for exponential times.

    (K + h Q² / 2d + p d psi / mu) / (Q / d + psi / mu) with psi = lambda / (lambda + mu) (1 - exp(-(lambda + mu) Q
    / d)), lambda the disruption rate, mu the recovery rate: Snyder and Shen, 2nd ed., equation 9.5. Arguments as of
    `with_disruptions`.

    >>> float(disruption_cost(700, 8, 1300, 0.225, 5, 1.5, 14).round(3))
    174.787
    """
    units, rate, down, up = floats(quantity), floats(demand), floats(disruption_rate), floats(recovery_rate)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        waiting = -np.expm1(-(down + up) * units / rate) * down / (down + up) / up
        cost = (
            floats(order_cost) + floats(holding_cost) * units**2 / (2.0 * rate) + floats(shortage_cost) * rate * waiting
        )
        answer: FloatArray = np.asarray(cost / (units / rate + waiting))
    return answer[()]


def additive_yield(
    order_cost: ArrayLike, demand: ArrayLike, holding_cost: ArrayLike, yield_mean: ArrayLike, yield_sd: ArrayLike
) -> tuple[FloatArray, FloatArray]:
    """Return the quantity of least cost, and that cost, when quantity + Y arrives: quality, counting errors, theft.

    quantity = sqrt(2 K d / h + sd²) - mean, or 0 where that is negative; cost = (K d + h E[(Q + Y)²] / 2) / E[Q + Y]:
    Snyder and Shen, 2nd ed., equations 9.22 and 9.23. Y in units; NaN for demand, costs or sd below 0, and for a
    holding cost of 0, where no quantity is large enough.

    >>> quantity, cost = additive_yield(18500, 75000, 0.06, -15000, 9000)  # Snyder and Shen, 2nd ed., example 9.4
    >>> float(quantity.round(2)), float(cost.round(2))
    (230246.37, 12914.78)
    """
    setup, rate, holding = floats(order_cost), floats(demand), floats(holding_cost)
    mean, sd = floats(yield_mean), floats(yield_sd)
    with np.errstate(invalid="ignore", divide="ignore"):
        valid = (setup >= 0.0) & (rate >= 0.0) & (holding > 0.0) & (sd >= 0.0)
        arriving = np.maximum(np.sqrt(np.where(valid, 2.0 * setup * rate / holding + sd * sd, np.nan)), mean)
        cost = (setup * rate + 0.5 * holding * (arriving**2 + sd * sd)) / arriving
    return (arriving - mean)[()], cost[()]


def multiplicative_yield(
    order_cost: ArrayLike, demand: ArrayLike, holding_cost: ArrayLike, yield_mean: ArrayLike, yield_sd: ArrayLike
) -> tuple[FloatArray, FloatArray]:
    """Return the quantity of least cost, and that cost, when quantity x Y arrives, Y a random share.

    quantity = sqrt(2 K d / (h (mean² + sd²))), cost = (K d + h Q² E[Y²] / 2) / (Q E[Y]): Snyder and Shen, 2nd ed.,
    equations 9.24 and 9.25. NaN for demand, costs or sd below 0, a holding cost or a mean share of 0 or below.

    >>> quantity, cost = multiplicative_yield(18500, 75000, 0.06, 0.8333333333, 0.1408590425)  # example 9.5
    >>> float(quantity.round(2)), float(cost.round(2))
    (254460.21, 13086.53)
    """
    setup, rate, holding = floats(order_cost), floats(demand), floats(holding_cost)
    mean, sd = floats(yield_mean), floats(yield_sd)
    with np.errstate(invalid="ignore", divide="ignore"):
        valid = (setup >= 0.0) & (rate >= 0.0) & (holding > 0.0) & (mean > 0.0) & (sd >= 0.0)
        second = np.where(valid, mean * mean + sd * sd, np.nan)
        quantity = np.sqrt(2.0 * setup * rate / (holding * second))
        # At the best quantity both parts cost the same.
        cost = np.sqrt(2.0 * setup * rate * holding * second) / mean
    return quantity[()], cost[()]
