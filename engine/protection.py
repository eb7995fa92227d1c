"""Protect: from a forecast and the lead times to the demand of each series' own protection interval."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fullshelf.engine.end_of_sale import ends_of
from fullshelf.engine.forecast import Forecast, LeadTimeDemand, RunningTotals
from fullshelf.engine.panel import Panel
from fullshelf.kernels.lead_time import (
    LONGEST,
    autocorrelation,
    lead_time_distribution,
    mix_over_lead_times,
    totals_by_moments_ar1,
)

MEMORY_SEASONS = 4  # seasons of history from which the correlation of neighbouring periods is estimated
TERMS = {"lead_time": 0.0, "lead_time_sd": 0.0, "review_period": 1.0}  # supply columns and what null stands for
SLACK = 1e-9  # a lead time of 2 + rounding error is 2


def periods_needed(supply: pl.DataFrame) -> int:
    """Return how many periods a forecast must reach: the longest lead time looked at + review period, at least 1."""
    lead, sd, review = (supply[name].fill_null(fill).to_numpy() for name, fill in TERMS.items())
    return int((np.ceil(lead + LONGEST * sd - SLACK) + np.ceil(review - SLACK)).max(initial=1.0))


def protect(forecast: Forecast, supply: pl.DataFrame, panel: Panel | None = None) -> LeadTimeDemand:
    """Look up, or compose, the demand of lead time + review period.

    A forecast with `cumulative` is looked up at k = L + R, with no assumption. One with marginals only needs the panel,
    whose newest seasons give the correlation of neighbouring periods, and goes through `totals_by_moments_ar1`. A
    random lead time (`lead_time_sd` > 0) mixes the totals over a log-normal lead time in whole periods.

    Parameters
    ----------
    supply
        S rows in the forecast's order: lead_time, lead_time_sd, review_period, shelf_life in periods. Fractions of a
        period are rounded up: goods that arrive within a period are for sale from the next one.

    Raises
    ------
    ValueError
        If the forecast is shorter than a lead time + review period, or has marginals only and there is no panel.
    """
    S, H, Q = forecast.quantiles.shape
    lead, sd, review_time = (supply[name].fill_null(fill).to_numpy() for name, fill in TERMS.items())
    review = np.maximum(np.ceil(review_time - SLACK), 1).astype(np.int64)
    mean_lead = np.maximum(np.ceil(lead - SLACK), 0).astype(np.int64)
    if S and (mean_lead + review).max() > H:
        s = int((mean_lead + review).argmax())
        raise ValueError(
            f"the forecast reaches {H} periods, but series {s} has lead time {lead[s]:g} + review period "
            f"{review_time[s]:g}; ask the model for {periods_needed(supply)} periods"
        )
    first, weight = _lead_times(lead, np.maximum(sd, 0.0), H - review)
    life = np.ceil(supply["shelf_life"].fill_null(0.0).to_numpy() - SLACK).astype(np.int64)
    latest = first + weight.shape[1] - 1 - (weight[:, ::-1] > 0).argmax(axis=1)  # lead time with any probability
    reach = np.clip(np.maximum(latest + np.maximum(review, life), ends_of(supply)), 1, H)
    totals = _totals(forecast, reach, panel)
    quantiles = np.empty((S, Q))
    mix_over_lead_times(forecast.levels, totals.running, first, weight, review, quantiles)
    running_mean = np.cumsum(forecast.mean, axis=1, dtype=np.float64)
    ends = first[:, None] + np.arange(weight.shape[1]) + review[:, None]  # (S, W); what lies beyond has weight 0
    mean = (weight * np.take_along_axis(running_mean, np.minimum(ends, H) - 1, axis=1)).sum(axis=1)
    return LeadTimeDemand(
        levels=forecast.levels,
        quantiles=quantiles,
        mean=mean,
        periods=mean_lead + review,
        review=review,
        first_lead=first,
        lead_weight=weight,
        totals=totals,
    )


def _lead_times(
    mean: NDArray[np.float64], sd: NDArray[np.float64], longest: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Work out each distribution once: suppliers are few, series are many."""
    kinds, kind = np.unique(np.column_stack([mean, sd, longest]), axis=0, return_inverse=True)
    of_mean, of_sd = np.ascontiguousarray(kinds[:, 0]), np.ascontiguousarray(kinds[:, 1])
    first, weight = lead_time_distribution(of_mean, of_sd, kinds[:, 2].astype(np.int64))
    return first[kind], weight[kind]


def _totals(forecast: Forecast, reach: NDArray[np.int64], panel: Panel | None) -> RunningTotals:
    """Cut the forecast where no series needs more; each rate is over the series' own `reach` (S,) alone."""
    longest = int(reach.max(initial=1))
    single = np.ascontiguousarray(forecast.quantiles[:, :longest])
    if forecast.cumulative is not None:
        running = np.ascontiguousarray(forecast.cumulative[:, :longest])
    elif panel is not None:
        correlation = autocorrelation(panel.units, panel.observed, panel.offsets, MEMORY_SEASONS * panel.period.season)
        running = totals_by_moments_ar1(forecast.levels, single, forecast.mean, correlation)
    else:
        raise ValueError(
            "the model gives single periods only (cumulative is None): pass the panel, so that the correlation of "
            "neighbouring periods can be estimated"
        )
    total = np.cumsum(forecast.mean, axis=1, dtype=np.float64)
    rate: NDArray[np.float64] = np.take_along_axis(total, reach[:, None] - 1, axis=1)[:, 0] / reach
    return RunningTotals(single, running, rate)
