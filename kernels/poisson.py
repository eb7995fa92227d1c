"""Scalar cores of the Poisson distribution: probabilities, quantile and loss functions for means from 0 to 1e9.

`fullshelf.kernels.distributions.Demand.poisson` is the form for arrays. A mean of 0 is handled there.
"""

import math

import numpy as np

from fullshelf.kernels.compile import core
from fullshelf.kernels.incomplete_gamma import gamma_mass, gamma_tails
from fullshelf.kernels.special import normal_quantile

__all__ = ["poisson_losses", "poisson_mass", "poisson_quantile", "poisson_second_losses", "poisson_tails"]

WALK = 64
RECIPROCALS = 1.0 / np.maximum(np.arange(4 * WALK + 8), 1.0)


@core
def poisson_mass(k: float, mean: float) -> float:
    """Return P(X = k) for mean > 0; 0 where k is negative or no integer."""
    if k < 0.0 or k != np.floor(k) or k == math.inf:
        return 0.0
    return math.exp(-mean) if k == 0.0 else gamma_mass(k, mean)


@core
def poisson_tails(k: float, mean: float) -> tuple[float, float]:
    """Return P(X <= k) and P(X > k) for any real k and mean > 0."""
    if k < 0.0:
        return 0.0, 1.0
    above, below = gamma_tails(np.floor(k) + 1.0, mean)
    return below, above


@core
def poisson_quantile(p: float, q: float, mean: float) -> tuple[float, float, float, float]:
    """Return the smallest k with P(X <= k) >= p, and P(X = k), P(X <= k), P(X > k) there; q = 1 - p.

    Small means: the probabilities are added up from 0, four at a time, for their products do not wait for each other.
    Else: the Cornish-Fisher guess, moved to the safe side of the answer, then steps towards it that add probabilities
    and never subtract, so the tail keeps its digits.
    """
    if not (p >= 0.0 and q >= 0.0):
        return math.nan, math.nan, math.nan, math.nan
    if q == 0.0:
        return math.inf, 0.0, 1.0, 0.0
    if mean <= WALK and q > 1e-6:
        mass = math.exp(-mean)
        if p <= mass:
            return 0.0, mass, mass, 1.0 - mass
        total = mass
        k = 0
        while k < 4 * WALK:
            first = mean * RECIPROCALS[k + 1]
            second = first * (mean * RECIPROCALS[k + 2])
            third = second * (mean * RECIPROCALS[k + 3])
            fourth = third * (mean * RECIPROCALS[k + 4])
            block = total + mass * ((first + second) + (third + fourth))
            if block >= p:
                break
            total = block
            mass *= fourth
            k += 4
        while total < p and k < 4 * WALK:
            k += 1
            mass *= mean * RECIPROCALS[k]
            total += mass
        if total >= p:
            return float(k), mass, total, 1.0 - total
    z = normal_quantile(p, q)
    root = math.sqrt(mean)
    guess = mean + root * z + (z * z - 1.0) / 6.0 + (z - z * z * z) / (72.0 * root)
    stride = 1.0
    if p <= q:
        k_real = max(np.floor(guess) - 1.0, 0.0)
        below, above = poisson_tails(k_real, mean)
        while below >= p and k_real > 0.0:
            k_real = max(k_real - stride, 0.0)
            stride *= 2.0
            below, above = poisson_tails(k_real, mean)
        mass = poisson_mass(k_real, mean)
        while below < p:
            k_real += 1.0
            mass *= mean / k_real
            below += mass
        return k_real, mass, below, 1.0 - below
    k_real = max(np.ceil(guess) + 1.0, 0.0)
    below, above = poisson_tails(k_real, mean)
    while above > q:
        k_real += stride
        stride *= 2.0
        below, above = poisson_tails(k_real, mean)
    mass = poisson_mass(k_real, mean)
    while k_real > 0.0 and above + mass <= q:
        above += mass
        mass *= k_real / mean
        k_real -= 1.0
    return k_real, mass, 1.0 - above, above


@core
def poisson_losses(k: float, mean: float, mass: float, below: float, above: float) -> tuple[float, float]:
    """Return E[(X - x)+] and E[(x - X)+] from P(X = floor x), P(X <= x) and P(X > x), for any real x = k.

    Zipkin (2000), Foundations of Inventory Management, C.2.3.
    """
    if k < 0.0:
        return mean - k, 0.0
    return max((mean - k) * above + mean * mass, 0.0), max((k - mean) * below + mean * mass, 0.0)


@core
def poisson_second_losses(k: float, mean: float, mass: float, below: float, above: float) -> tuple[float, float]:
    """Return E[(X - k)+ (X - k - 1)+] / 2 and E[(k - X)+ (k + 1 - X)+] / 2 at an integer k, sums of the losses.

    Snyder and Shen (2019), Fundamentals of Supply Chain Theory, 2nd ed., equations C.41 and C.42.
    """
    excess = k - mean
    square = excess * excess + k
    if k < 0.0:
        return 0.5 * square, 0.0
    cross = mean * excess * mass
    return max(0.5 * (square * above - cross), 0.0), max(0.5 * (square * below + cross), 0.0)
