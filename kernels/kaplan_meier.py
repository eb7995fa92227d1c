"""The distribution of demand behind sales when some periods were sold out, with no assumption on its form."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fullshelf.kernels.blocks import FloatArray, floats
from fullshelf.kernels.censored_demand import sample_rows
from fullshelf.kernels.compile import loop
from fullshelf.kernels.threads import in_threads

__all__ = ["KaplanMeier", "kaplan_meier"]


@dataclass(frozen=True, slots=True)
class KaplanMeier:
    """The product-limit estimate of how likely demand exceeds a value, with no assumption on its distribution.

    Attributes
    ----------
    values
        (..., N) the different sales in rising order, NaN behind the last.
    survival
        (..., N) P(X > value), NaN likewise.
    """

    values: FloatArray
    survival: FloatArray

    def quantile(self, level: ArrayLike) -> FloatArray:
        """Return the smallest value with P(X <= value) >= level; `level` broadcasts against the leading axes.

        NaN where even the largest value has too low a probability, for it was a lower bound only.

        >>> kaplan_meier([2, 3, 4, 5, 6], [0, 0, 0, 0, 1]).quantile([0.2, 0.5, 0.9]).tolist()
        [2.0, 4.0, nan]
        """
        reached = self.survival <= 1.0 - floats(level)[..., None] + 1e-12
        first = np.argmax(reached, axis=-1)
        values = np.broadcast_to(self.values, reached.shape)
        found = np.take_along_axis(values, first[..., None], axis=-1)[..., 0]
        answer: FloatArray = np.where(reached.any(axis=-1), found, np.nan)
        return answer[()]


@loop
def _survival(sales: FloatArray, censored: NDArray[np.bool_], values: FloatArray, survival: FloatArray) -> None:
    """Fill the estimate from rows of rising sales, NaN last."""
    for s in range(sales.shape[0]):
        known = 0
        for i in range(sales.shape[1]):
            known += sales[s, i] == sales[s, i]
            values[s, i] = survival[s, i] = math.nan
        share = 1.0
        found = 0
        i = 0
        while i < known:
            value = sales[s, i]
            events = 0
            at_risk = known - i
            while i < known and sales[s, i] == value:
                events += not censored[s, i]
                i += 1
            share *= 1.0 - events / at_risk
            values[s, found] = value
            survival[s, found] = share
            found += 1


def kaplan_meier(sales: ArrayLike, censored: ArrayLike, *, parallel: bool = False) -> KaplanMeier:
    """Return the product-limit estimate of demand when some periods were sold out (Kaplan and Meier 1958).

    P(X > x) = product over values v <= x of 1 - (periods with demand v) / (periods with sales >= v); a sold-out period
    counts among the latter only. `sales`, `censored` and errors as of `poisson_fit`; sales need not be whole numbers.

    >>> estimate = kaplan_meier([2, 3, 4, 4, 5, 6, 6, 7, 8, 9], [0, 0, 0, 1, 0, 1, 0, 0, 1, 0])
    >>> float(estimate.quantile(0.5))
    6.0
    """
    rows, flags, shape = sample_rows(sales, censored)
    order = np.argsort(rows, axis=-1)
    rows, flags = np.take_along_axis(rows, order, axis=-1), np.take_along_axis(flags, order, axis=-1)
    values, survival = np.empty_like(rows), np.empty_like(rows)
    in_threads(_survival, (rows, flags, values, survival), parallel=parallel)
    full = (*shape, rows.shape[1])
    return KaplanMeier(values.reshape(full), survival.reshape(full))
