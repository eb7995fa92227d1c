"""Mean and deviation of the demand during a lead time, for textbook formulas that need no more than these two.

`fullshelf.kernels.lead_time` has the whole distribution.
"""

import math
from dataclasses import dataclass

from numpy.typing import ArrayLike

from fullshelf.kernels.blocks import FloatArray, floats, over_blocks
from fullshelf.kernels.compile import loop

__all__ = ["Moments", "lead_time_moments"]


@dataclass(frozen=True, slots=True)
class Moments:
    """Mean and standard deviation of the demand during a lead time, units."""

    mean: FloatArray
    sd: FloatArray


@loop
def _moments(
    mean: FloatArray,
    sd: FloatArray,
    periods: FloatArray,
    periods_sd: FloatArray,
    correlation: FloatArray,
    out: FloatArray,
) -> None:
    for i in range(mean.size):
        out[i] = math.nan
        r = correlation[i]
        if not (sd[i] >= 0.0 and 0.0 <= periods[i] < math.inf and periods_sd[i] >= 0.0 and abs(r) <= 1.0):
            continue
        whole = math.floor(periods[i])
        rest = periods[i] - whole
        if r == 0.0:
            spread_ = periods[i]
        else:
            spread_ = 0.0
            carried = 0.0  # the sum of r, r², …: the covariance of the next period with all before it
            for _ in range(int(whole)):
                spread_ += 1.0 + 2.0 * carried
                carried = r * (1.0 + carried)
            spread_ += rest * (1.0 + 2.0 * carried)
        out[i] = math.sqrt(sd[i] * sd[i] * max(spread_, 0.0) + (mean[i] * periods_sd[i]) ** 2)


def lead_time_moments(
    mean: ArrayLike,
    sd: ArrayLike,
    lead_time: ArrayLike,
    lead_time_sd: ArrayLike = 0.0,
    correlation: ArrayLike = 0.0,
    *,
    parallel: bool = False,
) -> Moments:
    """Return mean and standard deviation of the demand during a lead time.

    Variance = sd² [L + 2 sum over k < L of (L - k) r^k] + mean² lead_time_sd²: demands of neighbouring periods
    correlate with r (AR(1)), the lead time varies independently of them (Silver, Pyke and Thomas, 4th ed., section
    6.11; Chopra and Meindl, chapter 12). The first part is taken at the mean lead time, which is exact for r = 0;
    between whole periods it is interpolated.

    Parameters
    ----------
    mean, sd
        Of demand in one period, units.
    lead_time, lead_time_sd
        Periods; for periodic review give lead time + review period.
    correlation
        Of neighbouring periods, in [-1, 1].
    parallel
        Use all of numba's threads.

    Examples
    --------
    >>> from fullshelf.kernels.service import safety_stock
    >>> moments = lead_time_moments(mean=2500, sd=500, lead_time=7, lead_time_sd=7)  # Chopra and Meindl: Dell
    >>> float(moments.mean), float(moments.sd.round(1)), float(safety_stock(moments.sd, 0.9).units.round(1))
    (17500.0, 17549.9, 22491.1)
    """
    arguments = [mean, sd, lead_time, lead_time_sd, correlation]
    (deviation,) = over_blocks(_moments, arguments, 1, parallel=parallel)
    return Moments((floats(mean) * floats(lead_time))[()], deviation)
