"""The order that most ERP systems place: up to mean · (L + R) + z · sd · √(L + R), from the newest periods alone.

z is the normal quantile of the critical ratio (or of a service target). No trend, no season, no correction for
stock-outs: the yardstick beside which a forecast and a policy must earn their keep. Silver, Pyke and Thomas, Inventory
and production management in supply chains (2017), chapter 6.
"""

import numpy as np
from numpy.typing import NDArray

from fullshelf.kernels.compile import core, loop
from fullshelf.kernels.policies import least_order, whole_lots
from fullshelf.kernels.special import normal_quantile

__all__ = ["newest_moments", "smaller_lots", "textbook_level", "textbook_levels", "textbook_orders"]

Array = NDArray[np.float64]
LEAST = 1e-6  # a critical ratio stays this far from 0 and 1, where the normal has no quantile


@loop
def newest_moments(units: NDArray[np.float32], offsets: NDArray[np.int64], window: int, mean: Array, sd: Array) -> None:
    """Write mean and standard deviation (S,) of the newest `window` periods of each series, fewer where it is young.

    The deviation is that of a sample (divided by n - 1); that of one period is 0.

    Examples
    --------
    >>> mean, sd = np.empty(1), np.empty(1)
    >>> newest_moments(np.float32([9, 2, 4, 6]), np.array([0, 4]), 3, mean, sd)
    >>> mean.tolist(), sd.tolist()
    ([4.0], [2.0])
    """
    for s in range(mean.size):
        end = offsets[s + 1]
        begin = max(offsets[s], end - window)
        n = end - begin
        total = squares = 0.0
        for i in range(begin, end):
            total += units[i]
        mean[s] = total / n if n > 0 else 0.0
        for i in range(begin, end):
            squares += (units[i] - mean[s]) ** 2
        sd[s] = np.sqrt(squares / (n - 1)) if n > 1 else 0.0


@core
def textbook_level(mean: float, sd: float, periods: float, ratio: float) -> float:
    """Return the order-up-to level in units for demand of `mean` and `sd` a period.

    Examples
    --------
    >>> round(textbook_level(10.0, 3.0, 4.0, 0.975), 2)
    51.76
    """
    ratio = min(max(ratio, LEAST), 1.0 - LEAST)
    return float(max(mean * periods + normal_quantile(ratio, 1.0 - ratio) * sd * np.sqrt(periods), 0.0))


@loop
def textbook_levels(mean: Array, sd: Array, periods: Array, ratio: Array, out: Array) -> None:
    """Write `textbook_level` of S series, (S,) each."""
    for s in range(mean.size):
        out[s] = textbook_level(mean[s], sd[s], periods[s], ratio[s])


@loop
def textbook_orders(level: Array, position: Array, pack: Array, moq: Array, most: Array, out: Array) -> None:
    """Write the orders that lift inventory positions to levels, (S,) each: whole packs, at least the MOQ, else none.

    An order above `most` is cut to the packs that fit.

    Examples
    --------
    >>> out = np.empty(2)
    >>> one = np.ones(2)
    >>> textbook_orders(np.array([20.0, 20.0]), np.array([7.4, 19.8]), 6 * one, 0 * one, np.array([99.0, 99.0]), out)
    >>> out.tolist()
    [18.0, 0.0]
    """
    for s in range(level.size):
        least = least_order(pack[s], moq[s])
        quantity = whole_lots(max(level[s] - position[s], 0.0), pack[s], least)
        if quantity > most[s]:
            quantity = np.floor(most[s] / pack[s] + 1e-9) * pack[s]
        out[s] = quantity if quantity >= least else 0.0


@loop
def smaller_lots(quantity: Array, share: Array, pack: Array, moq: Array, out: Array) -> None:
    """Write that share (S,) of orders (S,), down to whole packs; nothing where that is below the MOQ.

    What a buyer does who must cut the orders of a round and has no prices to tell them apart.
    """
    for s in range(quantity.size):
        part = quantity[s] if share[s] >= 1.0 else np.floor(quantity[s] * share[s] / pack[s]) * pack[s]
        out[s] = part if part >= least_order(pack[s], moq[s]) else 0.0
