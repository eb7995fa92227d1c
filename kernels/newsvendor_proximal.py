"""Newsvendors under common limits where demand makes kinks: certain, samples, quantiles, or of bounded range.

Across kinks of the dual Newton's steps find no price, and at them no price alone gives the best quantities. So each SKU
is also held to a centre by a square, which smooths the dual, and the centre follows the answer until the square costs
nothing (the proximal method, Rockafellar 1976; on piecewise linear problems it ends after a few centres).
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from fullshelf.kernels.blocks import FloatArray
from fullshelf.kernels.compile import loop
from fullshelf.kernels.distributions import Demand
from fullshelf.kernels.empirical_rows import empirical_tails
from fullshelf.kernels.families import tails
from fullshelf.kernels.newsvendor_dual import (
    Answer,
    Shared,
    at_prices,
    balanced,
    bound_at,
    cost_of,
    newton_step,
    rises,
)

__all__ = ["near_centre"]

_CENTRES = 60
_CLOSE = 1e-10  # between cost and bound, of the bound
_STEPS = 200
_HALVINGS = 60
_WIDTH = 1e-6  # of a quantity, over which its slope is taken


@loop
def _near_families(
    family: int,
    a: FloatArray,
    b: FloatArray,
    both: FloatArray,
    weight: FloatArray,
    pull: FloatArray,
    quantity: FloatArray,
    bend: FloatArray,
) -> None:
    for i in range(a.size):
        low, high = 0.0, max(pull[i] / weight[i], 0.0)
        for _ in range(_HALVINGS):
            middle = 0.5 * (low + high)
            if both[i] * tails(family, a[i], b[i], middle)[0] + weight[i] * middle >= pull[i]:
                high = middle
            else:
                low = middle
        width = _WIDTH * (high + pull[i] / weight[i])
        quantity[i] = high
        bend[i] = both[i] * (tails(family, a[i], b[i], high)[0] - tails(family, a[i], b[i], high - width)[0]) / width


@loop
def _near_rows(
    values: FloatArray,
    weights: FloatArray,
    both: FloatArray,
    weight: FloatArray,
    pull: FloatArray,
    quantity: FloatArray,
    bend: FloatArray,
    kind: int,
    levels: FloatArray,
) -> None:
    for i in range(both.size):
        row, counts = values[i], weights[i]
        low, high = 0.0, max(pull[i] / weight[i], 0.0)
        for _ in range(_HALVINGS):
            middle = 0.5 * (low + high)
            if both[i] * empirical_tails(kind, levels, row, counts, middle)[0] + weight[i] * middle >= pull[i]:
                high = middle
            else:
                low = middle
        width = _WIDTH * (high + pull[i] / weight[i])
        below = empirical_tails(kind, levels, row, counts, high - width)[0]
        quantity[i] = high
        bend[i] = both[i] * (empirical_tails(kind, levels, row, counts, high)[0] - below) / width


def _near(shared: Shared, prices: FloatArray, centre: FloatArray, weight: FloatArray) -> Answer:
    """Return what the SKUs do at the prices when weight / 2 times the squared distance from the centre is added.

    The slope of cost, charge and square rises in the quantity; its zero is bracketed and halved until what is left is
    less than the last digit. `bend` is the slope of demand's own cost there: at an atom next to endless.
    """
    pull = shared.under - prices @ shared.table + weight * centre
    arguments: list[ArrayLike] = [shared.under + shared.over, weight, pull]
    if isinstance(shared.demand, Demand):
        quantity, bend = shared.demand.over_blocks(_near_families, arguments, 2, parallel=shared.parallel)
    else:
        quantity, bend = shared.demand.over_rows(_near_rows, arguments, 2, parallel=shared.parallel)
    excess = shared.table @ quantity - shared.limits
    square = 0.5 * weight * (quantity - centre) ** 2
    value = float((cost_of(shared, quantity) + square).sum() + prices @ excess)
    return Answer(value, excess, quantity, np.where(quantity > 0.0, 1.0 / (weight + bend), 0.0))


def _climb(shared: Shared, centre: FloatArray, weight: FloatArray, prices: FloatArray) -> tuple[FloatArray, Answer]:
    """Return the prices at the top of the dual smoothed about a centre, and what the SKUs do there.

    At an atom quantities stand still although prices move, and Newton's step is far too long: as much of the steepest
    slope that quantities can have is added as it takes (Levenberg 1944).
    """
    now, share = _near(shared, prices, centre, weight), 1e-2
    for _ in range(_STEPS):
        free = (prices > 0.0) | (now.excess > 0.0)
        if share > 1e3 or balanced(shared, now, free):
            break
        trial = np.maximum(prices + newton_step(shared, now.slope + share / weight, now, free, share), 0.0)
        answer = _near(shared, trial, centre, weight)
        if rises(now, answer, trial - prices):
            prices, now, share = trial, answer, max(0.1 * share, 1e-12)
        else:
            share = max(10.0 * share, 1e-3)
    return prices, now


def near_centre(shared: Shared) -> tuple[FloatArray, FloatArray]:
    """Return prices (K,) and quantities (N,) of any instance, whatever its kinks; the limits hold but for rounding.

    The centre follows the answer until cost and bound meet; the weight of the squares falls from centre to centre, so
    that they also vanish where demand has a density.
    """
    free = at_prices(shared, np.zeros(shared.limits.size)).quantity
    mean = np.maximum(shared.demand.mean, 0.0)
    centre = np.where(np.isfinite(free), free, mean)
    use = shared.table @ centre
    share = np.divide(shared.limits, use, out=np.ones_like(use), where=use > shared.limits)
    centre = centre * share.min(initial=1.0)
    size = np.maximum(mean, centre)
    weight = np.maximum(shared.under, shared.over) / np.where(size > 0.0, size, 1.0)
    least = 1e-6 * weight
    prices = np.zeros(shared.limits.size)
    best, narrowest = (prices, centre), math.inf
    for _ in range(_CENTRES):
        prices, there = _climb(shared, centre, weight, prices)
        centre = there.quantity
        bound = bound_at(shared, prices)
        between = float(cost_of(shared, centre).sum()) - bound
        if between < narrowest:
            best, narrowest = (prices, centre), between
        if between <= _CLOSE * abs(bound):
            break
        weight = np.maximum(0.5 * weight, least)
    return best
