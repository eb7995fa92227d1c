"""The newsvendor for demand given by its outcomes: observed samples, or values with their probabilities."""

import math

import numpy as np
from numpy.typing import ArrayLike

from fullshelf.kernels.blocks import FloatArray, floats
from fullshelf.kernels.compile import loop
from fullshelf.kernels.critical_fractile import Newsvendor, critical_ratio

__all__ = ["discrete", "empirical"]


@loop
def _rows(values: FloatArray, weights: FloatArray, under: FloatArray, over: FloatArray, answers: FloatArray) -> None:
    """Fill quantity, shortage and leftover of rows of rising values; weights (rows or 1, n), NaN values come last."""
    for s in range(values.shape[0]):
        row = values[s]
        weight = weights[s if weights.shape[0] > 1 else 0]
        n = row.size
        while n > 0 and row[n - 1] != row[n - 1]:
            n -= 1
        total = 0.0
        for i in range(n):
            total += weight[i]
        cu, co = under[s], over[s]
        if n == 0 or not (min(cu, co) >= 0.0 and 0.0 < cu + co < math.inf):
            answers[0, s] = answers[1, s] = answers[2, s] = math.nan
            continue
        # The smallest value whose share reaches the ratio, compared in products: 19 of 20 must reach 19 / (19 + 1).
        reached = 0.0
        best = n - 1
        for i in range(n):
            reached += weight[i]
            if weight[i] > 0.0 and reached * (cu + co) >= cu * total * (1.0 - 1e-14):
                best = i
                break
        quantity = row[best]
        short = 0.0
        left = 0.0
        for i in range(n):
            short += weight[i] * max(row[i] - quantity, 0.0)
            left += weight[i] * max(quantity - row[i], 0.0)
        answers[0, s] = quantity
        answers[1, s] = short / total
        answers[2, s] = left / total


def _solve(values: FloatArray, weights: FloatArray, underage_cost: ArrayLike, overage_cost: ArrayLike) -> Newsvendor:
    shape = np.broadcast_shapes(values.shape[:-1], np.shape(underage_cost), np.shape(overage_cost))
    n = values.shape[-1]
    rows = np.array(np.broadcast_to(values, (*shape, n))).reshape(-1, n)
    if weights.ndim > 1:
        weights = np.array(np.broadcast_to(weights, (*shape, n))).reshape(-1, n)
    else:
        weights = weights.reshape(1, n)
    under = np.array(np.broadcast_to(underage_cost, shape), dtype=np.float64)
    over = np.array(np.broadcast_to(overage_cost, shape), dtype=np.float64)
    answers = np.empty((3, rows.shape[0]))
    _rows(rows, weights, under.reshape(-1), over.reshape(-1), answers)
    quantity, short, left = (answer.reshape(shape)[()] for answer in answers)
    return Newsvendor(quantity, critical_ratio(under, over), (under * short + over * left)[()], short, left)


def empirical(samples: ArrayLike, underage_cost: ArrayLike, overage_cost: ArrayLike) -> Newsvendor:
    """Return the best stock when every sample is as likely as any other.

    Parameters
    ----------
    samples
        (..., N) demands in any order, units; NaN stands for no sample, so that SKUs may have different numbers. A SKU
        without any sample answers NaN.
    underage_cost, overage_cost
        Currency per unit; broadcast against the leading axes of `samples`.

    Returns
    -------
    Newsvendor
        The smallest sample that at least the critical ratio of all samples does not exceed.

    Examples
    --------
    >>> answer = empirical([0, 0, 1, 0, 3, 2, 0, 0, 7, 1, 4, 0, 2, 5, 0, 1, 1, 0, 9, 2], 19, 1)
    >>> float(answer.quantity), float(answer.cost.round(9))
    (7.0, 7.1)
    """
    values = floats(samples)
    if values.ndim == 0:
        raise ValueError(f"samples must have at least one axis, got the single number {samples!r}")
    return _solve(np.sort(values, axis=-1), np.ones(values.shape[-1]), underage_cost, overage_cost)


def discrete(
    values: ArrayLike, probabilities: ArrayLike, underage_cost: ArrayLike, overage_cost: ArrayLike
) -> Newsvendor:
    """Return the best stock for demand of given values and probabilities.

    Parameters
    ----------
    values, probabilities
        (..., N) demands in any order, units, and how likely each is; they broadcast. A SKU whose probabilities are
        negative or do not add up to 1 within 1e-6 answers NaN.
    underage_cost, overage_cost
        Currency per unit.

    Examples
    --------
    Snyder and Shen, 2nd ed., problem 4.7 (b):

    >>> answer = discrete(range(1, 9), [0.25, 0.05, 0.1, 0.2, 0.15, 0.1, 0.1, 0.05], 1e6, 5e5)
    >>> float(answer.quantity), float(answer.cost.round(3))
    (5.0, 1225000.0)
    """
    if np.ndim(values) == 0 or np.ndim(probabilities) == 0 or np.shape(values)[-1] != np.shape(probabilities)[-1]:
        raise ValueError(
            f"values and probabilities must list the same outcomes along their last axis, "
            f"got shapes {np.shape(values)} and {np.shape(probabilities)}"
        )
    demands, weights = np.broadcast_arrays(floats(values), floats(probabilities))
    order = np.argsort(demands, axis=-1, kind="stable")
    demands, weights = np.take_along_axis(demands, order, axis=-1), np.take_along_axis(weights, order, axis=-1)
    proper = (
        (weights >= 0.0).all(axis=-1) & (np.abs(weights.sum(axis=-1) - 1.0) <= 1e-6) & np.isfinite(demands).all(axis=-1)
    )
    return _solve(np.where(proper[..., None], demands, np.nan), weights, underage_cost, overage_cost)
