"""A fixed set of demand paths whose running totals follow given distributions: what lost sales and shelf lives need.

What a new order must serve depends on what is left when it arrives, and that on how demand falls on the periods before:
sales lost in one period leave the next period's stock alone. The model gives the distribution of each running total
C_k = D_1 + … + D_k; these paths join them:

- The total of the protection interval is stratified: N paths take it at N levels with weights, 20 equal strata up to
  0.9 and ever finer ones above, because orders are decided in the upper tail. So its distribution is the model's own.
- Earlier and later totals follow as a Markov chain of normal scores (a Gaussian copula), z_k = r z_{k+1} + √(1 - r²) e,
  where e are fixed quasi-random normals. r, the correlation of C_k and C_{k+1}, is no assumption: it follows from
  three variances the model gives, Cov(C_k, C_{k+1}) = (Var C_k + Var C_{k+1} - Var D_{k+1}) / 2. For periods that do
  not depend on each other the chain is exact but for the shape of the copula.

The same nodes serve every series, so a series' numbers depend on nothing but itself.
"""

import math
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fullshelf.kernels.compile import core
from fullshelf.kernels.quantile_grid import tail_scale
from fullshelf.kernels.special import normal_cdf, normal_quantile

Ints = NDArray[np.int64]
Array = NDArray[np.float64]

BOUNDS = (0.93, 0.95, 0.965, 0.975, 0.985, 0.99, 0.995, 0.9975, 0.999, 0.9995, 0.9999, 1.0)  # of the upper strata
BODY = 20  # equal strata up to 0.9
EACH = 4  # paths in a stratum
DIMENSIONS = 16  # of the quasi-random normals; later totals use them again in turn
TABLE = 65  # knots of a total's quantiles over the normal score
REACH = 4.0  # the table's range of scores


class Nodes(NamedTuple):
    """N paths as levels and normal scores; the same for every series."""

    weight: Array  # (N,) sum 1
    score: Array  # (N,) rising; normal score of the protection interval's total
    noise: Array  # (N, DIMENSIONS) quasi-random standard normals
    table: Array  # (TABLE,) rising; levels at equal steps of the normal score


@cache
def path_nodes() -> Nodes:
    """Return the nodes, made once."""
    bounds = np.concatenate([np.linspace(0.0, 0.9, BODY + 1), BOUNDS])
    width = np.repeat(np.diff(bounds) / EACH, EACH)
    level = np.repeat(bounds[:-1], EACH) + width * (np.tile(np.arange(EACH), bounds.size - 1) + 0.5)
    root = 2.0  # of x^(d + 1) = x + 1: the generalised golden ratio (Roberts 2018)
    for _ in range(64):
        root = (1.0 + root) ** (1.0 / (DIMENSIONS + 1))
    steps = root ** -np.arange(1.0, DIMENSIONS + 1)
    points = (0.5 + np.outer(np.arange(1, level.size + 1), steps)) % 1.0
    scores = np.linspace(-REACH, REACH, TABLE)
    return Nodes(
        width,
        np.array([normal_quantile(u, 1.0 - u) for u in level]),
        np.array([[normal_quantile(u, 1.0 - u) for u in row] for row in points]),
        np.array([normal_cdf(z) for z in scores]),
    )


@core
def fill_table(levels: Array, values: Array, at: Array, out: Array) -> None:
    """Quantiles of one curve at the rising levels `at` into `out`: `value_at` for many levels in one sweep."""
    last = levels.size - 1
    scale = tail_scale(levels, values)
    k = 0
    for i in range(at.size):
        u = at[i]
        if u >= levels[last]:
            out[i] = values[last]
            if scale > 0.0:
                out[i] += scale * math.log((1.0 - levels[last]) / (1.0 - u))
        else:
            while levels[k + 1] <= u:
                k += 1
            out[i] = values[k] + (values[k + 1] - values[k]) * ((u - levels[k]) / (levels[k + 1] - levels[k]))


@core
def at_score(table: Array, z: float) -> float:
    """Quantile at a normal score, linear between the table's knots and level beyond its range."""
    position = (z + REACH) * ((TABLE - 1) / (2.0 * REACH))
    if position <= 0.0:
        return float(table[0])
    if position >= TABLE - 1:
        return float(table[TABLE - 1])
    k = int(position)
    return float(table[k] + (position - k) * (table[k + 1] - table[k]))


@core
def correlation(sd: float, next_sd: float, step_sd: float) -> float:
    """Correlation of two neighbouring running totals from their standard deviations and that of the period between."""
    if sd <= 0.0 or next_sd <= 0.0:
        return 0.0
    r = (sd * sd + next_sd * next_sd - step_sd * step_sd) / (2.0 * sd * next_sd)
    return min(max(r, 0.0), 1.0)


@core
def walk_totals(
    anchor: int, marks: Ints, total_sd: Array, step_sd: Array,
    tables: Array, score: Array, noise: Array, z: Array, totals: Array,
) -> None:  # fmt: skip
    """Fill totals (M, N): the running totals of N paths at M marked periods, through the chain of normal scores.

    Parameters
    ----------
    anchor
        Index of the mark whose total is stratified.
    marks
        (M,) rising; the periods k ≥ 1 whose totals are wanted.
    total_sd, step_sd
        (T,) standard deviations of C_1…C_T and D_1…D_T.
    tables
        (M, TABLE) quantiles of the totals at the marks.
    score, noise
        `Nodes`.
    z
        (N,) work space.
    totals
        (M, N) output; never falls from one mark to the next.
    """
    N = score.size
    M = marks.size
    dimensions = noise.shape[1]
    for i in range(N):
        z[i] = score[i]
        totals[anchor, i] = at_score(tables[anchor], z[i])
    for m in range(anchor - 1, -1, -1):
        r = 1.0
        for k in range(int(marks[m]), int(marks[m + 1])):
            r *= correlation(total_sd[k - 1], total_sd[k], step_sd[k])
        rest = math.sqrt(1.0 - r * r)
        for i in range(N):
            z[i] = r * z[i] + rest * noise[i, m % dimensions]
            totals[m, i] = min(at_score(tables[m], z[i]), totals[m + 1, i])
    for i in range(N):
        z[i] = score[i]
    for m in range(anchor + 1, M):
        r = 1.0
        for k in range(int(marks[m - 1]), int(marks[m])):
            r *= correlation(total_sd[k - 1], total_sd[k], step_sd[k])
        rest = math.sqrt(1.0 - r * r)
        for i in range(N):
            z[i] = r * z[i] + rest * noise[i, m % dimensions]
            totals[m, i] = max(at_score(tables[m], z[i]), totals[m - 1, i])
