"""How sure a difference in cost is: the series are drawn again and again, each with its costs under both contenders.

A paired bootstrap (Efron and Tibshirani 1993): what is common to both, the luck of a series, cancels. It says how the
difference would vary with other series of the same kind over the same rounds; weeks that hit all series alike are in
every resample.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SURE = 0.9  # of the intervals


@dataclass(frozen=True, slots=True)
class Difference:
    """Cost of a contender less that of the configured one: (D,) each, one for each of D contenders."""

    difference: Array  # currency
    low: Array  # 5 % quantile of the resamples
    high: Array  # 95 %
    relative: Array  # share of the configured one's cost
    relative_low: Array
    relative_high: Array
    p_better: Array  # share of the resamples in which the contender costs less; a draw counts half


def difference(cost: Array, base: Array, resamples: int, seed: int, name: str) -> Difference:
    """Compare D contenders' costs (D, S) with the configured one's (S,), over S series.

    The draws depend on the seed, the name and S alone.

    Examples
    --------
    >>> same = difference(np.array([[3.0, 5.0]]), np.array([3.0, 5.0]), 100, 0, "all")
    >>> same.low.tolist(), same.high.tolist(), same.p_better.tolist()
    ([0.0], [0.0], [0.5])
    """
    D, S = cost.shape
    values = np.ascontiguousarray(np.vstack([base, cost - base]).T)  # (S, 1 + D)
    random = np.random.default_rng([seed, zlib.crc32(name.encode())])
    drawn = np.empty((resamples, 1 + D))
    for b in range(resamples):
        drawn[b] = values[random.integers(0, S, S)].sum(axis=0) if S else 0.0
    total = values.sum(axis=0)
    tail = (1 - SURE) / 2
    low, high = np.quantile(drawn[:, 1:], [tail, 1 - tail], axis=0)
    share = np.zeros((resamples, D))
    np.divide(drawn[:, 1:], drawn[:, :1], out=share, where=drawn[:, :1] > 0)
    relative_low, relative_high = np.quantile(share, [tail, 1 - tail], axis=0)
    return Difference(
        difference=total[1:],
        low=low,
        high=high,
        relative=total[1:] / total[0] if total[0] > 0 else np.zeros(D),
        relative_low=relative_low,
        relative_high=relative_high,
        p_better=(drawn[:, 1:] < 0).mean(axis=0) + 0.5 * (drawn[:, 1:] == 0).mean(axis=0),
    )
