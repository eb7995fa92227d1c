"""The (r, Q) policy: order Q whenever the inventory position falls to r, under continuous review and with backorders.

Lead-time demand D has mean ``demand · L``. With G(y) = h E[(y - D)+] + p E[(D - y)+], what the position y costs per
unit of time, the policy costs ``(K · demand + integral of G from r to r + Q) / Q``, for Poisson demand with the sum of
G(r + 1) … G(r + Q) in place of the integral (Zheng 1992, On properties of stochastic inventory systems).

Costs are per unit and unit of time, except where a heuristic says otherwise. All functions take scalars or arrays over
SKUs. A SKU without demand, with a cost that is not above 0 (the order cost may be 0) or with NaN has NaN.

>>> exact = poisson(demand=1.5, lead_time=2, holding_cost=20, shortage_cost=150, order_cost=100)
>>> float(exact.reorder_point), float(exact.order_quantity), round(float(exact.cost), 4)  # Snyder and Shen, example 5.8
(3.0, 5.0, 107.9236)
"""

from dataclasses import dataclass

from numpy.typing import ArrayLike

from fullshelf.kernels.blocks import FloatArray, over_blocks
from fullshelf.kernels.reorder_normal import normal_costs, normal_points, normal_policies
from fullshelf.kernels.reorder_poisson import poisson_costs, poisson_policies

__all__ = ["ReorderQuantity", "normal", "normal_cost", "normal_reorder_point", "poisson", "poisson_cost"]

_BLOCK = 512


@dataclass(frozen=True, slots=True)
class ReorderQuantity:
    """A policy for each SKU."""

    reorder_point: FloatArray  # r, units of inventory position
    order_quantity: FloatArray  # Q, units
    cost: FloatArray  # currency per unit of time


def poisson(
    demand: ArrayLike,
    lead_time: ArrayLike,
    holding_cost: ArrayLike,
    shortage_cost: ArrayLike,
    order_cost: ArrayLike,
    *,
    parallel: bool = False,
) -> ReorderQuantity:
    """Return the best whole (r, Q) for Poisson demand.

    Federgruen and Zheng (1992), An efficient algorithm for computing an optimal (r, Q) policy: from the best single
    position the range grows by its cheaper neighbour while that is below the average cost. The work grows with Q.

    Parameters
    ----------
    demand
        Mean units per unit of time.
    lead_time
        In the same unit of time, 0 or more.
    holding_cost, shortage_cost
        Currency per unit and unit of time, held and owed.
    order_cost
        Currency per order.
    parallel
        Use all of numba's threads.

    Examples
    --------
    >>> exact = poisson(1.5, 2, holding_cost=20, shortage_cost=150, order_cost=100)  # Snyder and Shen, example 5.8
    >>> float(exact.reorder_point), float(exact.order_quantity), round(float(exact.cost), 4)
    (3.0, 5.0, 107.9236)
    """
    results = over_blocks(
        poisson_policies,
        [demand, lead_time, holding_cost, shortage_cost, order_cost],
        3,
        parallel=parallel,
        block=_BLOCK,
    )
    return ReorderQuantity(*results)


def poisson_cost(
    reorder_point: ArrayLike,
    order_quantity: ArrayLike,
    demand: ArrayLike,
    lead_time: ArrayLike,
    holding_cost: ArrayLike,
    shortage_cost: ArrayLike,
    order_cost: ArrayLike,
) -> FloatArray:
    """Return the cost of a policy under Poisson demand; NaN where r or Q is no whole number or Q is below 1.

    Examples
    --------
    >>> round(float(poisson_cost(3, 5, 1.5, 2, 20, 150, 100)), 4)
    107.9236
    """
    arguments = [reorder_point, order_quantity, demand, lead_time, holding_cost, shortage_cost, order_cost]
    (cost,) = over_blocks(poisson_costs, arguments, 1)
    return cost


def normal(
    demand: ArrayLike,
    demand_sd: ArrayLike,
    lead_time: ArrayLike,
    holding_cost: ArrayLike,
    shortage_cost: ArrayLike,
    order_cost: ArrayLike,
    *,
    parallel: bool = False,
) -> ReorderQuantity:
    """Return the best (r, Q) for normal lead-time demand with mean ``demand L`` and variance ``demand_sd^2 L``.

    Q solves ``Q G(r(Q)) = K demand + integral of G from r(Q) to r(Q) + Q`` with G(r(Q)) = G(r(Q) + Q) (Zheng 1992).
    An order cost of 0 gives Q = 0, the base-stock policy.

    Parameters
    ----------
    demand, demand_sd
        Mean and standard deviation of demand in a unit of time.
    lead_time, holding_cost, shortage_cost, order_cost, parallel
        As in `poisson`.

    Examples
    --------
    Snyder and Shen, example 5.1:

    >>> exact = normal(1300, 150, 1 / 12, holding_cost=0.225, shortage_cost=7.5, order_cost=8)
    >>> [round(float(x), 4) for x in (exact.reorder_point, exact.order_quantity, exact.cost)]
    [126.8671, 328.4491, 78.0711]
    """
    results = over_blocks(
        normal_policies,
        [demand, demand_sd, lead_time, holding_cost, shortage_cost, order_cost],
        3,
        parallel=parallel,
        block=_BLOCK,
    )
    return ReorderQuantity(*results)


def normal_reorder_point(
    order_quantity: ArrayLike,
    demand: ArrayLike,
    demand_sd: ArrayLike,
    lead_time: ArrayLike,
    holding_cost: ArrayLike,
    shortage_cost: ArrayLike,
) -> FloatArray:
    """Return the best reorder point for a given Q > 0 under normal lead-time demand: G(r) = G(r + Q).

    Examples
    --------
    >>> round(float(normal_reorder_point(318, 1300, 150, 1 / 12, 0.225, 7.5)), 4)
    127.788
    """
    arguments = [order_quantity, demand, demand_sd, lead_time, holding_cost, shortage_cost]
    (point,) = over_blocks(normal_points, arguments, 1)
    return point


def normal_cost(
    reorder_point: ArrayLike,
    order_quantity: ArrayLike,
    demand: ArrayLike,
    demand_sd: ArrayLike,
    lead_time: ArrayLike,
    holding_cost: ArrayLike,
    shortage_cost: ArrayLike,
    order_cost: ArrayLike,
) -> FloatArray:
    """Return the cost of a policy under normal lead-time demand; NaN where Q is not above 0.

    Examples
    --------
    >>> round(float(normal_cost(100, 250, 1300, 150, 1 / 12, 0.225, 7.5, 8)), 4)
    87.3465
    """
    arguments = [
        reorder_point,
        order_quantity,
        demand,
        demand_sd,
        lead_time,
        holding_cost,
        shortage_cost,
        order_cost,
    ]
    (cost,) = over_blocks(normal_costs, arguments, 1)
    return cost
