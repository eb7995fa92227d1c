"""A small network that corrects the level to which an order serves its requirement: what it reads, and its answer.

`order_policies.lost_sales_underage` says by a formula how much a unit left over is worth to the next order. Its one
free number, `known`, is what the network answers anew from the state of a series: stock, orders on their way, the
requirement curve, the forecast's shape, the costs. The answer moves the normal score of that formula by at most
`REACH`, so an order is never far from the formula's, and everything that reads `known` (packs, prices of limits,
reasons) goes on as before.

All that is read is free of units: twice the demand, stock and arrivals give the same answer. Each series is computed by
itself in one order of sums, with nothing but + - * / in the layers, so its bits depend on nothing else.

Hidden units are v / (1 + |v|), softsign: smooth, and exact arithmetic on every machine.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fullshelf.kernels.compile import core, loop
from fullshelf.kernels.quantile_grid import complete, mean_of, value_at, variance_of
from fullshelf.kernels.special import normal_quantile

__all__ = [
    "FARTHEST",
    "FEATURES",
    "LEAST_KNOWN",
    "LEAST_SCORE",
    "LONGEST",
    "MARKS",
    "MOST",
    "REACH",
    "SLOTS",
    "Weights",
    "network_known",
    "order_features",
    "softsign",
]

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

LONGEST = 6  # periods of lead time
SLOTS = 4  # newest orders that are read one by one
MARKS = (0.05, 0.2, 0.5, 0.8, 0.95, 0.99)  # levels at which the requirement is read
FEATURES = 9 + SLOTS + len(MARKS)
REACH = 1.0  # of the correction, normal scores
LEAST_SCORE = 0.25  # of a critical ratio, for the step from scores to `known`
LEAST_KNOWN = -0.9  # below -1 an order would rise with the price of what it uses, and fall as shortages get dearer
MOST = 4.0  # periods of mean demand that an order is read as at most
FARTHEST = 8.0  # deviations of a period that the requirement is read as away from the demand


class Weights(NamedTuple):
    """Two hidden layers of W units."""

    first: Array  # (W, FEATURES)
    first_bias: Array  # (W,)
    second: Array  # (W, W)
    second_bias: Array  # (W,)
    last: Array  # (W,)
    last_bias: Array  # (1,)


@core
def softsign(v: float) -> float:
    """Return v / (1 + |v|).

    >>> softsign(-3.0)
    -0.75
    """
    return v / (1.0 + abs(v))


@core
def _capped(value: float, most: float) -> float:
    return min(max(value, 0.0), most)


@core
def order_features(
    levels: Array, grid: Array, single: NDArray[np.float32], running: NDArray[np.float32], need: Array, rate: float,
    lead: int, score: float, known: float, on_hand: float, lost: float, steps: Ints, units: Array, curve: Array,
    out: Array,
) -> None:  # fmt: skip
    """Write what the network reads of one series to `out` (FEATURES,).

    Parameters
    ----------
    levels, grid
        (Q,) levels of the forecast and (K,) of the curves, K = Q + 1: 0 first.
    single, running
        (T, Q) quantiles of the demand of period k, and of periods 1…k, T > lead.
    need
        (K,) requirement, units.
    rate
        Mean demand of a period, units, above 0.
    lead
        L, periods, at least 1.
    score, known
        Normal score of the critical ratio; what the formula takes for `known`.
    on_hand, lost
        Units; units expected to be lost before the order arrives.
    steps, units
        Arrivals on their way: at the start of which period, how much.
    curve
        (K,) scratch.
    """
    complete(levels, running[lead], curve)
    of_total = math.sqrt(variance_of(grid, curve))
    complete(levels, single[lead], curve)
    mean = mean_of(grid, curve)
    spread = max(math.sqrt(variance_of(grid, curve)), 0.05 * rate)
    first, position = on_hand, on_hand
    for i in range(SLOTS):
        out[i] = 0.0
    for j in range(steps.size):
        position += units[j]
        if steps[j] <= 1:
            first += units[j]
        elif 0 <= lead - steps[j] < SLOTS:
            out[lead - steps[j]] += units[j]
    for i in range(SLOTS):
        out[i] = 0.5 * _capped(out[i] / rate, MOST)
    for i in range(len(MARKS)):
        apart = (value_at(grid, need, MARKS[i]) - value_at(grid, curve, MARKS[i])) / spread
        out[SLOTS + i] = 0.25 * max(apart, -FARTHEST)
    at = SLOTS + len(MARKS)
    middle = value_at(grid, curve, 0.5)
    out[at] = 0.5 * score
    out[at + 1] = known
    out[at + 2] = 1.0 / (1.0 + lead)
    out[at + 3] = spread / (spread + rate)
    out[at + 4] = _capped(position / (rate * (lead + 1)), MOST)
    out[at + 5] = 0.5 * _capped(first / rate, MOST)
    out[at + 6] = lost / (rate * lead)
    out[at + 7] = (middle - mean) / spread
    out[at + 8] = of_total / (spread * math.sqrt(lead + 1.0))


@core
def _answer(weights: Weights, given: Array, hidden: Array, deeper: Array) -> float:
    """Return the correction of the score, between -REACH and REACH."""
    W = hidden.size
    for i in range(W):
        total = weights.first_bias[i]
        for j in range(given.size):
            total += weights.first[i, j] * given[j]
        hidden[i] = softsign(total)
    for i in range(W):
        total = weights.second_bias[i]
        for j in range(W):
            total += weights.second[i, j] * hidden[j]
        deeper[i] = softsign(total)
    total = weights.last_bias[0]
    for i in range(W):
        total += weights.last[i] * deeper[i]
    return REACH * softsign(total)


@loop
def network_known(
    weights: Weights, levels: Array, single: NDArray[np.float32], running: NDArray[np.float32], need: Array,
    rate: Array, lead: Ints, underage: Array, overage: Array, on_hand: Array, lost: Array, offsets: Ints, steps: Ints,
    units: Array, use: NDArray[np.bool_], known: Array,
) -> None:  # fmt: skip
    """Put the network's answer in the place of the formula's `known` (S,) where `use` (S,) says so.

    Parameters
    ----------
    weights
        Of the network.
    levels, single, running, need
        (Q,), (S, T, Q), (S, T, Q), (S, Q + 1); see `order_features`.
    rate, lead, on_hand, lost
        (S,) as there.
    underage, overage
        (S,) currency per unit short and left.
    offsets, steps, units
        (S + 1,), (A,), (A,): arrivals of each series.
    """
    W = weights.first.shape[0]
    grid = np.zeros(levels.size + 1)
    grid[1:] = levels
    given, hidden, deeper, curve = np.empty(FEATURES), np.empty(W), np.empty(W), np.empty(grid.size)
    for s in range(known.size):
        if not use[s]:
            continue
        mine, amounts = steps[offsets[s] : offsets[s + 1]], units[offsets[s] : offsets[s + 1]]
        total = underage[s] + overage[s]
        score = normal_quantile(underage[s] / total, overage[s] / total)
        order_features(
            levels, grid, single[s], running[s], need[s], rate[s], lead[s], score, known[s], on_hand[s], lost[s], mine,
            amounts, curve, given,
        )  # fmt: skip
        moved = _answer(weights, given, hidden, deeper)
        known[s] = min(max(known[s] + moved / max(score, LEAST_SCORE), LEAST_KNOWN), 1.0)
