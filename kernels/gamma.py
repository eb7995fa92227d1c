"""Scalar cores of the gamma distribution by shape a, in units of its scale.

`fullshelf.kernels.distributions.Demand.gamma` is the form for arrays.
"""

import math

from fullshelf.kernels.compile import core
from fullshelf.kernels.incomplete_gamma import gamma_mass, gamma_tails
from fullshelf.kernels.special import SQRT_TWO_PI, divergence, normal_quantile, stirling_error

__all__ = ["gamma_losses", "gamma_quantile", "gamma_second_losses"]


@core
def gamma_quantile(p: float, q: float, a: float) -> float:
    """Return y with P(a, y) = p, where q = 1 - p, for shape a > 0.

    Halley's method on the smaller tail against log y, Newton's on its logarithm while far away, held inside a bracket;
    it starts from Wilson and Hilferty's (1931) guess, or from the first term of the series where that is not positive.
    """
    if not (p >= 0.0 and q >= 0.0):
        return math.nan
    if p == 0.0:
        return 0.0
    if q == 0.0:
        return math.inf
    z = normal_quantile(p, q)
    root = 1.0 - 1.0 / (9.0 * a) + z / (3.0 * math.sqrt(a))
    # log y, from P(a, y) ~ y^a / Gamma(a + 1) near 0
    first = (math.log(p) + math.lgamma(a + 1.0)) / a
    u = math.log(a) + 3.0 * math.log(root) if root > 0.2 and a > 0.1 else first
    if first < -700.0:
        return 0.0
    u = min(max(u, first), 700.0)
    low = first
    high = 709.0
    target = min(p, q)
    stirling = stirling_error(a) + math.log(SQRT_TWO_PI * math.sqrt(a)) if a >= 1.0 else 0.0
    for _ in range(100):
        y = math.exp(u)
        lower, upper = gamma_tails(a, y)
        # `excess` is the relative error of the smaller tail, signed so that it rises with y.
        excess = (lower - p) / target if p <= q else (q - upper) / target
        if excess > 0.0:
            high = min(high, u)
        else:
            low = max(low, u)
        mass = math.exp(-divergence(a, y, y - a) - stirling) if a >= 1.0 else gamma_mass(a, y)
        slope = a * mass / target  # of `excess` against u
        if abs(excess) < 0.3:
            newton = excess / slope
            step = newton / (1.0 - 0.5 * max(min(newton * (a - y), 1.0), -1.0))
        elif p <= q:
            step = math.log(lower / p) * lower / (slope * target) if lower > 0.0 else math.inf
        else:
            step = math.log(q / upper) * upper / (slope * target) if upper > 0.0 else math.inf
        if abs(excess) < 1e-5:  # Halley's method leaves about the cube of it
            u -= step
            break
        following = u - step
        if not low < following < high:
            following = 0.5 * (low + high)
            if high - low < 1e-16 * max(1.0, abs(u)):
                break
        u = following
    return math.exp(u)


@core
def gamma_losses(y: float, a: float, below: float, above: float) -> tuple[float, float]:
    """Return E[(Y - y)+] and E[(y - Y)+] of the gamma variable of scale 1 from P(Y <= y) and P(Y > y)."""
    if y <= 0.0:
        return a - y, 0.0
    edge = a * gamma_mass(a, y)
    return max((a - y) * above + edge, 0.0), max((y - a) * below + edge, 0.0)


@core
def gamma_second_losses(y: float, a: float, below: float, above: float) -> tuple[float, float]:
    """Return E[((Y - y)+)^2] / 2 and E[((y - Y)+)^2] / 2 of the gamma variable of scale 1."""
    square = (y - a) * (y - a) + a
    if y <= 0.0:
        return 0.5 * square, 0.0
    edge = a * gamma_mass(a, y) * (a + 1.0 - y)
    return max(0.5 * (square * above + edge), 0.0), max(0.5 * (square * below - edge), 0.0)
