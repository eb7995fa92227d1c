"""The newsvendor for demand given as quantiles, with what to expect of its answer."""

import numpy as np
from numpy.typing import ArrayLike

from fullshelf.kernels.blocks import floats
from fullshelf.kernels.critical_fractile import Newsvendor, critical_ratio
from fullshelf.kernels.empirical_demand import checked_levels
from fullshelf.kernels.newsvendor_grid import fill_newsvendor_grid
from fullshelf.kernels.quantile_grid import grid_excess, grid_mean, knots
from fullshelf.kernels.threads import in_threads

__all__ = ["quantile_grid"]


def quantile_grid(
    levels: ArrayLike,
    quantiles: ArrayLike,
    underage_cost: ArrayLike,
    overage_cost: ArrayLike,
    *,
    parallel: bool = False,
) -> Newsvendor:
    """Return the best stock for demand given by its quantiles at any rising levels, evenly spaced or not.

    Between two levels the quantile is linear in the level; below the first it falls linearly towards 0, above the last
    it rises as an exponential tail, both as `fullshelf.kernels.quantile_grid` says. Quantiles that fall are raised to
    the highest before them.

    Parameters
    ----------
    levels
        (Q,) rising probabilities inside (0, 1).
    quantiles
        (..., Q) units.
    underage_cost, overage_cost
        Currency per unit; broadcast against the leading axes of `quantiles`.
    parallel
        Use all of numba's threads.

    Returns
    -------
    Newsvendor
        Never below 0. A ratio above 1 - 1e-9 is answered as 1 - 1e-9. NaN for a SKU with an unknown quantile, a
        negative cost, or two costs of 0.

    Raises
    ------
    ValueError
        If the levels do not rise inside (0, 1), or the quantiles do not fit them.

    Examples
    --------
    >>> answer = quantile_grid([0.1, 0.5, 0.9], [2.0, 8.0, 20.0], underage_cost=3, overage_cost=1)
    >>> float(answer.quantity), float(answer.critical_ratio)
    (15.5, 0.75)
    """
    at, values = checked_levels(levels, quantiles)
    shape = np.broadcast_shapes(values.shape[:-1], np.shape(underage_cost), np.shape(overage_cost))
    rows = np.array(np.broadcast_to(values, (*shape, at.size))).reshape(-1, at.size)
    under, over = (np.array(np.broadcast_to(floats(cost), shape)).reshape(-1) for cost in (underage_cost, overage_cost))
    ratio = critical_ratio(under, over)
    with np.errstate(invalid="ignore"):
        known = np.isfinite(ratio) & np.isfinite(rows).all(axis=1)
    rows[~known] = under[~known] = over[~known] = 0.0
    corners, curves = knots(at, rows)
    quantity, short, mean = np.empty(under.size), np.empty(under.size), np.empty(under.size)

    def solve(*slices: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> None:
        curve, cu, co, best, lost, expected = slices
        fill_newsvendor_grid(curve, cu, co, best, corners)
        lost[:] = grid_excess(corners, curve, best)
        expected[:] = grid_mean(corners, curve)

    in_threads(solve, (curves, under, over, quantity, short, mean), parallel=parallel)
    left = np.maximum(quantity - mean + short, 0.0)
    answers = [quantity, ratio, under * short + over * left, short, left]
    return Newsvendor(*(np.where(known, answer, np.nan).reshape(shape)[()] for answer in answers))
