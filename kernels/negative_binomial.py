"""Scalar cores of the negative binomial distribution by mean m and extra dispersion u = variance / mean - 1 > 0.

In these terms nothing cancels as u goes to 0, where the distribution becomes the Poisson one. The textbook's size is
r = m / u, its probabilities 1 / (1 + u) and u / (1 + u). `fullshelf.kernels.distributions.Demand.negative_binomial` is
the form for arrays; a mean or a dispersion of 0 is handled there.
"""

import math

import numpy as np

from fullshelf.kernels.compile import core
from fullshelf.kernels.special import SQRT_TWO_PI, divergence, normal_quantile, stirling_error

__all__ = [
    "negative_binomial_losses",
    "negative_binomial_mass",
    "negative_binomial_quantile",
    "negative_binomial_second_losses",
    "negative_binomial_tails",
]

ENDLESS = 1e100  # beyond it intermediate results overflow, and no probability is left


@core
def negative_binomial_mass(k: float, mean: float, extra: float) -> float:
    """Return P(X = k); 0 where k is negative or no integer."""
    if k < 0.0 or k != np.floor(k) or k > ENDLESS:
        return 0.0
    if k == 0.0:
        return math.exp(-mean * math.log1p(extra) / extra)
    size = mean / extra
    n = size + k
    excess = (k - mean) / (1.0 + extra)
    exponent = stirling_error(n) - stirling_error(size) - stirling_error(k)
    exponent -= divergence(size, n / (1.0 + extra), excess)
    exponent -= divergence(k, n * (extra / (1.0 + extra)), -excess)
    return math.exp(exponent) * math.sqrt(size / n / k) / SQRT_TWO_PI


@core
def beta_fraction(a: float, b: float, x: float) -> float:
    """Return the continued fraction of I_x(a, b) a B(a, b) / (x^a (1-x)^b) by Lentz's method, x < (a + 1)/(a + b + 2).

    Press et al., Numerical Recipes, 3rd ed., 6.4.6; the number of terms grows with the root of the larger parameter.
    """
    c = 1.0
    d = 1.0 - (a + b) * x / (a + 1.0)
    if abs(d) < 1e-300:
        d = 1e-300
    d = 1.0 / d
    fraction = d
    for m in range(1, 1_000_000):
        for odd in range(2):
            if odd == 0:
                numerator = m * (b - m) * x / ((a - 1.0 + 2.0 * m) * (a + 2.0 * m))
            else:
                numerator = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 1.0 + 2.0 * m))
            d = 1.0 + numerator * d
            if abs(d) < 1e-300:
                d = 1e-300
            c = 1.0 + numerator / c
            if abs(c) < 1e-300:
                c = 1e-300
            d = 1.0 / d
            factor = d * c
            fraction *= factor
        if abs(factor - 1.0) < 1e-16:
            break
    return fraction


@core
def _above(k: float, mean: float, extra: float) -> float:
    """Return P(X > k) where demand is 0 all but always: P(X > 0) less what lies in 1 ... k, which cancels little."""
    ratio = 1.0 / (1.0 + extra)
    none = -mean * math.log1p(extra) / extra
    total = -math.expm1(none)
    mass = math.exp(none)
    for j in range(int(k)):
        mass *= (mean + extra * j) * ratio / (j + 1.0)
        total -= mass
    return max(total, 0.0)


@core
def negative_binomial_tails(k: float, mean: float, extra: float) -> tuple[float, float]:
    """Return P(X <= k) and P(X > k) for any real k, the smaller of the two to nearly full relative precision.

    Little dispersion or small k: the probabilities themselves, added away from k. Else the continued fraction of the
    incomplete beta function (DLMF 8.17.22), which loses digits exactly where the sum is short.
    """
    if k < 0.0:
        return 0.0, 1.0
    if k > ENDLESS:
        return 1.0, 0.0
    k = float(np.floor(k))
    mass = negative_binomial_mass(k, mean, extra)
    size = mean / extra
    p = 1.0 / (1.0 + extra)
    if k <= mean:
        if extra < 1.0 or k < 50.0:
            total = 1.0
            term = 1.0
            j = k
            while j > 0.0 and term > 1e-17 * total:
                term *= j / ((mean + extra * (j - 1.0)) * p)
                total += term
                j -= 1.0
            below = min(mass * total, 1.0)
            return below, 1.0 - below if below < 0.99 else _above(k, mean, extra)
    elif extra < 1.0:
        total = 0.0
        term = 1.0
        j = k
        while term > 1e-17 * total:
            term *= (mean + extra * j) * p / (j + 1.0)
            total += term
            j += 1.0
        above = min(mass * total, 1.0)
        return 1.0 - above, above
    if p < (size + 1.0) / (size + k + 3.0):
        below = min(mass * (mean + extra * k) * p / size * beta_fraction(size, k + 1.0, p), 1.0)
        return below, 1.0 - below if below < 0.99 or k > 5000.0 else _above(k, mean, extra)
    above = min(mass * (mean + extra * k) * p / (k + 1.0) * beta_fraction(k + 1.0, size, extra * p), 1.0)
    return 1.0 - above, above


@core
def negative_binomial_quantile(p: float, q: float, mean: float, extra: float) -> tuple[float, float, float, float]:
    """Return the smallest k with P(X <= k) >= p, and P(X = k), P(X <= k), P(X > k) there; q = 1 - p.

    Added up from 0 where the answer is small, else bracketed around the Cornish-Fisher guess and bisected to a few
    units, then stepped through by adding probabilities.
    """
    if not (p >= 0.0 and q >= 0.0):
        return math.nan, math.nan, math.nan, math.nan
    if q == 0.0:
        return math.inf, 0.0, 1.0, 0.0
    ratio = 1.0 / (1.0 + extra)
    mass = math.exp(-mean * math.log1p(extra) / extra)
    if p <= mass:
        return 0.0, mass, mass, 1.0 - mass
    sd = math.sqrt(mean * (1.0 + extra))
    if q > 1e-6 and mass > 1e-290 and mean + 4.0 * sd < 500.0:
        total = mass
        k = 0.0
        while total < p and k < 2000.0:
            mass *= (mean + extra * k) * ratio / (k + 1.0)
            k += 1.0
            total += mass
        if total >= p:
            return k, mass, total, 1.0 - total
    z = normal_quantile(p, q)
    skewed = (1.0 + 2.0 * extra) / sd * (z * z - 1.0) / 6.0
    k = float(max(np.floor(mean + sd * (z + skewed)), 0))
    # Bracket: P(X <= low) < p <= P(X <= high).
    low = -1.0
    high = math.inf
    stride = 1.0 + float(np.floor(0.05 * sd))
    while high - low > 8.0:
        below, above = negative_binomial_tails(k, mean, extra)
        enough = below >= p if p <= q else above <= q
        if enough:
            high = k
        else:
            low = k
        if high == math.inf:
            k = low + stride
            stride *= 2.0
        elif low < 0.0 and high - stride > 0.0:
            k = high - stride
            stride *= 2.0
        else:
            k = float(np.floor(0.5 * (low + high)))
    if p <= q:
        k = max(low, 0.0)
        below, above = negative_binomial_tails(k, mean, extra)
        mass = negative_binomial_mass(k, mean, extra)
        while below < p:
            mass *= (mean + extra * k) * ratio / (k + 1.0)
            k += 1.0
            below += mass
        return k, mass, below, 1.0 - below
    k = high
    below, above = negative_binomial_tails(k, mean, extra)
    mass = negative_binomial_mass(k, mean, extra)
    while k > 0.0 and above + mass <= q:
        above += mass
        mass *= k / ((mean + extra * (k - 1.0)) * ratio)
        k -= 1.0
    return k, mass, 1.0 - above, above


@core
def negative_binomial_losses(
    k: float, mean: float, extra: float, mass: float, below: float, above: float
) -> tuple[float, float]:
    """Return E[(X - x)+] and E[(x - X)+] from P(X = floor x), P(X <= x) and P(X > x), for any real x = k.

    Zipkin (2000), Foundations of Inventory Management, C.2.3.6, in terms of mean and dispersion: the partial mean
    E[X; X > k] is m P(X > k) + (m + u k) P(X = k).
    """
    if k < 0.0:
        return mean - k, 0.0
    edge = (mean + extra * np.floor(k)) * mass
    return max((mean - k) * above + edge, 0.0), max((k - mean) * below + edge, 0.0)


@core
def negative_binomial_second_losses(
    k: float, mean: float, extra: float, mass: float, below: float, above: float
) -> tuple[float, float]:
    """Return E[(X - k)+ (X - k - 1)+] / 2 and E[(k - X)+ (k + 1 - X)+] / 2 at an integer k, sums of the losses."""
    excess = k - mean
    square = excess * excess + k + extra * mean
    if k < 0.0:
        return 0.5 * square, 0.0
    cross = (excess - extra) * (mean + extra * k) * mass
    return max(0.5 * (square * above - cross), 0.0), max(0.5 * (square * below + cross), 0.0)
