"""How sure a difference in cost is: series and weeks are drawn again and again, with their costs under both contenders.

A paired bootstrap (Efron and Tibshirani 1993): what is common to both, the luck of a series, cancels. Two things could
have come out otherwise, and each is drawn by itself.

- Series: with replacement, each with all its rounds. This holds whatever binds a series' rounds to each other.
- Rounds: in blocks of neighbours (circular: Politis and Romano 1992), since a round's stock is the next one's. Only
  what the series of a round have in common is drawn here, for their own luck is in the draws of series already: the
  deviations are shrunk by the share of their variance that would be there if no two series had anything in common.

Without the second a week that hit all series alike would stand in every resample, and an interval would say how the
difference varies with other series in those same weeks.
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
    """Compare D contenders' costs (D, S, R) with the configured one's (S, R), over S series and R rounds.

    The draws depend on the seed, the name, S and R alone.

    Examples
    --------
    >>> same = difference(np.array([[[3.0], [5.0]]]), np.array([[3.0], [5.0]]), 100, 0, "all")
    >>> same.low.tolist(), same.high.tolist(), same.p_better.tolist()
    ([0.0], [0.0], [0.5])
    """
    D, S, R = cost.shape
    values = np.concatenate([base[None], cost - base])  # (1 + D, S, R)
    of_series = np.ascontiguousarray(values.sum(axis=2).T)  # (S, 1 + D)
    of_rounds = np.ascontiguousarray(values.sum(axis=1).T)  # (R, 1 + D)
    total, block = of_series.sum(axis=0), block_length(R)
    few = (R / (R - block)) ** 0.5 if block < R else 1.0  # deviations from a mean of so few blocks are too small
    # Of one series nothing says what it has in common with others: its rounds are drawn in full.
    shared = few * (np.array([shared_deviation(v, block) for v in values]) if S > 1 else np.ones(1 + D))
    random = np.random.default_rng([seed, zlib.crc32(name.encode())])
    drawn = np.zeros((resamples, 1 + D))
    for b in range(resamples if S and R else 0):
        rounds = (random.integers(0, R, -(-R // block))[:, None] + np.arange(block)).ravel()[:R] % R
        drawn[b] = of_series[random.integers(0, S, S)].sum(axis=0)
        drawn[b] += shared * (of_rounds[rounds].sum(axis=0) - total)
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


def block_length(rounds: int) -> int:
    """Return how many neighbouring rounds are drawn together: the cube root of their number (Künsch 1989).

    Examples
    --------
    >>> [block_length(n) for n in (0, 1, 4, 13, 26, 52)]
    [1, 1, 2, 2, 3, 4]
    """
    return int(max(1, round(rounds ** (1 / 3))))


def shared_deviation(values: Array, block: int) -> float:
    """Return the share of the standard deviation of block sums that S series (S, R) have in common.

    1 - Σ var(own) / var(sum), by the variances of their blocks, and its root: 0 if the series have nothing in common
    (then the variance of the sum is the sum of the variances), 1 if all move together.

    Examples
    --------
    >>> common = np.sin(np.arange(12.0))
    >>> round(shared_deviation(np.tile(common, (400, 1)), 2), 3), shared_deviation(common[None], 2)
    (0.999, 0.0)
    """
    if not values.size:
        return 0.0
    apart = values - values.mean(axis=1, keepdims=True)
    sums = sum(np.roll(apart, -i, axis=1) for i in range(block))
    together = float((np.sum(sums, axis=0) ** 2).sum())
    alone = float((sums**2).sum())
    return max(1.0 - alone / together, 0.0) ** 0.5 if together > 0 else 0.0
