"""The dual of newsvendors under common limits: what every SKU does at given shadow prices, and the prices that fit.

At prices w_k a SKU pays the charge sum of w_k a_ki for each unit besides its own costs. The dual function is concave;
its slope is the excess use of each resource, and it is smooth where demand has a density. For other demand see
`fullshelf.kernels.newsvendor_proximal`.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fullshelf.kernels.blocks import FloatArray
from fullshelf.kernels.compile import loop
from fullshelf.kernels.critical_fractile import mismatch_cost
from fullshelf.kernels.distributions import Demand
from fullshelf.kernels.empirical_demand import EmpiricalDemand
from fullshelf.kernels.families import density, losses, quantile

__all__ = [
    "Answer",
    "Shared",
    "at_prices",
    "balanced",
    "bound_at",
    "cost_of",
    "newton_step",
    "prices_of_many",
    "prices_of_one",
    "rises",
]

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Shared:
    """One instance: demand and costs (N,) of the SKUs, what a unit uses (K, N), and how much there is (K,)."""

    demand: Demand | EmpiricalDemand
    under: FloatArray
    over: FloatArray
    table: FloatArray
    limits: FloatArray
    parallel: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """What the SKUs do at given prices.

    Attributes
    ----------
    value
        Of the dual function: a lower bound of any feasible cost (plus the square, near a centre).
    excess
        (K,) use of each resource above its limit.
    quantity
        (N,) units.
    slope
        (N,) by how much a quantity falls with its charge.
    """

    value: float
    excess: FloatArray
    quantity: FloatArray
    slope: FloatArray


def cost_of(shared: Shared, quantity: FloatArray) -> FloatArray:
    """Return (N,) expected underage and overage costs of quantities."""
    short = shared.demand.loss(quantity, parallel=shared.parallel)
    left = shared.demand.leftover(quantity, parallel=shared.parallel)
    with np.errstate(invalid="ignore"):  # an endless leftover that costs nothing
        return np.asarray(shared.under * short + np.where(shared.over > 0.0, shared.over * left, 0.0))


@loop
def _respond(
    family: int,
    a: FloatArray,
    b: FloatArray,
    under: FloatArray,
    over: FloatArray,
    charge: FloatArray,
    quantity: FloatArray,
    cost: FloatArray,
    slope: FloatArray,
) -> None:
    """Fill each SKU's answer to its charge per unit: the quantity, its own cost, and how the quantity falls with it."""
    for i in range(a.size):
        weight = under[i] + over[i]
        gain = under[i] - charge[i]
        x = 0.0
        slope[i] = 0.0
        if gain > 0.0:
            x = max(quantile(family, a[i], b[i], gain / weight, (over[i] + charge[i]) / weight), 0.0)
            at = density(family, a[i], b[i], x) * weight
            slope[i] = 1.0 / at if x > 0.0 and at > 0.0 else 0.0
        short, left = losses(family, a[i], b[i], x)
        quantity[i] = x
        cost[i] = mismatch_cost(under[i], over[i], short, left)


def at_prices(shared: Shared, prices: FloatArray) -> Answer:
    """Return what the SKUs do at the prices of the resources, each by its own newsvendor's quantity."""
    charge = prices @ shared.table
    if isinstance(shared.demand, Demand):
        quantity, cost, slope = shared.demand.over_blocks(
            _respond, [shared.under, shared.over, charge], 3, parallel=shared.parallel
        )
    else:
        ratio = np.maximum(shared.under - charge, 0.0) / (shared.under + shared.over)
        wanted = shared.demand.quantile(ratio, parallel=shared.parallel)
        quantity = np.where(ratio > 0.0, np.maximum(wanted, 0.0), 0.0)
        cost, slope = cost_of(shared, quantity), np.zeros(quantity.size)
    with np.errstate(invalid="ignore"):  # an endless quantity at a price of 0 makes the dual's value unknown
        excess = shared.table @ quantity - shared.limits
        value = float(cost.sum() + prices @ excess)
    return Answer(value, excess, quantity, slope)


def bound_at(shared: Shared, prices: FloatArray) -> float:
    """Return the dual's value: what any feasible stocks cost at least.

    A SKU that pays nothing for leftovers asks for an endless quantity where what it uses has no price; it costs
    nothing there.
    """
    answer = at_prices(shared, prices)
    if np.isfinite(answer.quantity).all():
        return answer.value
    quantity = np.where(np.isfinite(answer.quantity), answer.quantity, 0.0)
    cost = np.where(np.isfinite(answer.quantity), cost_of(shared, quantity), 0.0)
    return float(cost.sum() + prices @ (shared.table @ quantity - shared.limits))


def prices_of_one(shared: Shared) -> FloatArray:
    """Return the price of a single resource: bracketed Newton steps on its excess use, which falls with the price."""
    low = 0.0
    used = shared.table[0] > 0.0
    high = float((shared.under[used] / shared.table[0, used]).max(initial=0.0))
    now = at_prices(shared, np.array([0.0]))
    if now.excess[0] <= 0.0:
        return np.array([0.0])
    price = 0.0
    for _ in range(200):
        excess, fall = float(now.excess[0]), float((shared.table[0] ** 2 * now.slope).sum())
        following = price + excess / fall if fall > 0.0 and math.isfinite(excess) else math.inf
        if not low < following < high:
            following = 0.5 * (low + high)
        if abs(following - price) <= 1e-15 * following or high - low <= 4e-16 * high:
            break
        price = following
        now = at_prices(shared, np.array([price]))
        excess = float(now.excess[0])
        if excess > 0.0:
            low = price
        else:
            high = price
        # Whole units leave less than one of them unused at best; what is left is filled up afterwards.
        if excess == 0.0 or (shared.demand.discrete and -shared.table[0].max() <= excess < 0.0):
            return np.array([price])
    return np.array([high])  # the smallest price found at which the limit holds


def prices_of_many(shared: Shared) -> FloatArray:
    """Return the prices of several resources by projected Newton steps on the dual (Bertsekas 1982)."""
    prices = np.zeros(shared.limits.size)
    if (shared.over == 0.0).any():  # at a price of 0 somebody asks for an endless quantity
        prices += 0.1 * float(np.median(shared.under)) / np.maximum(shared.table.max(axis=1), 1e-300)
    now = at_prices(shared, prices)
    enough = 1e-9 if shared.demand.discrete else 1e-15  # whole units: the dual has kinks, its slope never comes to 0
    for _ in range(100):
        free = (prices > 0.0) | (now.excess > 0.0)
        if balanced(shared, now, free):
            break
        step, size = newton_step(shared, now.slope, now, free), 1.0
        for _ in range(30):
            trial = np.maximum(prices + size * step, 0.0)
            answer = at_prices(shared, trial)
            if rises(now, answer, trial - prices):
                break
            size *= 0.5
        else:
            break
        risen = answer.value - now.value
        prices, now = trial, answer
        if risen <= enough * abs(now.value):
            break
    return prices


def balanced(shared: Shared, now: Answer, free: BoolArray) -> bool:
    """Say whether what has a price is used up, and nothing more."""
    return bool((np.abs(now.excess[free]) <= 1e-13 * (1.0 + shared.limits[free])).all())


def newton_step(shared: Shared, slope: FloatArray, now: Answer, free: BoolArray, damping: float = 0.0) -> FloatArray:
    """Return the change of all prices: Newton's step for the `free` ones, or the excess where that would lead down."""
    rows = shared.table[free]
    curvature = (rows * slope) @ rows.T
    curvature[np.diag_indices_from(curvature)] += (1e-12 + damping) * np.trace(curvature) + 1e-300
    step = np.zeros(free.size)
    step[free] = np.linalg.solve(curvature, now.excess[free])
    return step if step @ now.excess > 0.0 else np.where(free, now.excess, 0.0)


def rises(now: Answer, trial: Answer, moved: FloatArray) -> bool:
    """Say whether the dual rose by a share of what its slope promised (Armijo 1966)."""
    return trial.value >= now.value + 1e-4 * float(moved @ now.excess) - 1e-15 * abs(now.value)
