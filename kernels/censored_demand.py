"""Demand behind sales when some periods were sold out: there the sales are only a lower bound of the demand.

Samples lie along the last axis; NaN stands for no observation, so that SKUs may have different numbers of them. The
fits here assume a distribution, `fullshelf.kernels.kaplan_meier` assumes none.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fullshelf.kernels.blocks import FloatArray, floats
from fullshelf.kernels.compile import core, loop
from fullshelf.kernels.negative_binomial import negative_binomial_mass, negative_binomial_tails
from fullshelf.kernels.poisson import poisson_mass, poisson_tails
from fullshelf.kernels.threads import in_threads

__all__ = ["CensoredFit", "negative_binomial_fit", "poisson_fit", "sample_rows"]


@dataclass(frozen=True, slots=True)
class CensoredFit:
    """The most likely distribution of demand, one entry for each SKU.

    Attributes
    ----------
    mean, variance
        Of demand in one period, units and units squared.
    mean_sales
        Average of the sales as if no period had been sold out, units per period.
    log_likelihood
        Of the observations under the fit.
    """

    mean: FloatArray
    variance: FloatArray
    mean_sales: FloatArray
    log_likelihood: FloatArray


@core
def group(
    sales: FloatArray, censored: NDArray[np.bool_], values: FloatArray, seen: FloatArray, short: FloatArray
) -> int:
    """Count equal sales: `seen` exactly, `short` as lower bounds. Returns how many values, -1 where one is no count."""
    n = 0
    for i in range(sales.size):
        x = sales[i]
        if x != x:
            continue
        if not (x >= 0.0 and x < math.inf) or x != np.floor(x):
            return -1
        at = 0
        while at < n and values[at] != x:
            at += 1
        if at == n:
            values[n] = x
            seen[n] = short[n] = 0.0
            n += 1
        if censored[i]:
            short[at] += 1.0
        else:
            seen[at] += 1.0
    return n


@core
def log_likelihood(mean: float, extra: float, values: FloatArray, seen: FloatArray, short: FloatArray, n: int) -> float:
    """Return the log-likelihood of the groups; extra = variance / mean - 1, the Poisson distribution where it is 0."""
    total = 0.0
    for i in range(n):
        if seen[i] > 0.0:
            mass = negative_binomial_mass(values[i], mean, extra) if extra > 0.0 else poisson_mass(values[i], mean)
            total += seen[i] * (math.log(mass) if mass > 0.0 else -1e4)
        if short[i] > 0.0 and values[i] > 0.0:
            above = (
                negative_binomial_tails(values[i] - 1.0, mean, extra)[1]
                if extra > 0.0
                else poisson_tails(values[i] - 1.0, mean)[1]
            )
            total += short[i] * (math.log(above) if above > 0.0 else -1e4)
    return total


@core
def poisson_rate(values: FloatArray, seen: FloatArray, short: FloatArray, n: int) -> float:
    """Return the rate where the slope of the log-likelihood is 0; NaN where it rises for ever, or nothing is known."""
    exact = 0.0
    total = 0.0
    least = 0.0
    bounds = 0.0
    for i in range(n):
        exact += seen[i]
        total += seen[i] * values[i]
        bounds += short[i] * values[i]
        least = max(least, values[i] if short[i] > 0.0 else 0.0)
    if exact == 0.0:
        return math.nan
    if bounds == 0.0:  # a bound of 0 says nothing
        return total / exact
    # The slope, sum of x / rate - 1 over exact sales and P(X = c - 1) / P(X >= c) over bounds, falls with the rate.
    low = total / exact
    high = low + 1.0
    for i in range(n):
        high += short[i] * values[i] / exact
    rate = low + 0.5 * bounds / exact if low == 0.0 else low
    for _ in range(200):
        slope = total / rate - exact
        curve = -total / (rate * rate)
        for i in range(n):
            if short[i] > 0.0 and values[i] > 0.0:
                c = values[i]
                above = poisson_tails(c - 1.0, rate)[1]
                hazard = poisson_mass(c - 1.0, rate) / above if above > 0.0 else c / rate
                slope += short[i] * hazard
                curve += short[i] * hazard * ((c - 1.0) / rate - 1.0 - hazard)
        if slope > 0.0:
            low = rate
        else:
            high = rate
        step = -slope / curve if curve < 0.0 else math.inf
        following = rate + step
        if not low < following < high:
            following = 0.5 * (low + high)
        if abs(following - rate) <= 1e-15 * rate or high - low <= 1e-15 * high:
            return following
        rate = following
    return rate


@core
def negative_binomial_climb(
    mean: float, extra: float, values: FloatArray, seen: FloatArray, short: FloatArray, n: int
) -> tuple[float, float]:
    """Return log mean and log extra of the highest likelihood near a start: Nelder and Mead's simplex, twice."""
    x = np.empty(3)
    y = np.empty(3)
    f = np.empty(3)
    x[0] = math.log(mean)
    y[0] = math.log(extra)
    for start in range(2):
        step = 0.5 if start == 0 else 0.01
        x[1], y[1] = x[0] + step, y[0]
        x[2], y[2] = x[0], y[0] + 2.0 * step
        for j in range(3):
            f[j] = -log_likelihood(math.exp(x[j]), math.exp(y[j]), values, seen, short, n)
        for _ in range(150):
            best, worst = 0, 0  # np.argsort would take seconds to compile
            for j in range(1, 3):
                best = j if f[j] < f[best] else best
                worst = j if f[j] >= f[worst] else worst
            middle = 3 - best - worst
            if (
                abs(x[worst] - x[best]) + abs(x[middle] - x[best]) + abs(y[worst] - y[best]) + abs(y[middle] - y[best])
                < 1e-9
            ):
                break
            cx, cy = 0.5 * (x[best] + x[middle]), 0.5 * (y[best] + y[middle])
            shrink = True
            # Reflect; then go twice as far, or half as far, or half-way inside.
            rx, ry = 2.0 * cx - x[worst], min(max(2.0 * cy - y[worst], -14.0), 14.0)
            fr = -log_likelihood(math.exp(rx), math.exp(ry), values, seen, short, n)
            factor = 2.0 if fr < f[best] else (0.5 if fr < f[worst] else -0.5)
            if f[best] <= fr < f[middle]:
                x[worst], y[worst], f[worst] = rx, ry, fr
                continue
            ex, ey = cx + factor * (rx - cx), min(max(cy + factor * (ry - cy), -14.0), 14.0)
            fe = -log_likelihood(math.exp(ex), math.exp(ey), values, seen, short, n)
            if fe < min(fr, f[worst]):
                x[worst], y[worst], f[worst] = ex, ey, fe
                shrink = False
            elif fr < f[worst]:
                x[worst], y[worst], f[worst] = rx, ry, fr
                shrink = False
            if shrink:
                for j in (middle, worst):
                    x[j], y[j] = 0.5 * (x[j] + x[best]), 0.5 * (y[j] + y[best])
                    f[j] = -log_likelihood(math.exp(x[j]), math.exp(y[j]), values, seen, short, n)
        top = 0
        for j in range(1, 3):
            top = j if f[j] < f[top] else top
        x[0], y[0] = x[top], y[top]
    return x[0], y[0]


@loop
def _fits(sales: FloatArray, censored: NDArray[np.bool_], answers: FloatArray, overdispersed: bool) -> None:
    """Fill (rows, 4): mean, variance, mean of the sales, log-likelihood."""
    values = np.empty(sales.shape[1])
    seen = np.empty(sales.shape[1])
    short = np.empty(sales.shape[1])
    for s in range(sales.shape[0]):
        for j in range(4):
            answers[s, j] = math.nan
        n = group(sales[s], censored[s], values, seen, short)
        if n <= 0:
            continue
        count = 0.0
        total = 0.0
        square = 0.0
        for i in range(n):
            weight = seen[i] + short[i]
            count += weight
            total += weight * values[i]
            square += weight * values[i] * values[i]
        answers[s, 2] = total / count
        rate = poisson_rate(values, seen, short, n)
        if rate != rate:
            continue
        answers[s, 0] = answers[s, 1] = rate
        if rate == 0.0:
            answers[s, 3] = 0.0
            continue
        answers[s, 3] = log_likelihood(rate, 0.0, values, seen, short, n)
        if overdispersed:
            extra = max((square - total * total / count) / max(total, 1e-300) - 1.0, 0.2)
            x, y = negative_binomial_climb(rate, extra, values, seen, short, n)
            mean, extra = math.exp(x), math.exp(y)
            found = log_likelihood(mean, extra, values, seen, short, n)
            if y < 13.9 and found > answers[s, 3] + 1e-9 * abs(found):
                answers[s, 0] = mean
                answers[s, 1] = mean * (1.0 + extra)
                answers[s, 3] = found


def _fit(sales: ArrayLike, censored: ArrayLike, overdispersed: bool, parallel: bool) -> CensoredFit:
    rows, flags, shape = sample_rows(sales, censored)
    answers = np.empty((rows.shape[0], 4))
    in_threads(_fits, (rows, flags, answers), overdispersed, parallel=parallel)
    mean, variance, mean_sales, likelihood = (answers[:, j].reshape(shape)[()] for j in range(4))
    return CensoredFit(mean, variance, mean_sales, likelihood)


def sample_rows(sales: ArrayLike, censored: ArrayLike) -> tuple[FloatArray, NDArray[np.bool_], tuple[int, ...]]:
    """Return sales and flags as rows of one length, and the shape of the leading axes.

    Raises
    ------
    ValueError
        If there is no period at all, or `censored` is no truth value.

    Examples
    --------
    >>> rows, sold_out, shape = sample_rows([3, 5, 0], [0, 1, 0])
    >>> rows.tolist(), sold_out.tolist(), shape
    ([[3.0, 5.0, 0.0]], [[False, True, False]], ())
    """
    values = floats(sales)
    if values.ndim == 0 or values.shape[-1] == 0:
        raise ValueError(f"sales must list at least one period along the last axis, got shape {values.shape}")
    flags = np.asarray(censored)
    if flags.dtype != np.bool_:
        if not np.isin(flags, (0, 1)).all():
            raise ValueError("censored must say for each period whether it was sold out: True or False, 1 or 0")
        flags = flags.astype(np.bool_)
    rows = np.array(values).reshape(-1, values.shape[-1])
    return rows, np.array(np.broadcast_to(flags, values.shape)).reshape(rows.shape), values.shape[:-1]


def poisson_fit(sales: ArrayLike, censored: ArrayLike, *, parallel: bool = False) -> CensoredFit:
    """Return the most likely Poisson demand when some periods were sold out.

    Maximises sum over open periods of log P(X = x) + sum over sold-out periods of log P(X >= x) (Conrad 1976; Nahmias
    1994). A sold-out period with no sales at all says nothing.

    Parameters
    ----------
    sales
        (..., N) units sold in each period, whole numbers; NaN: not observed.
    censored
        (..., N) whether the period was sold out, so that demand was at least the sales; broadcasts.
    parallel
        Use all of numba's threads, for many SKUs.

    Returns
    -------
    CensoredFit
        NaN for a SKU whose sales are no counts, without observations, or with sold-out periods alone, whose likelihood
        rises for ever.

    Raises
    ------
    ValueError
        If there is no period at all, or `censored` is no truth value.

    Examples
    --------
    >>> fit = poisson_fit([3, 5, 5, 2, 4, 5, 1, 5, 3, 5], [0, 1, 1, 0, 0, 1, 0, 1, 0, 1])
    >>> float(fit.mean.round(4)), float(fit.mean_sales)
    (4.4516, 3.8)
    """
    return _fit(sales, censored, False, parallel)


def negative_binomial_fit(sales: ArrayLike, censored: ArrayLike, *, parallel: bool = False) -> CensoredFit:
    """Return the most likely negative binomial demand when some periods were sold out.

    The likelihood is climbed over mean and dispersion together, for sold-out periods tie them. Where no dispersion
    above the Poisson distribution's is more likely, the answer is the Poisson fit, variance = mean. Arguments, errors
    and NaN as of `poisson_fit`.

    >>> fit = negative_binomial_fit([0, 4, 1, 0, 9, 2, 0, 5, 1, 12], [0, 1, 0, 0, 1, 0, 0, 1, 0, 0])
    >>> float(fit.mean.round(2)), float(fit.variance.round(1)), float(fit.mean_sales)
    (6.93, 130.2, 3.4)
    """
    return _fit(sales, censored, True, parallel)
