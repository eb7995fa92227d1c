"""The newsvendor with normal and with Poisson demand, many SKUs at a time in the lanes of vector instructions.

Measured beside the scalar cores of `fullshelf.kernels.families`, on one core: normal 17 ns for each SKU instead of 52,
Poisson with a mean of 20 on average, up to 200, 24 ns instead of 104. The answers agree to a few units in the last
place.
"""

import numpy as np
from numpy.typing import NDArray

from fullshelf.kernels.compile import core, loop
from fullshelf.kernels.lanes import LANES, lane_exp, lane_normal_quantile
from fullshelf.kernels.poisson import poisson_losses, poisson_quantile

__all__ = ["normal_lanes", "poisson_lanes"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

WALK = 256.0  # mean up to which Poisson probabilities are added up from 0
STRIDE = 32  # units between two looks at which lanes have ended
TABLE = 512
RECIPROCALS = 1.0 / np.arange(1.0, TABLE + 1.0)
ROOT_TWO_PI = 2.5066282746310002


@loop
def normal_lanes(
    mean: FloatArray,
    sd: FloatArray,
    under: FloatArray,
    over: FloatArray,
    ratio: FloatArray,
    quantity: FloatArray,
    shortage: FloatArray,
    leftover: FloatArray,
    cost: FloatArray,
) -> None:
    """Fill the results of `fullshelf.kernels.newsvendor.normal`."""
    upper = np.empty(LANES)
    tail = np.empty(LANES)
    tail_bits = tail.view(np.int64)
    work = np.empty(LANES)
    work_bits = work.view(np.int64)
    z = np.empty(LANES)
    exponent = np.empty(LANES)
    pdf = np.empty(LANES)
    for start in range(0, mean.size, LANES):
        n = min(LANES, mean.size - start)
        stop = start + n
        m, s, cu, co = mean[start:stop], sd[start:stop], under[start:stop], over[start:stop]
        p, q_out, short, left, money = (
            ratio[start:stop],
            quantity[start:stop],
            shortage[start:stop],
            leftover[start:stop],
            cost[start:stop],
        )
        for i in range(n):
            total = cu[i] + co[i]
            valid = min(cu[i], co[i]) >= 0.0 and total < np.inf
            p[i] = cu[i] / total if valid else np.nan
            upper[i] = co[i] / total
        for i in range(n):
            tail[i] = min(p[i], upper[i])
        lane_normal_quantile(tail, tail_bits, p, work, work_bits, z, n)
        for i in range(n):
            z[i] = z[i] if tail[i] > 0.0 else (-np.inf if p[i] == 0.0 else (np.inf if upper[i] == 0.0 else np.nan))
        for i in range(n):
            exponent[i] = -0.5 * z[i] * z[i]
        lane_exp(exponent, work, work_bits, pdf, n)
        for i in range(n):
            q_out[i] = m[i] + s[i] * z[i] if s[i] > 0.0 else m[i] + 0.0 * p[i]
        for i in range(n):
            pdf[i] = pdf[i] / ROOT_TWO_PI
        for i in range(n):
            lost = s[i] * max(pdf[i] - z[i] * upper[i], 0.0)
            short[i] = lost if tail[i] > 0.0 else (0.0 if upper[i] == 0.0 or s[i] == 0.0 else np.inf)
        for i in range(n):
            kept = s[i] * max(pdf[i] + z[i] * p[i], 0.0)
            left[i] = kept if tail[i] > 0.0 else (0.0 if p[i] == 0.0 or s[i] == 0.0 else np.inf)
        for i in range(n):
            money[i] = (cu[i] + co[i]) * s[i] * pdf[i]
        for i in range(n):
            if not (abs(m[i]) < np.inf and 0.0 <= s[i] < np.inf and p[i] >= 0.0):
                q_out[i] = short[i] = left[i] = money[i] = np.nan


# Where the walk keeps its lanes, all in one array: the compiler then knows how far apart they lie, hence that they do
# not overlap. The first five are those that still walk, moved together; the last three where they ended, in order.
MASS, TOTAL, TARGET, MEAN, UNITS, LAST_MASS, LAST_TOTAL, LAST_UNITS = (place * LANES for place in range(8))


@core
def four_steps(lanes: FloatArray, n: int, step: int) -> None:
    """Add four probabilities in every lane that stays below its target with them; else its target becomes -1."""
    one, two, three, four = RECIPROCALS[step], RECIPROCALS[step + 1], RECIPROCALS[step + 2], RECIPROCALS[step + 3]
    for i in range(n):
        mean = lanes[MEAN + i]
        mass = lanes[MASS + i]
        total = lanes[TOTAL + i]
        units = lanes[UNITS + i]
        target = lanes[TARGET + i]
        first = mass * (mean * one)
        second = first * (mean * two)
        third = second * (mean * three)
        fourth = third * (mean * four)
        reached = total + ((first + second) + (third + fourth))
        on = reached < target
        lanes[MASS + i] = fourth if on else mass
        lanes[TOTAL + i] = reached if on else total
        lanes[UNITS + i] = units + 4.0 if on else units
        lanes[TARGET + i] = target if on else -1.0


@core
def walk(lanes: FloatArray, place: IntArray, n: int) -> None:
    """Add up Poisson probabilities from 0 in every lane, four at a time, as far as all four stay below the target.

    Large means walk far: every few steps the lanes that have ended are put aside, or the others would wait for them.
    """
    for i in range(n):
        place[i] = i
    for start in range(0, TABLE, STRIDE):
        for step in range(start, start + STRIDE, 4):
            four_steps(lanes, n, step)
        kept = 0
        for i in range(n):
            if lanes[TARGET + i] >= 0.0:
                lanes[MASS + kept] = lanes[MASS + i]
                lanes[TOTAL + kept] = lanes[TOTAL + i]
                lanes[TARGET + kept] = lanes[TARGET + i]
                lanes[MEAN + kept] = lanes[MEAN + i]
                lanes[UNITS + kept] = lanes[UNITS + i]
                place[kept] = place[i]
                kept += 1
            else:
                lanes[LAST_MASS + place[i]] = lanes[MASS + i]
                lanes[LAST_TOTAL + place[i]] = lanes[TOTAL + i]
                lanes[LAST_UNITS + place[i]] = lanes[UNITS + i]
        n = kept
        if n == 0:
            break


@core
def last_steps(lanes: FloatArray, mean: FloatArray, target: FloatArray, n: int) -> None:
    """Add probabilities one by one until the total reaches the target: four at most, since four together would do."""
    for _ in range(4):
        for i in range(n):
            mass = lanes[LAST_MASS + i]
            total = lanes[LAST_TOTAL + i]
            units = lanes[LAST_UNITS + i]
            following = mass * (mean[i] / (units + 1.0))
            on = total < target[i]
            lanes[LAST_MASS + i] = following if on else mass
            lanes[LAST_TOTAL + i] = total + following if on else total
            lanes[LAST_UNITS + i] = units + 1.0 if on else units


@loop
def poisson_lanes(
    mean: FloatArray,
    under: FloatArray,
    over: FloatArray,
    ratio: FloatArray,
    quantity: FloatArray,
    shortage: FloatArray,
    leftover: FloatArray,
    cost: FloatArray,
) -> None:
    """Fill the results of `fullshelf.kernels.newsvendor.poisson`."""
    lanes = np.empty(8 * LANES)
    place = np.empty(LANES, dtype=np.int64)
    target = np.empty(LANES)
    exponent = np.empty(LANES)
    scale = np.empty(LANES)
    scale_bits = scale.view(np.int64)
    for start in range(0, mean.size, LANES):
        n = min(LANES, mean.size - start)
        stop = start + n
        m, cu, co = mean[start:stop], under[start:stop], over[start:stop]
        p, k, short, left, money = (
            ratio[start:stop],
            quantity[start:stop],
            shortage[start:stop],
            leftover[start:stop],
            cost[start:stop],
        )
        for i in range(n):
            p[i] = cu[i] / (cu[i] + co[i]) if min(cu[i], co[i]) >= 0.0 and cu[i] + co[i] < np.inf else np.nan
        for i in range(n):
            # A mean that is not walked waits for the scalar core: its target is reached at once.
            target[i] = p[i] if m[i] <= WALK else 0.0
            exponent[i] = -min(m[i], WALK)
        lane_exp(exponent, scale, scale_bits, lanes, n)
        for i in range(n):
            lanes[TOTAL + i] = lanes[MASS + i]
            lanes[TARGET + i] = target[i]
            lanes[MEAN + i] = m[i]
            lanes[UNITS + i] = 0.0
        walk(lanes, place, n)
        last_steps(lanes, m, target, n)
        for i in range(n):
            excess = m[i] - lanes[LAST_UNITS + i]
            edge = m[i] * lanes[LAST_MASS + i]
            short[i] = max(excess * (1.0 - lanes[LAST_TOTAL + i]) + edge, 0.0)
            left[i] = max(edge - excess * lanes[LAST_TOTAL + i], 0.0)
        for i in range(n):
            k[i] = lanes[LAST_UNITS + i]
        for i in range(n):
            if not (m[i] <= WALK and m[i] > 0.0 and co[i] > 1e-6 * (cu[i] + co[i]) and p[i] >= 0.0):
                if not (0.0 <= m[i] < np.inf and p[i] >= 0.0):
                    k[i] = short[i] = left[i] = np.nan
                elif m[i] == 0.0 or p[i] == 0.0:
                    k[i], short[i], left[i] = 0.0, m[i], 0.0
                elif co[i] == 0.0:
                    k[i], short[i], left[i] = np.inf, 0.0, np.inf
                else:
                    k[i], mass, below, above = poisson_quantile(p[i], co[i] / (cu[i] + co[i]), m[i])
                    short[i], left[i] = poisson_losses(k[i], m[i], mass, below, above)
        for i in range(n):
            money[i] = cu[i] * short[i] + (0.0 if left[i] == np.inf else co[i] * left[i])
