"""Weighing forecasts by their past losses and averaging their quantiles."""

import math

import numpy as np
from numpy.typing import NDArray

from fullshelf.kernels.compile import core, loop

__all__ = ["average_forecasts", "inverse_square_weights", "member_weights", "past_losses", "single_losses"]

Array = NDArray[np.float64]
Single = NDArray[np.float32]


@core
def _losses(
    actual: Single, stocked: Single, levels: Array, quantiles: Single, cumulative: Single
) -> tuple[float, float]:
    single = total = units = 0.0
    complete = True
    for k in range(actual.size):
        units += actual[k]
        complete = complete and stocked[k] >= 1.0
        one = several = 0.0
        for j in range(levels.size):
            e = actual[k] - quantiles[k, j]
            if e > 0.0:
                one += levels[j] * e
            elif stocked[k] >= 1.0:
                one += (levels[j] - 1.0) * e
            e = units - cumulative[k, j]
            if e > 0.0:
                several += levels[j] * e
            elif complete:
                several += (levels[j] - 1.0) * e
        single += one
        total += several / math.sqrt(k + 1.0)
    return single, total


@loop
def past_losses(actual: Single, stocked: Single, levels: Array, quantiles: Single, cumulative: Single) -> Array:
    """Return the (M, S, 2) pinball losses of M members: of the periods, and of the totals of periods 1…k over √k.

    A stocked-out period bounds demand from below: it counts where the forecast lies below the sale, and so do totals
    that hold one.

    Parameters
    ----------
    actual, stocked
        (S, H) units and share of the period in stock that came true.
    levels
        (Q,) probabilities.
    quantiles, cumulative
        (M, S, H, Q) forecasts: units per period, units in periods 1…k.

    Examples
    --------
    >>> import numpy as np
    >>> y, stocked = np.array([[3, 1]], dtype=np.float32), np.ones((1, 2), dtype=np.float32)
    >>> q, total = np.array([[[[1], [2]]]], dtype=np.float32), np.array([[[[1], [4]]]], dtype=np.float32)
    >>> past_losses(y, stocked, np.array([0.5]), q, total).ravel().tolist()
    [1.5, 1.0]
    """
    M, S = quantiles.shape[0], quantiles.shape[1]
    losses = np.empty((M, S, 2))
    for m in range(M):
        for s in range(S):
            losses[m, s, 0], losses[m, s, 1] = _losses(actual[s], stocked[s], levels, quantiles[m, s], cumulative[m, s])
    return losses


@loop
def member_weights(losses: Array, origins: NDArray[np.int64], prior: Array, sharpness: float) -> Array:
    """Return the (M, S) weights prior x (relative loss)^(-sharpness x origins), which sum to 1 for each series.

    Parameters
    ----------
    losses
        (M, S, 2) summed losses; each of the two is taken relative to the members' average, then both count half.
    origins
        (S,) how many origins the losses come from; 0 leaves the prior.
    prior
        (M,) positive.
    sharpness
        How much an origin says.

    Examples
    --------
    >>> import numpy as np
    >>> losses = np.array([[[1.0, 1.0]], [[3.0, 3.0]]])
    >>> member_weights(losses, np.array([1]), np.array([1.0, 1.0]), 1.0).round(2).tolist()
    [[0.75], [0.25]]
    """
    M, S = losses.shape[0], losses.shape[1]
    weights = np.empty((M, S))
    for s in range(S):
        single = total = 0.0
        for m in range(M):
            single += losses[m, s, 0] / M
            total += losses[m, s, 1] / M
        sum_of_weights = 0.0
        for m in range(M):
            loss = 1.0
            if single > 0.0 and total > 0.0:
                loss = 0.5 * (losses[m, s, 0] / single + losses[m, s, 1] / total)
            weights[m, s] = prior[m] * max(loss, 1e-3) ** (-sharpness * origins[s])
            sum_of_weights += weights[m, s]
        for m in range(M):
            weights[m, s] /= sum_of_weights
    return weights


@loop
def single_losses(actual: Single, stocked: Single, levels: Array, quantiles: Single) -> Array:
    """Return the (M, S) mean pinball losses of M members over single periods in stock throughout; 0 where none was.

    Parameters
    ----------
    actual, stocked
        (S, H) units and share of the period in stock that came true.
    levels
        (Q,) probabilities.
    quantiles
        (M, S, H, Q) forecasts, units per period.

    Examples
    --------
    >>> import numpy as np
    >>> y, stocked = np.array([[3, 1]], dtype=np.float32), np.array([[1, 0.5]], dtype=np.float32)
    >>> q = np.array([[[[1], [2]]], [[[3], [9]]]], dtype=np.float32)
    >>> single_losses(y, stocked, np.array([0.5]), q).tolist()
    [[1.0], [0.0]]
    """
    M, S, H, Q = quantiles.shape
    losses = np.zeros((M, S))
    for m in range(M):
        for s in range(S):
            count = 0
            for h in range(H):
                if stocked[s, h] < 1.0:
                    continue
                count += Q
                for j in range(Q):
                    e = float(actual[s, h]) - float(quantiles[m, s, h, j])
                    losses[m, s] += max(levels[j] * e, (levels[j] - 1.0) * e)
            if count > 0:
                losses[m, s] /= count
    return losses


@loop
def inverse_square_weights(losses: Array, least: float, most: float) -> Array:
    """Return the (M, S) weights in proportion to loss^-2, each bounded, which sum to 1 for each series.

    Bates and Granger (1969), "The combination of forecasts", weigh by the inverse of the mean squared error; here an
    error is a loss in units. Equal weights where no member lost anything. More than two members are scaled to the sum
    of 1 once they are bounded, which may take them past a bound.

    Parameters
    ----------
    losses
        (M, S) in units, never negative; one below 1e-9 of a series' sum counts as that.
    least, most
        Bounds of a weight.

    Examples
    --------
    >>> import numpy as np
    >>> losses = np.array([[1.0, 0.0, 0.0], [2.0, 5.0, 0.0]])
    >>> inverse_square_weights(losses, 0.1, 0.9).tolist()
    [[0.8, 0.9, 0.5], [0.2, 0.1, 0.5]]
    """
    M, S = losses.shape
    weights = np.full((M, S), 1.0 / M)
    for s in range(S):
        lost = 0.0
        for m in range(M):
            lost += losses[m, s]
        if lost <= 0.0:
            continue
        inverse = bounded = 0.0
        for m in range(M):
            share = max(losses[m, s] / lost, 1e-9)
            weights[m, s] = 1.0 / (share * share)
            inverse += weights[m, s]
        for m in range(M):
            weights[m, s] = min(max(weights[m, s] / inverse, least), most)
            bounded += weights[m, s]
        for m in range(M):
            weights[m, s] /= bounded
    return weights


@loop
def average_forecasts(weights: Array, whole: NDArray[np.bool_], forecasts: Single) -> Single:
    """Return the (S, H, Q) weighted average of (M, S, H, Q) forecasts, in whole numbers where `whole` (S,) says so.

    Averaged quantiles are as sharp as the members' own, where an averaged distribution would be wider. Rounding keeps a
    member of little weight from moving whole numbers by fractions; ties go down.
    """
    M, S, H, Q = forecasts.shape
    average = np.zeros((S, H, Q), dtype=np.float32)
    for s in range(S):
        for h in range(H):
            for j in range(Q):
                value = 0.0
                for m in range(M):
                    value += weights[m, s] * forecasts[m, s, h, j]
                average[s, h, j] = math.ceil(value - 0.5) if whole[s] else value
    return average
