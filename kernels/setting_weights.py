"""Weights of G settings of one forecaster by their past errors at several horizons."""

import math

import numpy as np
from numpy.typing import NDArray

from fullshelf.kernels.compile import core

__all__ = ["HALF_LIFE", "LOOK_AHEAD", "horizons", "weigh_settings"]

Array = NDArray[np.float64]

HALF_LIFE = 60.0  # periods after which an error counts half
LOOK_AHEAD = (1, 2, 4, 8)  # periods ahead whose errors count
NEGLIGIBLE = 1e-3  # weight, relative to the best setting, below which a setting is left out


@core
def horizons(n: int) -> int:
    """Count how many horizons of LOOK_AHEAD a history of n periods can judge: those up to a third of it.

    Examples
    --------
    >>> horizons(2), horizons(12), horizons(100)
    (1, 3, 4)
    """
    K = 1
    for k in range(1, len(LOOK_AHEAD)):
        K += 1 if LOOK_AHEAD[k] <= n // 3 else 0
    return K


@core
def weigh_settings(error: Array, count: Array, floor: float, penalty: Array, weight: Array) -> int:
    """Write exp(-criterion / 2) of each setting, scaled to sum 1, into `weight`; return the best setting.

    The criterion is -2 log likelihood of normal errors, averaged over the horizons, plus the penalty; so the weights
    are those of Akaike (Burnham and Anderson 2002), with errors of several horizons in the place of one-step errors.
    Errors several periods ahead overlap, but they show what a one-step error cannot: whether a trend goes on.

    Parameters
    ----------
    error
        (K, G) discounted sums of squared errors of each horizon and setting, units².
    count
        (K,) the discounted number of errors in each sum.
    floor
        Added to each sum, so that a perfect fit does not end in log 0; units².
    penalty
        (G,) added to the criterion.
    weight
        (G,) output.
    """
    K, G = error.shape
    best = 0
    for g in range(G):
        criterion = 0.0
        for k in range(K):
            if count[k] > 0.0:
                criterion += math.log((error[k, g] + floor) / count[k])
        weight[g] = count[0] * criterion / K + penalty[g]
        if weight[g] < weight[best]:
            best = g
    least, total = weight[best], 0.0
    for g in range(G):
        relative = math.exp(-0.5 * (weight[g] - least))
        weight[g] = relative if relative > NEGLIGIBLE else 0.0
        total += weight[g]
    for g in range(G):
        weight[g] /= total
    return best
