"""Scalar special functions of the normal distribution and the pieces that discrete densities are made of.

Everything here is a scalar core for other kernels; `fullshelf.kernels.distributions` has the functions for arrays.
Accuracy, against SciPy and mpmath in the tests: a few units in the last place in the body; in the tails the relative
error grows with the square of the distance in standard deviations, as it must in double precision.
"""

import math

import numpy as np

from fullshelf.kernels.compile import core

__all__ = [
    "SQRT_HALF",
    "SQRT_TWO_PI",
    "deviance",
    "divergence",
    "normal_cdf",
    "normal_loss",
    "normal_loss_inverse",
    "normal_pdf",
    "normal_quantile",
    "normal_second_loss",
    "stirling_error",
]

SQRT_HALF = 0.7071067811865476
SQRT_TWO_PI = 2.5066282746310002
HALF_LOG_TWO_PI = 0.9189385332046727
WHOLE_STIRLING = np.array(
    [0.0] + [math.lgamma(a + 1.0) - (a + 0.5) * math.log(a) + a - HALF_LOG_TWO_PI for a in range(1, 10)],
)


@core
def normal_pdf(z: float) -> float:
    """Return the standard normal density at `z`."""
    return math.exp(-0.5 * z * z) / SQRT_TWO_PI


@core
def normal_cdf(z: float) -> float:
    """Return P(Z <= z); the upper tail is `normal_cdf(-z)`."""
    return 0.5 * math.erfc(-z * SQRT_HALF)


@core
def normal_quantile(p: float, q: float) -> float:
    """Return z with P(Z <= z) = p, where q = 1 - p is given apart so that neither tail loses digits.

    Wichura (1988), algorithm AS 241, PPND16: relative error about 1e-16. p = 0 gives -inf, q = 0 gives inf, anything
    outside [0, 1] NaN.
    """
    if not (p >= 0.0 and q >= 0.0):
        return math.nan
    if p == 0.0:
        return -math.inf
    if q == 0.0:
        return math.inf
    centre = 0.5 * (p - q)
    if abs(centre) <= 0.425:
        r = 0.180625 - centre * centre
        above = (
            ((2509.0809287301226727 * r + 33430.575583588128105) * r + 67265.770927008700853) * r
            + 45921.953931549871457
        ) * r + 13731.693765509461125
        above = ((above * r + 1971.5909503065514427) * r + 133.14166789178437745) * r + 3.387132872796366608
        below = (
            ((5226.495278852854561 * r + 28729.085735721942674) * r + 39307.89580009271061) * r + 21213.794301586595867
        ) * r + 5394.1960214247511077
        below = ((below * r + 687.1870074920579083) * r + 42.313330701600911252) * r + 1.0
        return centre * above / below
    r = math.sqrt(-math.log(min(p, q)))
    if r <= 5.0:
        r -= 1.6
        above = (
            ((7.7454501427834140764e-4 * r + 0.0227238449892691845833) * r + 0.24178072517745061177) * r
            + 1.27045825245236838258
        ) * r + 3.64784832476320460504
        above = ((above * r + 5.7694972214606914055) * r + 4.6303378461565452959) * r + 1.42343711074968357734
        below = (
            ((1.05075007164441684324e-9 * r + 5.475938084995344946e-4) * r + 0.0151986665636164571966) * r
            + 0.14810397642748007459
        ) * r + 0.68976733498510000455
        below = ((below * r + 1.6763848301838038494) * r + 2.05319162663775882187) * r + 1.0
    else:
        r -= 5.0
        above = (
            ((2.01033439929228813265e-7 * r + 2.71155556874348757815e-5) * r + 0.0012426609473880784386) * r
            + 0.026532189526576123093
        ) * r + 0.29656057182850489123
        above = ((above * r + 1.7848265399172913358) * r + 5.4637849111641143699) * r + 6.6579046435011037772
        below = (
            ((2.04426310338993978564e-15 * r + 1.4215117583164458887e-7) * r + 1.8463183175100546818e-5) * r
            + 7.868691311456132591e-4
        ) * r + 0.0148753612908506148525
        below = ((below * r + 0.13692988092273580531) * r + 0.59983220655588793769) * r + 1.0
    z = above / below
    return -z if p < q else z


@core
def normal_loss(z: float) -> float:
    """Return E[(Z - z)+], the standard normal loss function G_u of the textbooks; E[(z - Z)+] is `normal_loss(-z)`."""
    return max(normal_pdf(z) - z * normal_cdf(-z), 0.0)


@core
def normal_second_loss(z: float) -> float:
    """Return E[((Z - z)+)^2] / 2, the integral of the loss function above z."""
    return max(0.5 * ((z * z + 1.0) * normal_cdf(-z) - z * normal_pdf(z)), 0.0)


@core
def normal_loss_inverse(loss: float) -> float:
    """Return z with E[(Z - z)+] = loss; inf for a loss of 0, NaN for a negative one.

    Newton's method: on the logarithm of the loss above z = 0, where the logarithm is concave and the step never
    overshoots by much, and on the loss itself below, where it is all but linear.
    """
    if not loss >= 0.0:
        return math.nan
    if loss == 0.0:
        return math.inf
    if loss == math.inf:
        return -math.inf
    small = loss < 0.3989422804014327  # the loss at z = 0
    z = math.sqrt(max(-2.0 * math.log(2.5066282746310002 * loss), 0.0)) * 0.8 if small else -loss
    for _ in range(60):
        upper = normal_cdf(-z)
        value = normal_pdf(z) - z * upper
        if value <= 0.0:  # below the smallest double: the tail has no digits left to match
            break
        step = value * math.log(value / loss) / upper if small else (value - loss) / upper
        z += step
        if abs(step) <= 1e-16 * (1.0 + abs(z)):
            break
    return z


@core
def deviance(x: float) -> float:
    """Return x - log(1 + x) without cancellation near 0, for x > -1."""
    if abs(x) > 0.2:
        return x - math.log1p(x)
    v = x / (2.0 + x)
    w = v * v
    total = 1.0 / 17.0
    for i in range(7, 0, -1):
        total = total * w + 1.0 / (2.0 * i + 1.0)
    return x * v - 2.0 * v * w * total


@core
def divergence(k: float, m: float, excess: float) -> float:
    """Return k log(k / m) + m - k for k, m > 0, where excess = m - k is given apart.

    The exponent of Loader's saddle-point form of the Poisson and the binomial probabilities (C. Loader, Fast and
    accurate computation of binomial probabilities, 2000).
    """
    if abs(excess) < 0.2 * k:
        return k * deviance(excess / k)
    return k * math.log(k / m) + excess


@core
def stirling_error(a: float) -> float:
    """Return log Gamma(a + 1) - [(a + 1/2) log a - a + log(2 pi) / 2], for a > 0."""
    if a < 10.0:
        if a <= 0.0:
            return math.inf if a == 0.0 else math.nan
        if a == math.floor(a):  # whole numbers are what counts of demand ask for; a tenth of the time
            return float(WHOLE_STIRLING[int(a)])
        return math.lgamma(a + 1.0) - (a + 0.5) * math.log(a) + a - HALF_LOG_TWO_PI
    w = 1.0 / (a * a)
    series = 1.0 / 156.0  # the Bernoulli numbers of Stirling's series, B_2k / (2k (2k - 1))
    series = -691.0 / 360360.0 + series * w
    series = 1.0 / 1188.0 + series * w
    series = -1.0 / 1680.0 + series * w
    series = 1.0 / 1260.0 + series * w
    series = -1.0 / 360.0 + series * w
    return (1.0 / 12.0 + series * w) / a
