"""Logarithm, exponential and normal quantile for short arrays, written so that the compiler fills vector registers.

A call of libm's `exp` or `log` inside a loop keeps the loop scalar: 9 ns for each number, where these take 1 to 2 ns.
Each function is a few passes over arrays that fit the first-level cache; every pass reads and writes few arrays, for
LLVM gives up a loop where it would have to check too many pairs of pointers for overlap; choices are made by selecting
between two finished values, never by a branch. A lane's answer depends on its own input alone.
"""

import math

import numpy as np
from numpy.typing import NDArray

from fullshelf.kernels.compile import core

__all__ = ["LANES", "lane_exp", "lane_normal_quantile"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

LANES = 256
"""Numbers in one pass: 2 KiB an array, a dozen arrays in the first-level cache."""

MANTISSA = np.int64(0x000FFFFFFFFFFFFF)
ONE_BITS = np.int64(0x3FF0000000000000)
LOG2_HIGH = 6.93147180369123816490e-01  # the last 21 bits are zero, so that n LOG2_HIGH is exact
LOG2_LOW = 1.90821492927058770002e-10


@core
def lane_exp(x: FloatArray, scale: FloatArray, scale_bits: IntArray, out: FloatArray, n: int) -> None:
    """Write exp(x) for x <= 0 to `out`, 0 below -700; `scale` and `scale_bits` are one working array seen twice.

    `out` must not be `x`: the loop would find that they overlap and go one by one, at ten times the time.

    exp(x) = 2^k exp(r) with |r| <= log(2) / 2, and Taylor's series of exp(r) to r^13: error below 2 units in the last
    place.
    """
    for i in range(n):
        k = np.floor(max(x[i], -700.0) * 1.4426950408889634 + 0.5)
        scale_bits[i] = (np.int64(k) + 1023) << 52
    for i in range(n):
        clipped = max(x[i], -700.0)
        k = np.floor(clipped * 1.4426950408889634 + 0.5)
        r = (clipped - k * LOG2_HIGH) - k * LOG2_LOW
        s = r * (1.0 / 6227020800.0) + 1.0 / 479001600.0
        s = s * r + 1.0 / 39916800.0
        s = s * r + 1.0 / 3628800.0
        s = s * r + 1.0 / 362880.0
        s = s * r + 1.0 / 40320.0
        s = s * r + 1.0 / 5040.0
        s = s * r + 1.0 / 720.0
        s = s * r + 1.0 / 120.0
        s = s * r + 1.0 / 24.0
        s = s * r + 1.0 / 6.0
        s = s * r + 0.5
        s = 1.0 + (r + r * r * s)
        out[i] = s * scale[i] if x[i] > -700.0 else (0.0 if x[i] <= -700.0 else x[i])


@core
def lane_normal_quantile(
    tail: FloatArray,
    tail_bits: IntArray,
    lower: FloatArray,
    work: FloatArray,
    work_bits: IntArray,
    z: FloatArray,
    n: int,
) -> None:
    """Write the standard normal quantile to `z`: tail = min(p, 1 - p) > 0, lower = p.

    AS 241 as in `fullshelf.kernels.special.normal_quantile`, all three of its ranges evaluated and one selected.
    `tail_bits` sees `tail`, `work_bits` sees `work`.
    """
    for i in range(n):
        work_bits[i] = (tail_bits[i] & MANTISSA) | ONE_BITS
    for i in range(n):
        mantissa = work[i]
        exponent = np.float64((tail_bits[i] >> 52) - 1023)
        big = mantissa > 1.4142135623730951
        exponent = exponent + 1.0 if big else exponent
        f = (0.5 * mantissa if big else mantissa) - 1.0
        # log(1 + f) with s = f / (2 + f), the coefficients of fdlibm's e_log.c
        s = f / (2.0 + f)
        w = s * s
        series = w * 1.479819860511658591e-01 + 1.531383769920937332e-01
        series = series * w + 1.818357216161805012e-01
        series = series * w + 2.222219843214978396e-01
        series = series * w + 2.857142874366239149e-01
        series = series * w + 3.999999999940941908e-01
        series = (series * w + 6.666666666666735130e-01) * w
        half = 0.5 * f * f
        logarithm = exponent * LOG2_HIGH - ((half - (s * (half + series) + exponent * LOG2_LOW)) - f)
        work[i] = math.sqrt(-logarithm)
    for i in range(n):
        c = 0.5 - tail[i]
        r = 0.180625 - c * c
        above = 2509.0809287301226727 * r + 33430.575583588128105
        above = above * r + 67265.770927008700853
        above = above * r + 45921.953931549871457
        above = above * r + 13731.693765509461125
        above = above * r + 1971.5909503065514427
        above = above * r + 133.14166789178437745
        above = above * r + 3.387132872796366608
        below = 5226.495278852854561 * r + 28729.085735721942674
        below = below * r + 39307.89580009271061
        below = below * r + 21213.794301586595867
        below = below * r + 5394.1960214247511077
        below = below * r + 687.1870074920579083
        below = below * r + 42.313330701600911252
        below = below * r + 1.0
        z[i] = c * above / below
    for i in range(n):
        r = work[i] - 1.6
        above = 7.7454501427834140764e-4 * r + 0.0227238449892691845833
        above = above * r + 0.24178072517745061177
        above = above * r + 1.27045825245236838258
        above = above * r + 3.64784832476320460504
        above = above * r + 5.7694972214606914055
        above = above * r + 4.6303378461565452959
        above = above * r + 1.42343711074968357734
        below = 1.05075007164441684324e-9 * r + 5.475938084995344946e-4
        below = below * r + 0.0151986665636164571966
        below = below * r + 0.14810397642748007459
        below = below * r + 0.68976733498510000455
        below = below * r + 1.6763848301838038494
        below = below * r + 2.05319162663775882187
        below = below * r + 1.0
        z[i] = z[i] if tail[i] >= 0.075 else above / below
    far = 0.0
    for i in range(n):
        far = max(far, work[i])
    for i in range(n if far > 5.0 else 0):
        r = work[i] - 5.0
        above = 2.01033439929228813265e-7 * r + 2.71155556874348757815e-5
        above = above * r + 0.0012426609473880784386
        above = above * r + 0.026532189526576123093
        above = above * r + 0.29656057182850489123
        above = above * r + 1.7848265399172913358
        above = above * r + 5.4637849111641143699
        above = above * r + 6.6579046435011037772
        below = 2.04426310338993978564e-15 * r + 1.4215117583164458887e-7
        below = below * r + 1.8463183175100546818e-5
        below = below * r + 7.868691311456132591e-4
        below = below * r + 0.0148753612908506148525
        below = below * r + 0.13692988092273580531
        below = below * r + 0.59983220655588793769
        below = below * r + 1.0
        z[i] = z[i] if work[i] <= 5.0 else above / below
    for i in range(n):
        z[i] = -z[i] if lower[i] == tail[i] else z[i]
