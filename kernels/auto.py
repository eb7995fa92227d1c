"""All forecasters, blended for each series by its own past errors at rolling origins.

The history is cut at a few origins; every member forecasts from there with what was known by then. Members are weighted
by prior x (relative pinball loss)^-3, less where the history reaches only some of the origins, periods and totals
counting alike, and their quantiles are averaged. With little evidence the prior speaks. Series fall into three kinds by
rule: silent ones take one cheap forecast; smooth ones, with hardly a zero, blend the windows with the seasonal naive,
exponential smoothing and theta; all others blend them with TSB. Gaps in which an item was not for sale are left out
(`kernels/gaps.py`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fullshelf.kernels.blend import average_forecasts, member_weights, past_losses
from fullshelf.kernels.compile import loop
from fullshelf.kernels.croston import SILENT, TSB, croston_forecasts
from fullshelf.kernels.exponential_smoothing import exponential_smoothing
from fullshelf.kernels.exposure import NOTHING
from fullshelf.kernels.gaps import leave_out_gaps
from fullshelf.kernels.histories import actual_after, take_histories
from fullshelf.kernels.seasonal_naive import seasonal_naive_forecasts
from fullshelf.kernels.smoothers import with_factors
from fullshelf.kernels.theta import theta
from fullshelf.kernels.weighted_window import window_forecasts

__all__ = ["SILENT_SERIES", "auto", "kinds_of_series"]

Array = NDArray[np.float64]
Single = NDArray[np.float32]
Offsets = NDArray[np.int64]
Forecasts = tuple[Single, Single, Single]

CONTEXT = 728  # newest periods that are read, or eight seasons where that is more
CHUNK = 256  # series forecast together: their members' quantiles fit into the processor's cache
LUMPY_ORIGINS = 2  # cuts of the history: h, 1½ h … before its end, where h is the horizon, but at most
SMOOTH_ORIGINS = 3
TESTED = 28  # periods or two seasons: what weighs members there weighs them further ahead
SHORTEST = 3  # periods of history that an origin needs
EVIDENCE = 3.0  # what all origins together say
FEW_ZEROS = 0.05  # share of zeros in the newest periods up to which a series is smooth
ENOUGH = 12  # periods that a smooth series has

SILENT_SERIES, LUMPY_SERIES, SMOOTH_SERIES = 0, 1, 2

INTERMITTENT, SILENT_ONLY = np.array([TSB]), np.array([SILENT])

# What members weigh before any error is seen.
LUMPY_PRIOR = (2.0, 1.0, 0.3)  # negative binomial, empirical, TSB
SMOOTH_PRIOR = (2.0, 1.0, 0.1, 1.0, 1.0)  # negative binomial, empirical, seasonal naive, smoothing, theta


@dataclass(frozen=True, slots=True)
class _Histories:
    """S series, one after the other."""

    units: Single  # (N,)
    observed: Single  # (N,)
    factor: Single  # (N,) or NOTHING
    offsets: Offsets  # (S + 1,)

    def take(self, rows: Offsets, back: int, longest: int) -> "_Histories":
        """Return the series `rows` without their last `back` periods, at most `longest` long."""
        units, offsets = take_histories(self.units, self.offsets, rows, back, longest)
        observed, _ = take_histories(self.observed, self.offsets, rows, back, longest)
        factor = take_histories(self.factor, self.offsets, rows, back, longest)[0] if self.factor.size else NOTHING
        return _Histories(units, observed, factor, offsets)


@loop
def kinds_of_series(
    units: Single, offsets: Offsets, horizon: int, season: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return each series' kind, `SILENT_SERIES`, `LUMPY_SERIES` or `SMOOTH_SERIES`, and whether its units are whole.

    Silent: no sale in the newest four horizons or two seasons, whichever is longer. Smooth: at least 12 periods, and at
    most 5 % zeros in the newest six horizons.
    """
    S = offsets.size - 1
    kinds = np.full(S, LUMPY_SERIES)
    whole = np.ones(S, dtype=np.bool_)
    silence = max(4 * horizon, 2 * season)
    for s in range(S):
        start, stop = offsets[s], offsets[s + 1]
        newest = max(start, stop - 6 * horizon)
        zeros = sales = 0
        for t in range(start, stop):
            if units[t] != np.floor(units[t]):
                whole[s] = False
            if units[t] > 0.0 and t >= stop - silence:
                sales += 1
            if units[t] <= 0.0 and t >= newest:
                zeros += 1
        if sales == 0:
            kinds[s] = SILENT_SERIES
        elif stop - start >= ENOUGH and zeros <= FEW_ZEROS * (stop - newest):
            kinds[s] = SMOOTH_SERIES
    return kinds, whole


def _members(
    histories: _Histories, ahead: Single, horizon: int, season: int, levels: Array, smooth: bool
) -> tuple[Single, Single, Single]:
    """Run all members: quantiles and cumulative (M, S, H, Q), mean (M, S, H), in the order of the prior."""
    h = histories
    past = (h.units, h.observed, h.factor, ahead, h.offsets, horizon)
    q, total, mean = window_forecasts(*past, season, levels, 2)
    if smooth:
        others = [
            seasonal_naive_forecasts(*past, season, levels),
            *(
                with_factors(f, h.units, h.observed, h.factor, ahead, h.offsets, horizon, season, levels)
                for f in (exponential_smoothing, theta)
            ),
        ]
    else:
        others = [*zip(*croston_forecasts(*past, levels, INTERMITTENT), strict=True)]
    return (
        np.stack([q[0], q[1], *(f[0] for f in others)]),
        np.stack([total[0], total[1], *(f[1] for f in others)]),
        np.stack([mean, mean, *(f[2] for f in others)]),
    )


def _weights(histories: _Histories, horizon: int, season: int, levels: Array, smooth: bool) -> Array:
    """Return the (M, S) weights of the members by their losses at the origins."""
    prior = np.array(SMOOTH_PRIOR if smooth else LUMPY_PRIOR)
    lengths = np.diff(histories.offsets)
    losses = np.zeros((prior.size, lengths.size, 2))
    origins = np.zeros(lengths.size, dtype=np.int64)
    thin = levels[::2] if levels.size > 5 else levels  # every other level says as much about the members
    horizon = min(horizon, max(TESTED, 2 * season))
    cuts = SMOOTH_ORIGINS if smooth else LUMPY_ORIGINS
    for i in range(cuts):
        back = horizon + i * (horizon + 1) // 2
        rows = np.flatnonzero(lengths - back >= SHORTEST)
        if rows.size == 0:
            break
        after = [
            actual_after(values, histories.offsets, rows, back, horizon) if values.size else NOTHING
            for values in (histories.units, histories.observed, histories.factor)
        ]
        before = histories.take(rows, back, int(lengths.max()))
        q, total, _ = _members(before, after[2].ravel(), horizon, season, thin, smooth)
        losses[:, rows] += past_losses(after[0], after[1], thin, q, total)
        origins[rows] += 1
    return member_weights(losses, origins, prior, EVIDENCE / cuts)


def _blend(
    histories: _Histories,
    ahead: Single,
    horizon: int,
    season: int,
    levels: Array,
    smooth: bool,
    whole: NDArray[np.bool_],
) -> Forecasts:
    weights = _weights(histories, horizon, season, levels, smooth)
    member_quantiles, member_totals, member_means = _members(histories, ahead, horizon, season, levels, smooth)
    quantiles = average_forecasts(weights, whole, member_quantiles)
    cumulative = average_forecasts(weights, whole, member_totals)
    cumulative[:, 0] = quantiles[:, 0]  # the same, but for rounding
    np.maximum.accumulate(cumulative, axis=1, out=cumulative)
    return quantiles, cumulative, np.einsum("ms,msh->sh", weights, member_means).astype(np.float32)


def auto(
    units: Single,
    observed: Single,
    offsets: Offsets,
    horizon: int,
    season: int,
    levels: Array,
    factor: Single = NOTHING,
    ahead: Single = NOTHING,
) -> Forecasts:
    """Forecast S series by the blend of all forecasters.

    Parameters
    ----------
    units, observed
        (N,) units and share of the period in stock of all series, one after the other, oldest first.
    offsets
        (S + 1,) series s owns positions offsets[s] … offsets[s + 1] - 1.
    horizon, season
        Periods, H and m.
    levels
        (Q,) rising probabilities.
    factor, ahead
        (N,) and (S, H) demand expected relative to an ordinary period, e.g. of promotions; `NOTHING` for 1 throughout.

    Returns
    -------
    quantiles (S, H, Q) in units per period, cumulative (S, H, Q) in units per 1…k periods, mean (S, H).
    """
    S, H, Q = offsets.size - 1, horizon, levels.size
    longest = max(CONTEXT, 8 * season)
    observed = leave_out_gaps(units, observed, offsets, longest)
    everything = _Histories(units, observed, factor, offsets)
    kinds, whole = kinds_of_series(units, offsets, horizon, season)
    quantiles = np.zeros((S, H, Q), dtype=np.float32)
    cumulative = np.zeros((S, H, Q), dtype=np.float32)
    mean = np.zeros((S, H), dtype=np.float32)
    for kind in (SILENT_SERIES, LUMPY_SERIES, SMOOTH_SERIES):
        of_kind = np.flatnonzero(kinds == kind)
        for first in range(0, of_kind.size, CHUNK):
            rows = of_kind[first : first + CHUNK]
            future = ahead[rows].ravel() if ahead.size else NOTHING
            if kind == SILENT_SERIES:
                h = everything.take(rows, 0, units.size)
                found = croston_forecasts(
                    h.units, h.observed, h.factor, future, h.offsets, horizon, levels, SILENT_ONLY
                )
                part = found[0][0], found[1][0], found[2][0]
            else:
                h = everything.take(rows, 0, longest)
                part = _blend(h, future, horizon, season, levels, kind == SMOOTH_SERIES, whole[rows])
            quantiles[rows], cumulative[rows], mean[rows] = part
    return quantiles, cumulative, mean
