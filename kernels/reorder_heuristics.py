"""Simple rules for (r, Q) under normal lead-time demand, as the textbooks have them.

`fullshelf.kernels.reorder_quantity` has the optimum. Snyder and Shen, Fundamentals of Supply Chain Theory, 2nd ed.,
section 5.3; Hadley and Whitin (1963), Analysis of Inventory Systems. All functions take scalars or arrays over SKUs; a
SKU with numbers that make no problem has NaN.
"""

import math

from numpy.typing import ArrayLike

from fullshelf.kernels.blocks import FloatArray, over_blocks
from fullshelf.kernels.compile import loop
from fullshelf.kernels.reorder_poisson import valid
from fullshelf.kernels.reorder_quantity import ReorderQuantity, normal_cost, normal_reorder_point
from fullshelf.kernels.special import normal_loss, normal_loss_inverse, normal_quantile, normal_second_loss

__all__ = ["eoq_with_backorders", "eoq_with_safety_stock", "expected_inventory_level", "loss_function"]


def expected_inventory_level(
    demand: ArrayLike,
    demand_sd: ArrayLike,
    lead_time: ArrayLike,
    holding_cost: ArrayLike,
    shortage_cost: ArrayLike,
    order_cost: ArrayLike,
) -> ReorderQuantity:
    """Return the EIL approximation of Whitin: r and Q found in turns, shortage cost per unit short, whatever the time.

    ``F(r) = 1 - Q h / (p demand)`` and ``Q = sqrt(2 demand (K + p n(r)) / h)`` with n(r) = E[(D - r)+]; cost
    ``h (r - demand L + Q / 2) + (K + p n(r)) demand / Q``. NaN as well where Q h reaches p demand: the shortage cost is
    too low for stock to pay in this approximation.

    Parameters
    ----------
    demand, demand_sd
        Mean and standard deviation of demand in a unit of time.
    lead_time
        In the same unit of time. From the moments m, s of lead-time demand: m / demand and s / sqrt(lead_time).
    holding_cost
        Currency per unit and unit of time.
    shortage_cost
        Currency per unit short.
    order_cost
        Currency per order.

    Examples
    --------
    Snyder and Shen, example 5.2:

    >>> rule = expected_inventory_level(1300, 150, 1 / 12, 0.225, 7.5, 8)
    >>> [round(float(x), 4) for x in (rule.reorder_point, rule.order_quantity, rule.cost)]
    [213.9704, 318.5902, 95.4511]
    """
    arguments = [demand, demand_sd, lead_time, holding_cost, shortage_cost, order_cost]
    return ReorderQuantity(*over_blocks(_inventory_level, arguments, 3))


def loss_function(
    demand: ArrayLike,
    demand_sd: ArrayLike,
    lead_time: ArrayLike,
    holding_cost: ArrayLike,
    shortage_cost: ArrayLike,
    order_cost: ArrayLike,
) -> ReorderQuantity:
    """Return Hadley and Whitin's approximation that takes the stock at r + Q for certain; cost is exact.

    ``n(r) = h Q / (h + p)`` and ``Q = sqrt(2 (K demand + (h + p) n2(r)) / h)`` with n2 the second-order loss; costs per
    unit and unit of time, as in `reorder_quantity`.

    Examples
    --------
    >>> rule = loss_function(1300, 150, 1 / 12, 0.225, 7.5, 8)  # Snyder and Shen, example 5.6
    >>> [round(float(x), 4) for x in (rule.reorder_point, rule.order_quantity, rule.cost)]
    [126.8671, 328.4491, 78.0711]
    """
    arguments = [demand, demand_sd, lead_time, holding_cost, shortage_cost, order_cost]
    point, quantity = over_blocks(_second_loss, arguments, 2)
    return ReorderQuantity(point, quantity, normal_cost(point, quantity, *arguments))


def eoq_with_backorders(
    demand: ArrayLike,
    demand_sd: ArrayLike,
    lead_time: ArrayLike,
    holding_cost: ArrayLike,
    shortage_cost: ArrayLike,
    order_cost: ArrayLike,
) -> ReorderQuantity:
    """Return Q of the economic order quantity with backorders, and the best r for it.

    At most 12.5 % dearer than the best (Zheng 1992, On properties of stochastic inventory systems). Cost is exact.

    Examples
    --------
    >>> rule = eoq_with_backorders(1300, 150, 1 / 12, 0.225, 7.5, 8)  # Snyder and Shen, example 5.4
    >>> [round(float(x), 4) for x in (rule.reorder_point, rule.order_quantity)]
    [128.6378, 308.5738]
    """
    arguments = [demand, demand_sd, lead_time, holding_cost, shortage_cost, order_cost]
    (quantity,) = over_blocks(_backorder_lot, arguments, 1)
    point = normal_reorder_point(quantity, demand, demand_sd, lead_time, holding_cost, shortage_cost)
    return ReorderQuantity(point, quantity, normal_cost(point, quantity, *arguments))


def eoq_with_safety_stock(
    demand: ArrayLike,
    demand_sd: ArrayLike,
    lead_time: ArrayLike,
    holding_cost: ArrayLike,
    shortage_cost: ArrayLike,
    order_cost: ArrayLike,
) -> ReorderQuantity:
    """Return the economic order quantity, and r at the newsvendor's quantile of lead-time demand. Cost is exact.

    Examples
    --------
    >>> rule = eoq_with_safety_stock(1300, 150, 1 / 12, 0.225, 7.5, 8)  # Snyder and Shen, example 5.5
    >>> [round(float(x), 4) for x in (rule.reorder_point, rule.order_quantity)]
    [190.337, 304.0468]
    """
    arguments = [demand, demand_sd, lead_time, holding_cost, shortage_cost, order_cost]
    point, quantity = over_blocks(_safety_stock, arguments, 2)
    return ReorderQuantity(point, quantity, normal_cost(point, quantity, *arguments))


@loop
def _inventory_level(
    rate: FloatArray,
    sd: FloatArray,
    lead_time: FloatArray,
    holding: FloatArray,
    shortage: FloatArray,
    ordering: FloatArray,
    point: FloatArray,
    quantity: FloatArray,
    cost: FloatArray,
) -> None:
    for i in range(rate.size):
        h, p, k = holding[i], shortage[i], ordering[i]
        point[i] = quantity[i] = cost[i] = math.nan
        if not (valid(rate[i], lead_time[i], h, p, k) and 0.0 <= sd[i] < math.inf):
            continue
        mean, spread = rate[i] * lead_time[i], sd[i] * math.sqrt(lead_time[i])
        q = math.sqrt(2.0 * k * rate[i] / h)
        r = n = math.nan
        for _ in range(10_000):
            upper = q * h / (p * rate[i])
            if not upper < 1.0:
                r = math.nan
                break
            z = normal_quantile(1.0 - upper, upper)
            r = mean + spread * z if spread > 0.0 else mean
            n = spread * normal_loss(z) if spread > 0.0 else 0.0
            following = math.sqrt(2.0 * rate[i] * (k + p * n) / h)
            done = abs(following - q) <= 1e-14 * following
            q = following
            if done:
                break
        if r == r and q > 0.0:
            point[i], quantity[i] = r, q
            cost[i] = h * (r - mean + 0.5 * q) + (k + p * n) * rate[i] / q


@loop
def _second_loss(
    rate: FloatArray,
    sd: FloatArray,
    lead_time: FloatArray,
    holding: FloatArray,
    shortage: FloatArray,
    ordering: FloatArray,
    point: FloatArray,
    quantity: FloatArray,
) -> None:
    for i in range(rate.size):
        h, p, k = holding[i], shortage[i], ordering[i]
        point[i] = quantity[i] = math.nan
        if not (valid(rate[i], lead_time[i], h, p, k) and 0.0 <= sd[i] < math.inf and k > 0.0):
            continue
        mean, spread = rate[i] * lead_time[i], sd[i] * math.sqrt(lead_time[i])
        q = math.sqrt(2.0 * k * rate[i] / h)
        r = mean
        for _ in range(10_000):
            n = h * q / (h + p)
            if spread > 0.0:
                z = normal_loss_inverse(n / spread)
                r = mean + spread * z
                second = spread * spread * normal_second_loss(z)
            else:
                r = mean - n
                second = 0.5 * n * n
            following = math.sqrt(2.0 * (k * rate[i] + (h + p) * second) / h)
            done = abs(following - q) <= 1e-14 * following
            q = following
            if done:
                break
        point[i], quantity[i] = r, q


@loop
def _backorder_lot(
    rate: FloatArray,
    sd: FloatArray,
    lead_time: FloatArray,
    holding: FloatArray,
    shortage: FloatArray,
    ordering: FloatArray,
    quantity: FloatArray,
) -> None:
    for i in range(rate.size):
        h, p, k = holding[i], shortage[i], ordering[i]
        good = valid(rate[i], lead_time[i], h, p, k) and 0.0 <= sd[i] < math.inf
        quantity[i] = math.sqrt(2.0 * k * rate[i] * (h + p) / (h * p)) if good else math.nan


@loop
def _safety_stock(
    rate: FloatArray,
    sd: FloatArray,
    lead_time: FloatArray,
    holding: FloatArray,
    shortage: FloatArray,
    ordering: FloatArray,
    point: FloatArray,
    quantity: FloatArray,
) -> None:
    for i in range(rate.size):
        h, p, k = holding[i], shortage[i], ordering[i]
        point[i] = quantity[i] = math.nan
        if valid(rate[i], lead_time[i], h, p, k) and 0.0 <= sd[i] < math.inf:
            spread = sd[i] * math.sqrt(lead_time[i])
            point[i] = rate[i] * lead_time[i] + spread * normal_quantile(p / (p + h), h / (p + h))
            quantity[i] = math.sqrt(2.0 * k * rate[i] / h)
