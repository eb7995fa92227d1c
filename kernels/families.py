"""One set of scalar cores for all named distributions of demand, chosen by a code, so that a loop compiles once.

| code | parameters a, b |
| --- | --- |
| NORMAL | mean, standard deviation |
| POISSON | mean, not used |
| NEGATIVE_BINOMIAL | mean, variance >= mean |
| GAMMA | mean, standard deviation |
| LOGNORMAL | mean and standard deviation of the logarithm |
| UNIFORM | lowest, highest |

Zero spread is a distribution as well: all probability in one point. Parameters that no distribution has (a negative
standard deviation, a variance below the mean of a negative binomial, NaN) give NaN everywhere.
"""

import math

import numpy as np

from fullshelf.kernels.compile import core
from fullshelf.kernels.gamma import gamma_losses, gamma_quantile, gamma_second_losses
from fullshelf.kernels.incomplete_gamma import gamma_mass, gamma_tails
from fullshelf.kernels.negative_binomial import (
    negative_binomial_losses,
    negative_binomial_mass,
    negative_binomial_quantile,
    negative_binomial_second_losses,
    negative_binomial_tails,
)
from fullshelf.kernels.poisson import (
    poisson_losses,
    poisson_mass,
    poisson_quantile,
    poisson_second_losses,
    poisson_tails,
)
from fullshelf.kernels.special import normal_cdf, normal_loss, normal_pdf, normal_quantile, normal_second_loss

NORMAL = 0
POISSON = 1
NEGATIVE_BINOMIAL = 2
GAMMA = 3
LOGNORMAL = 4
UNIFORM = 5

INVALID = -1
CERTAIN = 0
RANDOM = 1

__all__ = [
    "GAMMA",
    "INVALID",
    "LOGNORMAL",
    "NEGATIVE_BINOMIAL",
    "NORMAL",
    "POISSON",
    "UNIFORM",
    "density",
    "losses",
    "mean_of",
    "optimum",
    "quantile",
    "second_losses",
    "spread",
    "tails",
    "variance_of",
]


@core
def spread(family: int, a: float, b: float) -> int:
    """Return INVALID, CERTAIN (all probability in the mean) or RANDOM."""
    if not (abs(a) < math.inf and abs(b) < math.inf):
        return INVALID
    if family == NORMAL:
        return INVALID if b < 0.0 else (CERTAIN if b == 0.0 else RANDOM)
    if family == POISSON:
        return INVALID if a < 0.0 else (CERTAIN if a == 0.0 else RANDOM)
    if family == NEGATIVE_BINOMIAL:
        return INVALID if a < 0.0 or b < a else (CERTAIN if b == 0.0 else (INVALID if a == 0.0 else RANDOM))
    if family == GAMMA:
        return INVALID if a < 0.0 or b < 0.0 else (CERTAIN if b == 0.0 else (INVALID if a == 0.0 else RANDOM))
    if family == LOGNORMAL:
        return INVALID if b < 0.0 else (CERTAIN if b == 0.0 else RANDOM)
    return INVALID if b < a else (CERTAIN if b == a else RANDOM)


@core
def mean_of(family: int, a: float, b: float) -> float:
    """Return E[X]."""
    if family == LOGNORMAL:
        return math.exp(a + 0.5 * b * b)
    if family == UNIFORM:
        return 0.5 * (a + b)
    return a


@core
def variance_of(family: int, a: float, b: float) -> float:
    """Return Var[X]."""
    if family == POISSON:
        return a
    if family == NEGATIVE_BINOMIAL:
        return b
    if family == LOGNORMAL:
        return math.expm1(b * b) * math.exp(2.0 * a + b * b)
    if family == UNIFORM:
        return (b - a) * (b - a) / 12.0
    return b * b


@core
def tails(family: int, a: float, b: float, x: float) -> tuple[float, float]:
    """Return P(X <= x) and P(X > x)."""
    kind = spread(family, a, b)
    if kind == INVALID or x != x:
        return math.nan, math.nan
    if kind == CERTAIN:
        return (1.0, 0.0) if x >= mean_of(family, a, b) else (0.0, 1.0)
    if x == math.inf:
        return 1.0, 0.0
    if family == NORMAL:
        z = (x - a) / b
        return normal_cdf(z), normal_cdf(-z)
    if family == POISSON or (family == NEGATIVE_BINOMIAL and b - a < 1e-14 * a):
        return poisson_tails(x, a)
    if family == NEGATIVE_BINOMIAL:
        return negative_binomial_tails(x, a, (b - a) / a)
    if x <= 0.0 and family != UNIFORM:
        return 0.0, 1.0
    if family == GAMMA:
        return gamma_tails((a / b) * (a / b), (x / b) * (a / b))
    if family == LOGNORMAL:
        z = (math.log(x) - a) / b
        return normal_cdf(z), normal_cdf(-z)
    below = min(max((x - a) / (b - a), 0.0), 1.0)
    return below, min(max((b - x) / (b - a), 0.0), 1.0)


@core
def density(family: int, a: float, b: float, x: float) -> float:
    """Return the density at x, for discrete demand P(X = x); in the point of a certain demand inf and 1."""
    kind = spread(family, a, b)
    if kind == INVALID or x != x:
        return math.nan
    discrete = family in (POISSON, NEGATIVE_BINOMIAL)
    if kind == CERTAIN:
        return (1.0 if discrete else math.inf) if x == mean_of(family, a, b) else 0.0
    if family == NORMAL:
        return normal_pdf((x - a) / b) / b
    if family == POISSON or (family == NEGATIVE_BINOMIAL and b - a < 1e-14 * a):
        return poisson_mass(x, a)
    if family == NEGATIVE_BINOMIAL:
        return negative_binomial_mass(x, a, (b - a) / a)
    if family == UNIFORM:
        return 1.0 / (b - a) if a <= x <= b else 0.0
    if x <= 0.0:
        return 0.0
    if family == GAMMA:
        shape = (a / b) * (a / b)
        return gamma_mass(shape, (x / b) * (a / b)) * shape / x
    return normal_pdf((math.log(x) - a) / b) / (b * x)


@core
def quantile(family: int, a: float, b: float, p: float, q: float) -> float:
    """Return the smallest x with P(X <= x) >= p, where q = 1 - p; NaN outside [0, 1].

    p = 0 gives the lowest possible value (-inf of the normal), p = 1 the highest.
    """
    kind = spread(family, a, b)
    if kind == INVALID or not (p >= 0.0 and q >= 0.0):
        return math.nan
    if kind == CERTAIN:
        return mean_of(family, a, b)
    if family == NORMAL:
        return a + b * normal_quantile(p, q)
    if family == POISSON or (family == NEGATIVE_BINOMIAL and b - a < 1e-14 * a):
        return poisson_quantile(p, q, a)[0]
    if family == NEGATIVE_BINOMIAL:
        return negative_binomial_quantile(p, q, a, (b - a) / a)[0]
    if family == GAMMA:
        return gamma_quantile(p, q, (a / b) * (a / b)) * (b * (b / a))
    if family == LOGNORMAL:
        return math.exp(a + b * normal_quantile(p, q))
    return a + (b - a) * p if p <= q else b - (b - a) * q


@core
def continuous_losses(family: int, a: float, b: float, x: float, below: float, above: float) -> tuple[float, float]:
    """Return E[(X - x)+] and E[(x - X)+] of gamma, lognormal and uniform demand, from P(X <= x) and P(X > x)."""
    if family == GAMMA:
        scale = b * (b / a)
        short, left = gamma_losses(x / scale, (a / b) * (a / b), below, above)
        return short * scale, left * scale
    if family == LOGNORMAL:
        mean = math.exp(a + 0.5 * b * b)
        if x <= 0.0:
            return mean - x, 0.0
        z = (math.log(x) - a) / b
        return max(mean * normal_cdf(b - z) - x * above, 0.0), max(x * below - mean * normal_cdf(z - b), 0.0)
    width = b - a
    return (
        0.5 * width * above * above if x >= a else 0.5 * (a + b) - x,
        0.5 * width * below * below if x <= b else x - 0.5 * (a + b),
    )


@core
def losses(family: int, a: float, b: float, x: float) -> tuple[float, float]:
    """Return the expected shortage E[(X - x)+] and the expected leftover E[(x - X)+] of a stock of x."""
    kind = spread(family, a, b)
    if kind == INVALID or x != x:
        return math.nan, math.nan
    if kind == CERTAIN or abs(x) == math.inf:
        mean = mean_of(family, a, b)
        return max(mean - x, 0.0), max(x - mean, 0.0)
    if family == NORMAL:
        z = (x - a) / b
        return b * normal_loss(z), b * normal_loss(-z)
    below, above = tails(family, a, b, x)
    if family == POISSON or (family == NEGATIVE_BINOMIAL and b - a < 1e-14 * a):
        return poisson_losses(x, a, poisson_mass(np.floor(x), a), below, above)
    if family == NEGATIVE_BINOMIAL:
        extra = (b - a) / a
        return negative_binomial_losses(x, a, extra, negative_binomial_mass(np.floor(x), a, extra), below, above)
    return continuous_losses(family, a, b, x, below, above)


@core
def second_losses(family: int, a: float, b: float, x: float) -> tuple[float, float]:
    """Return the second-order loss above and below x.

    Continuous demand: E[((X - x)+)^2] / 2 and E[((x - X)+)^2] / 2, the integrals of the loss functions. Discrete
    demand: E[(X - x)+ (X - x - 1)+] / 2 and E[(x - X)+ (x + 1 - X)+] / 2, their sums; NaN where x is no integer.
    """
    kind = spread(family, a, b)
    if kind == INVALID or not abs(x) < math.inf:
        return math.nan, math.nan
    discrete = family in (POISSON, NEGATIVE_BINOMIAL)
    if discrete and x != np.floor(x):
        return math.nan, math.nan
    if kind == CERTAIN:
        gap = mean_of(family, a, b) - x
        square = 0.5 * gap * (gap - 1.0) if discrete else 0.5 * gap * gap
        return (square, 0.0) if gap > 0.0 else (0.0, square)
    if family == NORMAL:
        z = (x - a) / b
        return b * b * normal_second_loss(z), b * b * normal_second_loss(-z)
    below, above = tails(family, a, b, x)
    if family == POISSON or (family == NEGATIVE_BINOMIAL and b - a < 1e-14 * a):
        return poisson_second_losses(x, a, poisson_mass(x, a), below, above)
    if family == NEGATIVE_BINOMIAL:
        extra = (b - a) / a
        return negative_binomial_second_losses(x, a, extra, negative_binomial_mass(x, a, extra), below, above)
    if family == GAMMA:
        scale = b * (b / a)
        above2, below2 = gamma_second_losses(x / scale, (a / b) * (a / b), below, above)
        return above2 * scale * scale, below2 * scale * scale
    if family == LOGNORMAL:
        mean = math.exp(a + 0.5 * b * b)
        square = math.exp(2.0 * a + 2.0 * b * b)
        if x <= 0.0:
            return 0.5 * square - x * mean + 0.5 * x * x, 0.0
        z = (math.log(x) - a) / b
        return (
            max(0.5 * square * normal_cdf(2.0 * b - z) - x * mean * normal_cdf(b - z) + 0.5 * x * x * above, 0.0),
            max(0.5 * square * normal_cdf(z - 2.0 * b) - x * mean * normal_cdf(z - b) + 0.5 * x * x * below, 0.0),
        )
    width = b - a
    total = 0.5 * (width * width / 12.0 + (x - 0.5 * (a + b)) * (x - 0.5 * (a + b)))
    if x <= a or x >= b:
        return (total, 0.0) if x <= a else (0.0, total)
    return width * width * above**3 / 6.0, width * width * below**3 / 6.0


@core
def optimum(family: int, a: float, b: float, p: float, q: float) -> tuple[float, float, float]:
    """Return the p-quantile x, E[(X - x)+] and E[(x - X)+], with no second evaluation of the distribution at x."""
    kind = spread(family, a, b)
    if kind == INVALID or not (p >= 0.0 and q >= 0.0):
        return math.nan, math.nan, math.nan
    if kind == CERTAIN:
        return mean_of(family, a, b), 0.0, 0.0
    if family == NORMAL:
        z = normal_quantile(p, q)
        if abs(z) == math.inf:
            return z, (0.0 if z > 0.0 else math.inf), (0.0 if z < 0.0 else math.inf)
        pdf = normal_pdf(z)
        return a + b * z, b * max(pdf - z * q, 0.0), b * max(pdf + z * p, 0.0)
    if q == 0.0 and family != UNIFORM:
        return math.inf, 0.0, math.inf
    if family == POISSON or (family == NEGATIVE_BINOMIAL and b - a < 1e-14 * a):
        k, mass, below, above = poisson_quantile(p, q, a)
        short, left = poisson_losses(k, a, mass, below, above)
        return k, short, left
    if family == NEGATIVE_BINOMIAL:
        extra = (b - a) / a
        k, mass, below, above = negative_binomial_quantile(p, q, a, extra)
        short, left = negative_binomial_losses(k, a, extra, mass, below, above)
        return k, short, left
    x = quantile(family, a, b, p, q)
    short, left = continuous_losses(family, a, b, x, p, q)
    return x, short, left
