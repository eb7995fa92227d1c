"""Simulated series with what came after them, and the loss of forecasts held against it."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fullshelf.engine.calendar import Period
from fullshelf.engine.panel import Panel
from fullshelf.engine.simulate import simulate_marketplace

SEED = 23
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sample:
    """S series of the same kind, with what came after."""

    panel: Panel
    truth: Floats  # (S, H) demand of as-of + 1 … as-of + H
    as_of: date

    @property
    def horizon(self) -> int:
        """Periods ahead."""
        return int(self.truth.shape[1])


def shortest(period: Period, horizon: int) -> int:
    """Return the history that all contenders can use: conformal intervals need two horizons, a season shows twice."""
    return max(3 * horizon, 2 * period.season)


def draw_sample(series: int, *, period: Period = Period.DAY, periods: int = 365, horizon: int = 28) -> Sample:
    """Simulate series and keep those with enough history and a life beyond the horizon; at most `series` of them."""
    with tempfile.TemporaryDirectory(prefix="fullshelf-bench-") as folder:
        market = simulate_marketplace(
            2 * series + 50, periods, Path(folder), period=period, seed=SEED, truth=True, ahead=horizon
        )
        truth = pl.read_parquet(market.tables["truth"] / "*.parquet", columns=["sku", "location", "date", "demand"])
    key = ["sku", "location"]
    last = period.number_of(market.as_of)
    truth = truth.with_columns(step=period.number("date") - last)
    lives = truth.group_by(key).agg(n=(pl.col("step") <= 0).sum(), end=pl.col("step").max())
    kept = lives.filter(pl.col("n") >= shortest(period, horizon), pl.col("end") == horizon).sort(key).head(series)
    truth = truth.join(kept.select(key), on=key, how="semi").sort(*key, "date")
    known, coming = truth.filter(pl.col("step") <= 0), truth.filter(pl.col("step") > 0)
    N = known.height
    panel = Panel(
        keys=kept.select(key),
        units=known["demand"].cast(pl.Float32).to_numpy(),
        observed=np.ones(N, np.float32),
        covariates=np.empty((N, 0), np.float32),
        covariate_names=(),
        offsets=np.concatenate([[0], np.cumsum(kept["n"].to_numpy())]).astype(np.int64),
        period=period,
        last=last,
    )
    return Sample(panel, coming["demand"].to_numpy().reshape(kept.height, horizon), market.as_of)


def first_series(panel: Panel, count: int) -> Panel:
    """Return the panel of the first series alone."""
    end = int(panel.offsets[count])
    return Panel(
        panel.keys.head(count), panel.units[:end], panel.observed[:end], panel.covariates[:end], panel.covariate_names,
        panel.offsets[: count + 1], panel.period, panel.last,
    )  # fmt: skip


def weighted_quantile_loss(levels: Floats, quantiles: Floats, truth: Floats) -> float:
    """Return 2 · Σ pinball / Σ |y|, averaged over the levels; quantiles (…, Q), truth (…).

    Examples
    --------
    >>> weighted_quantile_loss(np.array([0.5]), np.array([[[1.0]]]), np.array([[4.0]]))
    0.75
    """
    error = truth[..., None] - quantiles
    pinball = np.maximum(levels * error, (levels - 1) * error).reshape(-1, levels.size).sum(axis=0)
    return float(2 * pinball.mean() / np.abs(truth).sum())
