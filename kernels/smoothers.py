"""Smoothers on series whose demand is driven by known factors, and within bounds."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["with_factors"]

Array = NDArray[np.float64]
Single = NDArray[np.float32]
Offsets = NDArray[np.int64]
Forecasts = tuple[Single, Single, Single]

ROOM = 3.0  # smoothers extrapolate: no quantile of a period above three times the largest sale ever seen


def with_factors(
    smoother: Callable[[Single, Single, Offsets, int, int, Array], Forecasts],
    units: Single,
    observed: Single,
    factor: Single,
    ahead: Single,
    offsets: Offsets,
    horizon: int,
    season: int,
    levels: Array,
) -> Forecasts:
    """Forecast sales without their factors, bound the result, and put the factors ahead back in.

    Parameters
    ----------
    smoother
        Any forecaster of (units, observed, offsets, horizon, season, levels).
    units, observed, factor, ahead, offsets, horizon, season, levels
        As in `window_forecasts`.

    Returns
    -------
    quantiles (S, H, Q), cumulative (S, H, Q), mean (S, H).
    """
    plain = (units / factor).astype(np.float32, copy=False) if factor.size else units
    quantiles, cumulative, mean = smoother(plain, observed, offsets, horizon, season, levels)
    filled = np.append(plain, np.float32(0))  # so that a series without periods has a largest value, too
    most = np.maximum.reduceat(filled, offsets[:-1]) * np.float32(ROOM)
    periods = np.arange(1, horizon + 1, dtype=np.float32)
    np.minimum(quantiles, most[:, None, None], out=quantiles)
    np.minimum(cumulative, most[:, None, None] * periods[:, None], out=cumulative)
    np.minimum(mean, most[:, None], out=mean)
    if ahead.size:
        factors = ahead.reshape(mean.shape)
        plain_total = np.cumsum(mean, axis=1)
        quantiles *= factors[:, :, None]
        mean *= factors
        share = np.divide(np.cumsum(mean, axis=1), plain_total, out=np.ones_like(mean), where=plain_total > 0)
        cumulative *= share[:, :, None]
        np.maximum.accumulate(cumulative, axis=1, out=cumulative)
    return quantiles, cumulative, mean
