"""Risk pooling: what one stock for several locations saves against a stock at each of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from fullshelf.kernels.blocks import FloatArray, floats
from fullshelf.kernels.newsvendor import normal

__all__ = ["Pooling", "pooling"]


@dataclass(frozen=True, slots=True)
class Pooling:
    """Deviation (units) and newsvendor cost (currency) of locations apart and of one stock for all of them."""

    separate_sd: FloatArray
    pooled_sd: FloatArray
    separate_cost: FloatArray
    pooled_cost: FloatArray


def pooling(sd: ArrayLike, underage_cost: ArrayLike, overage_cost: ArrayLike, correlation: ArrayLike = 0.0) -> Pooling:
    """Return what one stock for all locations saves against a stock at each, for normal demand.

    cost = (underage + overage) pdf(z) x deviation, z the normal quantile of the critical ratio; deviations add up apart
    and as roots of the variance together (Eppen 1979). For n equal, independent locations the ratio is sqrt(n).

    Parameters
    ----------
    sd
        (..., N) standard deviation of demand at each location, units.
    underage_cost, overage_cost
        Currency per unit, of the shape of the leading axes or scalars.
    correlation
        Of each pair of locations, likewise. NaN below -1 / (N - 1), which no N locations can have.

    Examples
    --------
    >>> answer = pooling([30, 30, 30, 30], underage_cost=9, overage_cost=1)
    >>> float(answer.separate_cost.round(3)), float(answer.pooled_cost.round(3))
    (210.598, 105.299)
    """
    deviations, r = floats(sd), floats(correlation)
    if deviations.ndim == 0:
        raise ValueError("sd is a single number: give one standard deviation for each location along the last axis")
    separate = deviations.sum(axis=-1)
    squares = (deviations**2).sum(axis=-1)
    lowest = -1.0 / max(deviations.shape[-1] - 1, 1)
    with np.errstate(invalid="ignore"):
        variance = squares + r * (separate**2 - squares)
        possible = (np.minimum.reduce(deviations, axis=-1) >= 0.0) & (r <= 1.0) & (r >= lowest * (1.0 + 1e-12))
        pooled = np.where(possible, np.sqrt(np.maximum(variance, 0.0)), np.nan)
    unit = normal(0.0, 1.0, underage_cost, overage_cost).cost
    return Pooling(separate[()], pooled[()], unit * separate, unit * pooled)
