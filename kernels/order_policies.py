"""Orders of S series from their requirement curves: which lot, how much, and what it is expected to cost.

The costs are those of `newsvendor_grid`, G(q) = u E[(need - q)+] + o E[(q - outlast)+], over the periods from the
order's arrival to the next one's, and three policies are three answers to "how small may an order be":

- newsvendor, order-up-to: the smallest order is the MOQ or a pack;
- reorder point: it is an economic lot, which spreads the order cost K over the demand of several review periods.

Whatever the smallest order is, it is placed when G(smallest) < G(0): for a given lot that is the exact reorder point of
Zheng (1992), so a lot that lasts for months is not ordered before its first units are needed, nor refused because its
last ones will wait.

A price on what an order uses (a shadow price of capital or space, currency per unit ordered) enters as a cost that is
paid for each unit ordered and saved again when a unit left over makes the next order smaller, for the next round has
its price, too: u becomes u - price, and of units that will not be used later (`carry` < 1) o becomes o + (1 - carry)
price. With carry 1 a price thus drops what earns less than it and leaves the service of the rest nearly whole; a price
taken as sunk cost cuts every order's service instead.
"""

import math

import numpy as np
from numpy.typing import NDArray

from fullshelf.kernels.compile import core, loop
from fullshelf.kernels.newsvendor_grid import best_quantity, cost_at, lots_of
from fullshelf.kernels.quantile_grid import excess_at, mean_of
from fullshelf.kernels.special import normal_cdf, normal_quantile

__all__ = [
    "best_orders",
    "economic_lots",
    "expectations",
    "lost_sales_underage",
    "order_gains",
    "order_regrets",
    "reorder_offsets",
    "whole_packs",
]

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]


@loop
def economic_lots(order_cost: Array, rate: Array, holding: Array, most: Array) -> Array:
    """Economic order quantities (S,), √(2 K d / h) of Harris (1913), at most `most`; 0 where K, d or h is 0.

    Parameters
    ----------
    order_cost, rate, holding
        (S,) K in currency per order, d in units per period, h in currency per unit and period.
    most
        (S,) units.

    Examples
    --------
    >>> a = np.array
    >>> economic_lots(a([8.0]), a([1300.0]), a([0.225]), a([np.inf])).round(4).tolist()
    [304.0468]
    """
    out = np.zeros(order_cost.size)
    for s in range(order_cost.size):
        if order_cost[s] > 0.0 and holding[s] > 0.0 and rate[s] > 0.0:
            out[s] = min(math.sqrt(2.0 * order_cost[s] * rate[s] / holding[s]), most[s])
    return out


@loop
def whole_packs(lot: Array, pack: Array) -> Array:
    """Round economic lots (S,) to whole packs, at least one.

    n packs while n (n - 1) pack² ≤ lot²: the number with the lower cost K d / Q + h Q / 2.
    """
    out = np.empty(lot.size)
    for s in range(lot.size):
        out[s] = pack[s] * np.floor(0.5 + math.sqrt(0.25 + (lot[s] / pack[s]) ** 2) + 1e-9)
    return out


@core
def lost_sales_underage(underage: float, overage: float, known: float) -> float:
    """Underage cost with which one cycle's newsvendor decides nearly as well as the whole future would have it.

    The newsvendor of one cycle takes a unit left over for a unit less to order. With lost sales and a lead time that is
    half the truth: the orders on the way were placed before one knew. Let q2 be the next order, which is best when
    (u + o) P(short) = o in its own cycle. A unit more now is still there in the next cycle only if this one has no
    stock-out s, so by the envelope theorem it changes that cycle's cost by -P(s) E[slope of cost at q2 | s], and after
    a stock-out nothing is left: the slope is o F(q2) - u (1 - F(q2)), F the cdf of the next cycle's demand. So

        P(s) = o / (o + (u + o) F(q2)), that is u' = (u + o) F(q2) in place of u.

    The next order q2 is one that has seen the share R / (L + R) of the demand that led to the stock-out, so F(q2) lies
    between that of the full answer, Phi(z) with z the normal quantile of u / (u + o), and that of none, Phi(0):

        F(q2) = Phi(z known), known = R / (L + R), 1 for no correction (L = 0: all is known and u' = u).

    For independent demand that is backordered it would be √(R / (L + R)); lost demand is not ordered again. Measured on
    Zipkin's instances (2008; Poisson and geometric, L = 1…4, 21 of them), mean and largest distance from the optimum:
    linear 0.1 and 1.3 %, root 1.6 and 4.1 %, no correction 3.4 and 7.2 %, and the best base stock 3.8 and 9.9 %, by
    simulation. What the planner orders by it from 13 quantiles is 0.94 and 2.19 % off, exactly evaluated.
    """
    if known >= 1.0 or not overage > 0.0 or not underage > 0.0:
        return underage
    z = normal_quantile(underage / (underage + overage), overage / (underage + overage))
    return min(underage, (underage + overage) * normal_cdf(z * known))


@loop
def best_orders(
    levels: Array, need: Array, outlast: Array, same: Flags, underage: Array, waiting: Array, outlast_cost: Array,
    known: Array, carry: Array, price: Array, pack: Array, smallest: Array, trial: Array, most: Array, free: Array,
    quantity: Array,
) -> None:  # fmt: skip
    """Fill `free` (S,), the best order without packs (negative = too much stock), and `quantity` (S,) in whole packs.

    Parameters
    ----------
    levels, need, outlast
        (K,) and (S, K) requirement curves; `same` (S,) where the two are one.
    underage, waiting, outlast_cost, price
        (S,) currency per unit short, short where no order is weighed against the smallest, left, ordered. Infinite
        `waiting`: the best order is a promise, see `lots_of`.
    known
        (S,) of `lost_sales_underage`.
    carry
        (S,) share of the price that a unit left over saves later, 0…1.
    pack, smallest, trial, most
        (S,) units: `smallest` order > 0, a multiple of `pack`; what is tried against ordering nothing where more than
        the best is asked, the smallest order before it was rounded to packs; and the largest order allowed.
    """
    for s in range(need.shape[0]):
        u, a, o = underage[s] - price[s], (1.0 - carry[s]) * price[s], outlast_cost[s]
        u = lost_sales_underage(u, a + o, known[s])
        w = u if waiting[s] == underage[s] else lost_sales_underage(waiting[s] - price[s], a + o, known[s])
        if not u > 0.0:
            free[s], quantity[s] = min(need[s, 0], 0.0), 0.0
            continue
        free[s] = best_quantity(levels, need[s], outlast[s], u, a, o, same[s])
        quantity[s] = 0.0
        if free[s] > 0.0 and most[s] >= smallest[s]:
            means = mean_of(levels, need[s]), mean_of(levels, outlast[s])
            quantity[s] = lots_of(
                levels,
                need[s],
                outlast[s],
                u,
                w,
                a,
                o,
                free[s],
                pack[s],
                smallest[s],
                trial[s],
                most[s],
                means[0],
                means[1],
            )


@loop
def reorder_offsets(
    levels: Array, need: Array, outlast: Array, underage: Array, outlast_cost: Array, known: Array,
    carry: Array, price: Array, smallest: Array, free: Array,
) -> Array:  # fmt: skip
    """Return x (S,) with G(x) = G(x + smallest): an order is due while stock is at most x above what it is now."""
    out = np.empty(need.shape[0])
    for s in range(need.shape[0]):
        u, a, o = underage[s] - price[s], (1.0 - carry[s]) * price[s], outlast_cost[s]
        out[s] = free[s]
        if underage[s] == math.inf:  # a promise: due as soon as it is not kept
            continue
        u = lost_sales_underage(u, a + o, known[s])
        if not u > 0.0:
            continue
        need_mean, outlast_mean = mean_of(levels, need[s]), mean_of(levels, outlast[s])
        low, high = free[s] - smallest[s], free[s]
        for _ in range(24):
            x = 0.5 * (low + high)
            gain = cost_at(levels, need[s], outlast[s], u, a, o, x, need_mean, outlast_mean) - cost_at(
                levels, need[s], outlast[s], u, a, o, x + smallest[s], need_mean, outlast_mean
            )
            if gain > 0.0:
                low = x
            else:
                high = x
        out[s] = low
    return out


@loop
def order_gains(
    levels: Array, need: Array, outlast: Array, underage: Array, outlast_cost: Array, known: Array,
    quantity: Array, step: Array,
) -> Array:  # fmt: skip
    """Return G(q) - G(q + step) (S,): the money that `step` units more would save, currency."""
    out = np.empty(need.shape[0])
    for s in range(need.shape[0]):
        means = mean_of(levels, need[s]), mean_of(levels, outlast[s])
        o, q = outlast_cost[s], quantity[s]
        u = lost_sales_underage(underage[s], o, known[s])
        out[s] = cost_at(levels, need[s], outlast[s], u, 0.0, o, q, means[0], means[1])
        out[s] -= cost_at(levels, need[s], outlast[s], u, 0.0, o, q + step[s], means[0], means[1])
    return out


@loop
def order_regrets(
    levels: Array, need: Array, outlast: Array, underage: Array, outlast_cost: Array, known: Array,
    carry: Array, price: Array, quantity: Array, best: Array,
) -> Array:  # fmt: skip
    """Return by how much orders cost more than `best_orders` at a price (S,), what they pay for included; currency.

    Weak duality: added up over the series, and the price of what a limit has left, it is the most that any sharing of
    the limits could save, costs taken as they are at these prices. Where an order cost decides on lots (see
    `best_orders`, `trial`) the answer at the price stands for the best, and what is cheaper than it counts as equal.
    """
    out = np.empty(need.shape[0])
    for s in range(need.shape[0]):
        u, a, o = underage[s] - price[s], (1.0 - carry[s]) * price[s], outlast_cost[s]
        u = lost_sales_underage(u, a + o, known[s])
        means = mean_of(levels, need[s]), mean_of(levels, outlast[s])
        out[s] = cost_at(levels, need[s], outlast[s], u, a, o, quantity[s], means[0], means[1])
        out[s] -= cost_at(levels, need[s], outlast[s], u, a, o, best[s], means[0], means[1])
        out[s] = max(out[s], 0.0)
    return out


@loop
def expectations(
    levels: Array, need: Array, outlast: Array, outlast_cost: Array, quantity: Array,
    short: Array, left: Array, overage: Array,
) -> None:  # fmt: skip
    """Fill units short and left (S,) at the end of the order's periods, and the cost of what is left over, currency."""
    for s in range(need.shape[0]):
        short[s] = excess_at(levels, need[s], quantity[s])
        left[s] = max(quantity[s] - mean_of(levels, need[s]) + short[s], 0.0)
        over = quantity[s] - mean_of(levels, outlast[s]) + excess_at(levels, outlast[s], quantity[s])
        overage[s] = outlast_cost[s] * max(over, 0.0)
