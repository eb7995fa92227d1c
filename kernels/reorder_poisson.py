"""Compiled loops of `fullshelf.kernels.reorder_quantity` for Poisson demand."""

import math

import numpy as np

from fullshelf.kernels.blocks import FloatArray
from fullshelf.kernels.compile import core, loop
from fullshelf.kernels.poisson import (
    poisson_losses,
    poisson_mass,
    poisson_quantile,
    poisson_second_losses,
    poisson_tails,
)

__all__ = ["poisson_costs", "poisson_policies", "valid"]


@core
def valid(demand: float, lead_time: float, holding: float, shortage: float, ordering: float) -> bool:
    """Whether a SKU's numbers make a problem; false for NaN."""
    costs = 0.0 < holding < math.inf and 0.0 < shortage < math.inf and 0.0 <= ordering < math.inf
    return 0.0 < demand < math.inf and 0.0 <= lead_time < math.inf and costs


@core
def _cost_at(y: float, mean: float, short: float, h: float, p: float) -> float:
    """Return G(y) from the expected shortage there."""
    return h * max(y - mean + short, 0.0) + p * max(short, 0.0)


@core
def _best_poisson(rate: float, lead_time: float, h: float, p: float, ordering: float) -> tuple[float, float, float]:
    mean = rate * lead_time
    if mean > 0.0:
        best, mass, below, above = poisson_quantile(p / (p + h), h / (p + h), mean)
        short = poisson_losses(best, mean, mass, below, above)[0]
    else:
        best, mass, above, short = 0.0, 1.0, 0.0, 0.0
    total = rate * ordering + _cost_at(best, mean, short, h, p)
    # The next position on either side: y, P(D = y), P(D > y), E[(D - y)+].
    a, a_mass, a_above, a_short = best, mass, above, short
    b, b_mass, b_above, b_short = best, mass, above, short
    go_left, go_right = True, True
    cost_a, cost_b = math.inf, math.inf
    size = 1.0
    while True:
        if go_left:
            a_short += a_above + a_mass
            a_above = min(a_above + a_mass, 1.0)
            a_mass = a_mass * a / mean if a > 0.0 else 0.0
            a -= 1.0
            cost_a = _cost_at(a, mean, a_short, h, p)
        if go_right:
            b_short = max(b_short - b_above, 0.0)
            b += 1.0
            b_mass *= mean / b
            b_above = max(b_above - b_mass, 0.0)
            cost_b = _cost_at(b, mean, b_short, h, p)
        go_left = cost_a < cost_b
        go_right = not go_left
        following = min(cost_a, cost_b)
        if not following * size < total:
            return a, size, total / size
        total += following
        size += 1.0


@loop
def poisson_policies(
    rate: FloatArray,
    lead_time: FloatArray,
    holding: FloatArray,
    shortage: FloatArray,
    ordering: FloatArray,
    point: FloatArray,
    quantity: FloatArray,
    cost: FloatArray,
) -> None:
    """Write the best reorder point, quantity and their cost for each SKU."""
    for i in range(rate.size):
        point[i] = quantity[i] = cost[i] = math.nan
        if valid(rate[i], lead_time[i], holding[i], shortage[i], ordering[i]):
            point[i], quantity[i], cost[i] = _best_poisson(rate[i], lead_time[i], holding[i], shortage[i], ordering[i])


@core
def _sum_of_losses(y: float, mean: float) -> tuple[float, float]:
    """Return the sums of E[(D - x)+] over x > y and of E[(x - D)+] over x <= y, for whole y."""
    if mean == 0.0:
        return 0.5 * y * (y + 1.0) if y < 0.0 else 0.0, 0.5 * y * (y + 1.0) if y > 0.0 else 0.0
    if y < 0.0:
        return poisson_second_losses(y, mean, 0.0, 0.0, 1.0)
    below, above = poisson_tails(y, mean)
    return poisson_second_losses(y, mean, poisson_mass(y, mean), below, above)


@loop
def poisson_costs(
    point: FloatArray,
    quantity: FloatArray,
    rate: FloatArray,
    lead_time: FloatArray,
    holding: FloatArray,
    shortage: FloatArray,
    ordering: FloatArray,
    cost: FloatArray,
) -> None:
    """Write the cost of a policy for each SKU."""
    for i in range(rate.size):
        r, q = point[i], quantity[i]
        cost[i] = math.nan
        whole = r == np.floor(r) and q == np.floor(q) and q >= 1.0 and abs(r) < math.inf and q < math.inf
        if not (whole and valid(rate[i], lead_time[i], holding[i], shortage[i], ordering[i])):
            continue
        mean = rate[i] * lead_time[i]
        short_low, left_low = _sum_of_losses(r, mean)
        short_high, left_high = _sum_of_losses(r + q, mean)
        total = holding[i] * (left_high - left_low) + shortage[i] * (short_low - short_high)
        cost[i] = (rate[i] * ordering[i] + total) / q
