"""The newsvendor with normal and with Poisson demand, many SKUs at a time in the lanes of vector instructions.

Measured beside the scalar cores of `fullshelf.kernels.families`, on one core: normal 17 ns for each SKU instead of 52,
Poisson with means around 20 20 ns instead of 104. The answers agree to a few units in the last place.
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
BINS = 64
SORTED = 4096  # SKUs that are sorted together: their copies fit the second-level cache
SHORT = 64.0  # mean up to which that takes so little that SKUs are not sorted for it
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
# not overlap.
MASS, TOTAL, TARGET, MEAN, UNITS = 0, LANES, 2 * LANES, 3 * LANES, 4 * LANES


@core
def walk(lanes: FloatArray, n: int) -> None:
    """Add up Poisson probabilities from 0 in every lane until its total reaches its target, four at a time."""
    for step in range(0, TABLE, 4):
        going = 0
        for i in range(n):
            going += lanes[TOTAL + i] < lanes[TARGET + i]
        if going == 0:
            break
        one, two, three, four = (
            RECIPROCALS[step],
            RECIPROCALS[step + 1],
            RECIPROCALS[step + 2],
            RECIPROCALS[step + 3],
        )
        for i in range(n):
            mean = lanes[MEAN + i]
            target = lanes[TARGET + i]
            mass = lanes[MASS + i]
            total = lanes[TOTAL + i]
            units = lanes[UNITS + i]
            following = mass * (mean * one)
            on = total < target
            mass = following if on else mass
            total = total + following if on else total
            units = units + 1.0 if on else units
            following = mass * (mean * two)
            on = total < target
            mass = following if on else mass
            total = total + following if on else total
            units = units + 1.0 if on else units
            following = mass * (mean * three)
            on = total < target
            mass = following if on else mass
            total = total + following if on else total
            units = units + 1.0 if on else units
            following = mass * (mean * four)
            on = total < target
            lanes[MASS + i] = following if on else mass
            lanes[TOTAL + i] = total + following if on else total
            lanes[UNITS + i] = units + 1.0 if on else units


@core
def poisson_chunks(
    mean: FloatArray,
    under: FloatArray,
    over: FloatArray,
    ratio: FloatArray,
    quantity: FloatArray,
    shortage: FloatArray,
    leftover: FloatArray,
    cost: FloatArray,
) -> None:
    """Solve chunk by chunk, each as long as its largest mean takes."""
    lanes = np.empty(5 * LANES)
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
            lanes[TARGET + i] = p[i] if m[i] <= WALK else 0.0
            lanes[MEAN + i] = m[i]
        for i in range(n):
            exponent[i] = -min(lanes[MEAN + i], WALK)
        lane_exp(exponent, scale, scale_bits, lanes, n)
        for i in range(n):
            lanes[TOTAL + i] = lanes[MASS + i]
            lanes[UNITS + i] = 0.0
        walk(lanes, n)
        for i in range(n):
            excess = lanes[MEAN + i] - lanes[UNITS + i]
            edge = lanes[MEAN + i] * lanes[MASS + i]
            short[i] = max(excess * (1.0 - lanes[TOTAL + i]) + edge, 0.0)
            left[i] = max(edge - excess * lanes[TOTAL + i], 0.0)
        for i in range(n):
            k[i] = lanes[UNITS + i]
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


@core
def bin_of(mean: float) -> int:
    """Return the number of the bin of means that walk about equally far; any bin where there is no walk."""
    size = mean if mean > 0.0 else 0.0  # NaN as well
    return int((size if size < WALK else WALK) * (BINS / WALK))


@core
def by_size(mean: FloatArray, order: IntArray) -> None:
    """Fill `order` with the SKUs by the rough size of their means: lanes that walk together should be done together."""
    starts = np.zeros(BINS + 2, dtype=np.int64)
    for i in range(mean.size):
        starts[bin_of(mean[i]) + 1] += 1
    for j in range(1, starts.size):
        starts[j] += starts[j - 1]
    for i in range(mean.size):
        size = bin_of(mean[i])
        order[starts[size]] = i
        starts[size] += 1


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
    largest = 0.0
    for i in range(mean.size):
        largest = mean[i] if mean[i] > largest else largest
    if mean.size <= LANES or largest <= SHORT:
        poisson_chunks(mean, under, over, ratio, quantity, shortage, leftover, cost)
        return
    # Large means among small ones would hold up their chunks: measured 184 ns for each SKU with means from 1 to 100, in
    # order of size 40 ns, of which sorting and copying take 8.
    order = np.empty(SORTED, dtype=np.int64)
    copies = np.empty((8, SORTED))
    for start in range(0, mean.size, SORTED):
        n = min(SORTED, mean.size - start)
        by_size(mean[start : start + n], order)
        m, cu, co, p = copies[0, :n], copies[1, :n], copies[2, :n], copies[3, :n]
        k, short, left, money = copies[4, :n], copies[5, :n], copies[6, :n], copies[7, :n]
        for i in range(n):
            s = start + order[i]
            m[i], cu[i], co[i] = mean[s], under[s], over[s]
        poisson_chunks(m, cu, co, p, k, short, left, money)
        for i in range(n):
            s = start + order[i]
            ratio[s], quantity[s], shortage[s], leftover[s], cost[s] = p[i], k[i], short[i], left[i], money[i]
