"""Demand of several periods from what is known of single ones, and lead times that are not certain.

Each function says in its name what it assumes. A model that gives the running totals itself needs none of them.
"""

import math

import numpy as np
from numpy.typing import NDArray

from fullshelf.kernels.compile import core, loop
from fullshelf.kernels.quantile_grid import cdf_at, complete, mean_of, value_at, variance_of
from fullshelf.kernels.special import normal_cdf, normal_quantile

__all__ = [
    "LONGEST",
    "autocorrelation",
    "lead_time_distribution",
    "mix_over_lead_times",
    "total_sd_ar1",
    "totals_by_moments_ar1",
]

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

LONGEST = 3.0  # standard deviations of the lead time that are looked at
PRECISION = 1e-7  # of a mixture's quantile, relative to the largest of the quantiles that are mixed
SHRINK = 20.0  # observations that a series' own autocorrelation must bring to count half


@core
def next_total_variance_ar1(variance: float, carried: float, sd: float, correlation: float) -> tuple[float, float]:
    """Variance of a total with one more period of deviation `sd`, AR(1); `carried` is the covariance in reserve.

    Start with (0, 0). After n periods of equal sd the variance is sd² [n + 2 Σ (n - k) r^k], r the correlation.
    """
    return variance + sd * sd + 2.0 * sd * carried, correlation * (carried + sd)


@loop
def total_sd_ar1(sd: Array, correlation: Array) -> Array:
    """Return standard deviations (S, T) of the totals of 1…k periods whose deviations are an AR(1) process.

    Parameters
    ----------
    sd
        (S, T) standard deviations of the single periods.
    correlation
        (S,) of neighbouring periods, in [-1, 1].

    Examples
    --------
    >>> total_sd_ar1(np.full((1, 7), 10.0), np.array([0.5]))[0, -1].round(6)
    np.float64(41.268935)
    """
    S, T = sd.shape
    out = np.empty((S, T))
    for s in range(S):
        variance, carried = 0.0, 0.0
        for k in range(T):
            variance, carried = next_total_variance_ar1(variance, carried, sd[s, k], correlation[s])
            out[s, k] = math.sqrt(max(variance, 0.0))
    return out


@loop
def totals_by_moments_ar1(
    levels: Array, quantiles: NDArray[np.float32], mean: NDArray[np.float32], correlation: Array
) -> NDArray[np.float32]:
    """Quantiles (S, T, Q) of the totals of 1…k periods from marginal quantiles, by moments under AR(1) correlation.

    Mean and variance of a total are exact under the assumption. Its shape lies between that of the single periods
    (their standardised quantiles, averaged with their deviations as weights) and the normal one, with the weight
    1 / √n: n = (Σ sd)² / variance is the number of independent periods that the total is worth; the skewness of a sum
    falls like that. With correlation 1 (n = 1) the result is the sum of the quantiles.

    Parameters
    ----------
    levels, quantiles, mean
        (Q,), (S, T, Q) and (S, T) of the single periods, units.
    correlation
        (S,) of neighbouring periods, 0…1.
    """
    S, T, Q = quantiles.shape
    out = np.empty((S, T, Q), np.float32)
    normal = np.empty(Q)
    for q in range(Q):
        normal[q] = normal_quantile(levels[q], 1.0 - levels[q])
    knots, values = np.zeros(Q + 1), np.empty(Q + 1)
    knots[1:] = levels
    shape = np.empty(Q)
    for s in range(S):
        centre, variance, carried, spread = 0.0, 0.0, 0.0, 0.0
        shape[:] = 0.0
        for k in range(T):
            complete(levels, quantiles[s, k], values)
            middle = mean_of(knots, values)
            sd = math.sqrt(variance_of(knots, values))
            variance, carried = next_total_variance_ar1(variance, carried, sd, correlation[s])
            centre += mean[s, k]
            spread += sd
            for q in range(Q):
                shape[q] += quantiles[s, k, q] - middle
            total_sd = math.sqrt(variance)
            weight = min(total_sd / spread, 1.0) if spread > 0.0 else 0.0
            for q in range(Q):
                standard = weight * shape[q] / spread + (1.0 - weight) * normal[q] if spread > 0.0 else 0.0
                value = np.float32(max(centre + total_sd * standard, 0.0))
                if k > 0:
                    value = max(value, out[s, k - 1, q])
                if q > 0:
                    value = max(value, out[s, k, q - 1])
                out[s, k, q] = value
    return out


@loop
def autocorrelation(units: NDArray[np.float32], observed: NDArray[np.float32], offsets: Ints, window: int) -> Array:
    """Correlation (S,) of neighbouring periods over the newest `window` ones, in [0, 0.95], shrunk towards 0 if few.

    Only pairs of periods that were in stock all the time count. A series with fewer than three pairs gets 0.
    """
    S = offsets.size - 1
    out = np.zeros(S)
    for s in range(S):
        begin, end = max(offsets[s], offsets[s + 1] - window), offsets[s + 1]
        count, total = 0, 0.0
        for i in range(begin, end):
            if observed[i] >= 1.0:
                count += 1
                total += units[i]
        if count < 4:
            continue
        mean = total / count
        square, product, pairs = 0.0, 0.0, 0
        for i in range(begin, end):
            if observed[i] >= 1.0:
                square += (units[i] - mean) ** 2
                if i > begin and observed[i - 1] >= 1.0:
                    product += (units[i] - mean) * (units[i - 1] - mean)
                    pairs += 1
        if pairs >= 3 and square > 0.0:
            raw = (product / pairs) / (square / count)
            out[s] = min(max(raw, 0.0), 0.95) * pairs / (pairs + SHRINK)
    return out


@core
def lognormal_excess(mean: float, log_sd: float, x: float) -> float:
    """E[(Y - x)+] of a log-normal Y with that mean and that deviation of its logarithm."""
    if x <= 0.0:
        return mean - x
    d = (math.log(mean / x) + 0.5 * log_sd * log_sd) / log_sd
    return mean * normal_cdf(d) - x * normal_cdf(d - log_sd)


@core
def fill_lead_times(mean: float, log_sd: float, first: int, out: Array) -> tuple[float, float]:
    """Share out a log-normal lead time linearly to the whole numbers beside; return their mean and variance.

    out (W,) becomes the probabilities of `first` … `first` + W - 1; what lies beyond counts as the nearest of them.
    """
    last = first + out.size - 1
    out[:] = 0.0
    total = centre = square = 0.0
    above = lognormal_excess(mean, log_sd, 0.0) + 1.0  # E[(Y - x)+] at x = -1, 0, 1 …
    here = lognormal_excess(mean, log_sd, 0.0)
    for periods in range(last):
        below = lognormal_excess(mean, log_sd, periods + 1.0)
        weight = max(above - 2.0 * here + below, 0.0)
        above, here = here, below
        out[max(periods, first) - first] += weight
        total += weight
    out[last - first] += max(1.0 - total, 0.0)
    for w in range(out.size):
        centre += out[w] * (first + w)
        square += out[w] * (first + w) ** 2
    return centre, square - centre * centre


@loop
def lead_time_distribution(mean: Array, sd: Array, longest: Ints) -> tuple[Ints, Array]:
    """Distributions of whole lead times with given mean and standard deviation: first (S,), weights (S, W).

    A lead time with deviation 0 is its mean, rounded up to whole periods. Others are log-normal, shared out to the
    whole numbers beside, on mean ± 3 sd and at most `longest`; what lies beyond counts as the end. The log-normal's own
    mean and deviation are moved until the whole numbers have the wanted ones, as near as such numbers can.

    Parameters
    ----------
    mean, sd
        (S,) periods.
    longest
        (S,) periods.
    """
    S = mean.size
    first, last = np.empty(S, np.int64), np.empty(S, np.int64)
    for s in range(S):
        first[s] = last[s] = math.ceil(mean[s] - 1e-9)
        if sd[s] > 0.0 and mean[s] > 0.0:
            first[s] = max(0, math.floor(mean[s] - LONGEST * sd[s]))
            last[s] = math.ceil(mean[s] + LONGEST * sd[s])
        last[s] = max(min(last[s], longest[s]), 0)
        first[s] = min(first[s], last[s])
    weights = np.zeros((S, max(1, (last - first).max() + 1) if S else 1))
    for s in range(S):
        if first[s] == last[s]:
            weights[s, 0] = 1.0
            continue
        mine = weights[s, : last[s] - first[s] + 1]
        centre = mean[s]
        for _ in range(12):
            low, high = 1e-3, 3.0
            for _ in range(30):
                log_sd = 0.5 * (low + high)
                if fill_lead_times(centre, log_sd, first[s], mine)[1] < sd[s] * sd[s]:
                    low = log_sd
                else:
                    high = log_sd
            centre *= mean[s] / max(fill_lead_times(centre, low, first[s], mine)[0], 1e-9)
    return first, weights


@loop
def mix_over_lead_times(
    levels: Array, running: NDArray[np.float32], first: Ints, weights: Array, review: Ints, out: Array
) -> None:
    """Quantiles (S, Q) of the demand of lead time + review periods where the lead time is a distribution.

    The cdf is the mixture of the totals' cdfs. `levels` (Q,) with `running` (S, T, Q) in periods 1…k; `first`,
    `weights` as of `lead_time_distribution`; every lead time + review ≤ T.
    """
    S, _, Q = running.shape
    W = weights.shape[1]
    knots, curves = np.zeros(Q + 1), np.zeros((W, Q + 1))
    knots[1:] = levels
    for s in range(S):
        used = 0
        for w in range(W):
            if weights[s, w] > 0.0:
                complete(levels, running[s, first[s] + w + review[s] - 1], curves[w])
                used = w + 1
        if used == 1:
            out[s] = curves[0, 1:]
            continue
        for q in range(Q):
            low, high = math.inf, 0.0
            for w in range(used):
                if weights[s, w] > 0.0:
                    low = min(low, curves[w, 0])
                    high = max(high, value_at(knots, curves[w], levels[q]))
            near = PRECISION * high
            while high - low > near:
                middle = 0.5 * (low + high)
                below = 0.0
                for w in range(used):
                    if weights[s, w] > 0.0:
                        below += weights[s, w] * cdf_at(knots, curves[w], middle)
                if below < levels[q]:
                    low = middle
                else:
                    high = middle
            out[s, q] = high
