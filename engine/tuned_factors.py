"""What tuning changes for each series of a shard: the segments of `plan.tuned` looked up, series by series.

A series' segment follows from its own sales and its own rows of the tables, so its order does not depend on neighbours:
the revenues from which on a series is A or B were fixed when the file was made.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fullshelf.engine.forecast import LeadTimeDemand, RunningTotals
from fullshelf.engine.panel import Panel
from fullshelf.engine.speed_classes import xyz
from fullshelf.engine.tuned_settings import Tuning
from fullshelf.kernels.textbook import newest_moments

__all__ = ["TunedFactors", "factors_of_shard", "segments_of", "traits_of", "untuned"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TunedFactors:
    """(S,) each; see `tuned_settings`."""

    demand: Array  # factor; 1: as forecast
    shortage: Array  # factor; 1: as given
    cap: Array  # review periods of expected demand; inf: none

    def without(self, rows: NDArray[np.bool_]) -> TunedFactors:
        """Return the factors with those of some series (S,) as if nothing were tuned."""
        return TunedFactors(
            np.where(rows, 1.0, self.demand), np.where(rows, 1.0, self.shortage), np.where(rows, np.inf, self.cap)
        )

    def most(self, cycle: Array) -> Array:
        """Return the most that an order may be (S,), from the demand of a review period (S,), units."""
        capped = np.isfinite(self.cap)
        return np.where(capped, np.where(capped, self.cap, 1.0) * cycle, np.inf)

    def of_demand(self, demand: LeadTimeDemand) -> LeadTimeDemand:
        """Return the demand times its factors; one of 1 changes no bit."""
        if (self.demand == 1.0).all():
            return demand
        single = self.demand.astype(np.float32)[:, None, None]
        totals = demand.totals
        return replace(
            demand,
            quantiles=demand.quantiles * self.demand[:, None],
            mean=demand.mean * self.demand,
            totals=RunningTotals(totals.single * single, totals.running * single, totals.rate * self.demand),
        )


def untuned(series: int) -> TunedFactors:
    """Return factors that change nothing."""
    return TunedFactors(np.ones(series), np.ones(series), np.full(series, np.inf))


def traits_of(panel: Panel, supply: pl.DataFrame, skus: pl.DataFrame) -> pl.DataFrame:
    """Return what makes segments, for S series: category (its first part), supplier, location, xyz, and `revenue`.

    Revenue is currency per period, average of the newest year; where no price is known, units stand for it.
    """
    mean, sd = np.empty(panel.series), np.empty(panel.series)
    newest_moments(panel.units, panel.offsets, round(panel.period.per_year), mean, sd)
    price = supply.select(pl.coalesce("unit_price", "unit_cost").fill_null(1.0)).to_series().to_numpy()
    return panel.keys.select("location").with_columns(
        supply["supplier"],
        skus["category"].str.split("/").list.first(),
        xyz=pl.Series(xyz(mean, sd), dtype=pl.String),
        revenue=pl.Series(mean * price),
    )


def segments_of(traits: pl.DataFrame, by: tuple[str, ...], least: tuple[float, float] | None) -> pl.DataFrame:
    """Return the columns `by` for S series, from `traits_of`; null: belongs to no segment.

    Examples
    --------
    >>> traits = pl.DataFrame({"revenue": [90.0, 20.0, 3.0, 0.0], "xyz": ["X", "Y", "Z", "Z"]})
    >>> segments_of(traits, ("abc", "xyz"), (50.0, 3.0)).rows()
    [('A', 'X'), ('B', 'Y'), ('B', 'Z'), ('C', 'Z')]
    """
    if least is not None:
        worth = pl.col("revenue")
        selling = worth > 0
        first, second = selling & (worth >= least[0]), selling & (worth >= least[1])
        abc = pl.when(first).then(pl.lit("A")).when(second).then(pl.lit("B")).otherwise(pl.lit("C"))
        traits = traits.with_columns(abc=abc)
    return traits.select(by)


def factors_of_shard(
    tuning: Tuning | None, panel: Panel, supply: pl.DataFrame, skus: pl.DataFrame
) -> TunedFactors | None:
    """Look up the factors of a panel's series; `supply` and `skus` are in its order. None: nothing is tuned."""
    kept = [] if tuning is None else [found for found in tuning.segments if found.kept]
    if tuning is None or not kept:
        return None
    S, by = panel.series, tuning.by
    own = segments_of(traits_of(panel, supply, skus), by, tuning.abc) if by else pl.DataFrame({"#": np.zeros(S, bool)})
    found = untuned(S)
    for one in kept:
        inside = pl.all_horizontal([pl.col(trait) == one.segment[trait] for trait in by] or [pl.lit(True)])
        rows = own.with_columns(inside=inside.fill_null(False))["inside"].to_numpy()
        found.demand[rows], found.shortage[rows] = one.demand, one.shortage
        found.cap[rows] = np.inf if one.cap is None else one.cap
    return found
