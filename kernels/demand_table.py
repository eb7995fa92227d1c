"""Demand as a table of probabilities: entry k is P(D = k units), for kernels that enumerate what may happen."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fullshelf.kernels.distributions import Demand

__all__ = ["checked_table", "sum_of_periods", "tabulate"]

Array = NDArray[np.float64]

_LARGEST = 1 << 22  # entries of one table: 32 MiB


def tabulate(demand: Demand, tail: float = 1e-12) -> Array:
    """Return the probabilities of 0, 1, 2 … units, (K,) or (S, K) for S SKUs.

    Continuous demand is rounded to the nearest unit. The table ends where every SKU has at most `tail` left above; that
    rest is given to the last entry, so that each row sums to 1.

    Raises
    ------
    ValueError
        If a SKU's distribution does not exist or can be negative, `tail` is not in (0, 1), or a row would have more
        than 4,194,304 entries.

    Examples
    --------
    >>> tabulate(Demand.poisson(2.0), tail=0.01).round(3).tolist()
    [0.135, 0.271, 0.271, 0.18, 0.09, 0.036, 0.017]
    """
    if not 0 < tail < 1:
        raise ValueError(f"tail must be inside (0, 1), got {tail}")
    last = float(np.max(demand.upper_quantile(tail), initial=0.0))
    if not np.isfinite(np.asarray(demand.mean)).all():
        raise ValueError("a SKU has no demand distribution: its parameters are negative, NaN or contradict each other")
    if not last < _LARGEST:
        raise ValueError(f"the table would have {last:.3g} entries, more than {_LARGEST}: use units of more pieces")
    shape = np.shape(demand.mean)
    units = np.arange(np.ceil(last) + 1.0)
    each = Demand(demand.family, *(np.broadcast_to(x, shape)[..., None] for x in (demand.a, demand.b)))
    if demand.discrete:
        table = each.density(units)
    else:
        if (np.asarray(demand.cdf(-0.5)) > tail).any():
            raise ValueError("a SKU's demand can be negative: a table of probabilities starts at 0 units")
        below = each.cdf(units + 0.5)
        table = np.diff(below, axis=-1, prepend=0.0)
    table[..., -1] += np.maximum(1.0 - table.sum(-1), 0.0)
    return np.asarray(table / table.sum(-1, keepdims=True))


def sum_of_periods(table: ArrayLike, periods: int) -> Array:
    """Return the table of the total of independent periods, (periods (K - 1) + 1,); no period is a certain 0.

    Examples
    --------
    >>> sum_of_periods([0.5, 0.5], 2).tolist()
    [0.25, 0.5, 0.25]
    """
    one = checked_table(table)
    if periods < 0:
        raise ValueError(f"periods must be at least 0, got {periods}")
    total = np.ones(1)
    for _ in range(periods):
        total = np.convolve(total, one)
    return total


def checked_table(table: ArrayLike) -> Array:
    """Return the table as a (K,) array.

    Raises
    ------
    ValueError
        If it is empty, has a value below 0 or NaN, or does not sum to 1 within 1e-9.

    Examples
    --------
    >>> checked_table([0.25, 0.75]).tolist()
    [0.25, 0.75]
    """
    array = np.asarray(table, dtype=np.float64)
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"a demand table must be (K,) with P(D = k) at k, got shape {array.shape}")
    if not (array >= 0).all() or abs(array.sum() - 1.0) > 1e-9:
        raise ValueError(f"probabilities must be at least 0 and sum to 1, got a sum of {array.sum()}")
    return array
