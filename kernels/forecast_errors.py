"""How far forecasts lay from what came true, summed for each series."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from fullshelf.kernels.compile import loop

__all__ = ["ERRORS", "forecast_errors"]

ERRORS: Final = ("pairs", "units", "loss", "abs_error", "mean_minus_actual")  # columns that `forecast_errors` writes


@loop
def forecast_errors(
    levels: NDArray[np.float64],
    weighed: NDArray[np.bool_],
    median: int,
    quantiles: NDArray[np.float32],
    mean: NDArray[np.float64],
    truth: NDArray[np.float64],
    known: NDArray[np.bool_],
    sums: NDArray[np.float64],
    covered: NDArray[np.int64],
) -> None:
    """Sum up errors over the H steps of S series.

    Parameters
    ----------
    levels
        (Q,) probabilities.
    weighed
        (Q,) which levels the loss is the mean over.
    median
        Which level is the median; -1: none.
    quantiles, mean
        (S, H, Q) and (S, H) forecasts, units.
    truth, known
        (S, H) units, and whether they are demand; what is not known is left out.
    sums
        (S, 5) receives the columns of `ERRORS`: pairs of series and step that were compared; their units; twice the
        pinball loss, mean over the weighed levels (divided by the units it is the weighted quantile loss); absolute
        error of the median, NaN without one; mean less truth.
    covered
        (S, Q) receives the pairs with truth at or below each quantile.
    """
    S, H, Q = quantiles.shape
    count = 0
    for q in range(Q):
        count += weighed[q]
    for s in range(S):
        pairs = units = loss = wrong = bias = 0.0
        for q in range(Q):
            covered[s, q] = 0
        for h in range(H):
            if not known[s, h]:
                continue
            y = truth[s, h]
            pairs += 1.0
            units += y
            bias += mean[s, h] - y
            for q in range(Q):
                error = y - quantiles[s, h, q]
                covered[s, q] += error <= 0.0
                if weighed[q]:
                    loss += max(levels[q] * error, (levels[q] - 1.0) * error)
            if median >= 0:
                wrong += abs(y - quantiles[s, h, median])
        sums[s, 0] = pairs
        sums[s, 1] = units
        sums[s, 2] = 2.0 * loss / count if count > 0 else np.nan
        sums[s, 3] = wrong if median >= 0 else np.nan
        sums[s, 4] = bias
