"""The seasonal naive forecast: the last season again, with the spread of past seasonal differences around it."""

import math

import numpy as np
from numpy.typing import NDArray

from fullshelf.kernels.compile import core, loop
from fullshelf.kernels.demand_law import whole
from fullshelf.kernels.demand_level import block_length
from fullshelf.kernels.exposure import NOTHING, fill_exposure
from fullshelf.kernels.forecast_store import store_means, store_quantiles
from fullshelf.kernels.sorting import sort_together

__all__ = ["seasonal_naive", "seasonal_naive_forecasts"]

Array = NDArray[np.float64]
Single = NDArray[np.float32]

WINDOW = 128  # newest differences that are read, or four seasons where that is more


@core
def _last_season(y: Single, exposure: Array, m: int, last: Array) -> None:
    """Write the newest value of each phase that was in stock, or what was sold since if that is more."""
    n = y.size
    for j in range(m):
        best = 0.0
        t = n - m + j
        while t >= 0:
            if exposure[t] > 0.0:
                best = max(best, y[t] / exposure[t])
                if exposure[t] >= 1.0:
                    break
            else:
                best = max(best, float(y[t]))
            t -= m
        last[j] = best


@core
def _series(
    y: Single,
    observed: Single,
    factor: Single,
    ahead: Single,
    season: int,
    levels: Array,
    quantiles: Array,
    cumulative: Array,
    mean: Array,
) -> None:
    """Forecast one series into the outputs; arguments as in `seasonal_naive_forecasts`.

    The median and the mean are the last season's value, or the last value where there is no whole season. Around it
    stand the quantiles of the absolute seasonal differences of the past, in both directions, times √c in the c-th
    season ahead. The spread of totals grows with k as that of sums of neighbouring differences did.
    """
    n, H, Q = y.size, mean.size, levels.size
    quantiles[:] = 0.0
    cumulative[:] = 0.0
    mean[:] = 0.0
    exposure = np.empty(n)
    if fill_exposure(y, observed, factor, exposure) <= 0.0:
        return
    counts = whole(y)
    m = season if n >= season else 1
    last = np.empty(m)
    if factor.size:
        plain = np.empty(n)
        fill_exposure(y, observed, factor[:0], plain)
        scaled = np.empty(n, dtype=np.float32)
        for t in range(n):
            scaled[t] = y[t] / factor[t] if factor[t] > 0.0 else 0.0
        y, exposure = scaled, plain
    _last_season(y, exposure, m, last)

    lag = m if n > m else 1
    start = max(lag, n - max(WINDOW, 4 * m))
    differences = np.empty(max(0, n - start) + 1)
    absolute = np.empty(differences.size)
    pairs = 0
    average = 0.0
    for t in range(n):
        average += y[t] / n
    for t in range(start, n):
        if exposure[t] >= 1.0 and exposure[t - lag] >= 1.0:
            differences[pairs] = y[t] - y[t - lag]
            absolute[pairs] = abs(differences[pairs])
            pairs += 1
    squares = average * average  # one difference as large as the mean is believed in before any is seen
    for i in range(pairs):
        squares += absolute[i] * absolute[i]
    one = math.sqrt(squares / (pairs + 1))
    absolute[pairs] = average
    # Sums of b neighbouring differences have the variance b^growth times that of one.
    b = min(m, block_length(n, H))
    growth = 1.0
    if b > 1 and pairs > 2 * b:
        window = summed = 0.0
        for i in range(pairs):
            window += differences[i] - (differences[i - b] if i >= b else 0.0)
            if i >= b - 1:
                summed += window * window
        ratio = (summed / (pairs - b + 1) + b * one * one / pairs) / (one * one)
        growth = min(2.0, max(1.0, math.log(max(ratio, 1e-300)) / math.log(b)))
    ordered = absolute[: pairs + 1]
    sort_together(ordered, differences[: pairs + 1])
    shape = np.empty(Q)
    for j in range(Q):
        place = abs(2.0 * levels[j] - 1.0) * pairs
        i = min(int(place), pairs - 1) if pairs else 0
        value = ordered[i] + (place - i) * (ordered[i + 1] - ordered[i]) if pairs else ordered[0]
        shape[j] = (value if levels[j] > 0.5 else -value) if levels[j] != 0.5 else 0.0
    total = seasons_spread = 0.0
    for h in range(H):
        scale = ahead[h] if ahead.size else 1.0
        value = last[h % m]
        ahead_seasons = math.sqrt(1.0 + h // m)
        mean[h] = value * scale
        total += mean[h]
        inside = h % m + 1
        spread = seasons_spread + ahead_seasons * float(inside) ** (0.5 * growth)
        if inside == m:
            seasons_spread = spread
        relative = total / max(1e-300, total / scale) if scale > 0.0 else 0.0
        for j in range(Q):
            low = max(0.0, (value + ahead_seasons * shape[j]) * scale)
            sum_low = max(0.0, total + spread * shape[j] * relative)
            quantiles[h, j] = math.floor(low + 0.5) if counts else low
            if h == 0:
                cumulative[h, j] = quantiles[h, j]
            else:
                cumulative[h, j] = max(cumulative[h - 1, j], math.floor(sum_low + 0.5) if counts else sum_low)


@loop
def seasonal_naive_forecasts(
    units: Single,
    observed: Single,
    factor: Single,
    ahead: Single,
    offsets: NDArray[np.int64],
    horizon: int,
    season: int,
    levels: Array,
) -> tuple[Single, Single, Single]:
    """Forecast S series by their last season; arguments and results as in `window_forecasts` for one member."""
    S, H, Q = offsets.size - 1, horizon, levels.size
    quantiles = np.empty((S, H, Q), dtype=np.float32)
    cumulative = np.empty((S, H, Q), dtype=np.float32)
    mean = np.empty((S, H), dtype=np.float32)
    one, totals, expected = np.empty((H, Q)), np.empty((H, Q)), np.empty(H)
    for s in range(S):
        start, stop = offsets[s], offsets[s + 1]
        past = factor[start:stop] if factor.size else factor
        future = ahead[s * H : s * H + H] if ahead.size else ahead
        _series(units[start:stop], observed[start:stop], past, future, season, levels, one, totals, expected)
        store_quantiles(one, quantiles[s])
        store_quantiles(totals, cumulative[s])
        store_means(expected, mean[s])
    return quantiles, cumulative, mean


def seasonal_naive(
    units: Single, observed: Single, offsets: NDArray[np.int64], horizon: int, season: int, levels: Array
) -> tuple[Single, Single, Single]:
    """Forecast S series by their last season.

    Parameters
    ----------
    units, observed
        (N,) units and share of the period in stock of all series, one after the other, oldest first.
    offsets
        (S + 1,) series s owns positions offsets[s] … offsets[s + 1] - 1.
    horizon, season
        Periods, H and m.
    levels
        (Q,) rising probabilities.

    Returns
    -------
    quantiles (S, H, Q) in units per period, cumulative (S, H, Q) in units per 1…k periods, mean (S, H).

    Examples
    --------
    >>> import numpy as np
    >>> units = np.array([1, 5, 2, 6, 1, 7], dtype=np.float32)
    >>> q, total, mean = seasonal_naive(units, np.ones_like(units), np.array([0, 6]), 3, 2, np.array([0.5]))
    >>> q.ravel().tolist(), total.ravel().tolist()
    ([1.0, 7.0, 1.0], [1.0, 8.0, 9.0])
    """
    return seasonal_naive_forecasts(units, observed, NOTHING, NOTHING, offsets, horizon, season, levels)
