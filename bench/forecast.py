"""`fullshelf bench forecast`: our classical models beside statsforecast, on one core, on the same series.

Speed and accuracy stand in one table, for a fast model that is wrong is no feat. The series are simulated; the truth
that the forecasts are held against is the demand of the periods that no model saw. It says nothing about real data:
that is `bench accuracy`.
"""

from __future__ import annotations

import importlib.util
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fullshelf.bench.machine import Limits, Machine, one_core
from fullshelf.bench.result import OURS, Report, Row
from fullshelf.bench.timing import Timing
from fullshelf.engine.calendar import Period
from fullshelf.engine.models.catalogue import load_model, model_names
from fullshelf.engine.panel import Panel
from fullshelf.engine.simulate import simulate_marketplace
from fullshelf.kernels.levels import LEVELS

SERIES = {"small": 100, "full": 1000}
PERIODS, HORIZON, SEASON, SEED = 365, 28, 7, 23
SHORTEST = 3 * HORIZON  # conformal intervals of the peer need two horizons and more
PEERS = ("SeasonalNaive", "CrostonSBA", "AutoETS")
FAIRNESS = (
    "One core each (this process is held to one), the same histories and the same 13 levels. Histories are demand as "
    "customers wanted it, so that reading `in_stock`, which the peer cannot, favours nobody. The peer's table is made "
    "before its clock starts, and its quantiles are cut at 0 and sorted, which only helps it. Ours also give the "
    "quantiles of the running total, which the peer has not. The first call imports, compiles and forecasts two "
    "series. WQL: lower is better."
)
Floats = NDArray[np.float64]
Forecaster = Callable[[Panel], Floats]  # quantiles (S, H, Q)


@dataclass(frozen=True, slots=True)
class Sample:
    """S series of the same kind, with what came after."""

    panel: Panel
    truth: Floats  # (S, H) demand of as-of + 1 … as-of + H
    as_of: date


def measure_forecasts(
    machine: Machine,
    limits: Limits,
    series: int,
    *,
    models: Sequence[str] = model_names(),
    peers: Sequence[str] = PEERS,
    repeats: int = 7,
    budget: float = 15.0,
    say: Callable[[str], None] = print,
) -> Report:
    """Forecast the same sample with each of our models and each peer, and measure both time and loss."""
    sample = draw_sample(series)
    S = sample.panel.series
    size = f"{S:,} series × {PERIODS} days, {HORIZON} ahead"
    rows = []
    reason = missing_peer()
    for who, make in _contenders(models, peers):
        if reason and who.startswith("statsforecast"):
            rows.append(Row("forecast", who, size, S, "series", None, note=reason))
            continue
        say(who)
        with one_core():
            begun = time.perf_counter()
            forecast = make()
            forecast(_first(sample.panel, 2))
            first = time.perf_counter() - begun
            seconds: list[float] = []
            while not seconds or (len(seconds) < repeats and sum(seconds) < budget):
                begun = time.perf_counter()
                quantiles = forecast(sample.panel)
                seconds.append(time.perf_counter() - begun)
        loss = {"WQL": weighted_quantile_loss(np.asarray(LEVELS), quantiles, sample.truth)}
        note = "conformal intervals, 2 windows" if who.endswith("CrostonSBA") else ""
        rows.append(Row("forecast", who, size, S, "series", Timing(first, tuple(seconds)), 1, loss, note))
    return Report("forecast", machine, limits, tuple(rows), {"marketplace": SEED}, (FAIRNESS,))


def missing_peer() -> str:
    """Say why statsforecast cannot be measured; "" if it can."""
    if importlib.util.find_spec("statsforecast") is None:
        return "statsforecast is not installed: pip install 'fullshelf[bench]'"
    return ""


def draw_sample(series: int, *, periods: int = PERIODS, horizon: int = HORIZON) -> Sample:
    """Simulate series and keep those with enough history and a life beyond the horizon; at most `series` of them."""
    with tempfile.TemporaryDirectory(prefix="fullshelf-bench-") as folder:
        market = simulate_marketplace(
            2 * series + 50, periods, Path(folder), period=Period.DAY, seed=SEED, truth=True, ahead=horizon
        )
        truth = pl.read_parquet(market.tables["truth"] / "*.parquet", columns=["sku", "location", "date", "demand"])
    key = ["sku", "location"]
    last = Period.DAY.number_of(market.as_of)
    truth = truth.with_columns(step=Period.DAY.number("date") - last)
    lives = truth.group_by(key).agg(n=(pl.col("step") <= 0).sum(), end=pl.col("step").max())
    kept = lives.filter(pl.col("n") >= SHORTEST, pl.col("end") == horizon).sort(key).head(series)
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
        period=Period.DAY,
        last=last,
    )
    return Sample(panel, coming["demand"].to_numpy().reshape(kept.height, horizon), market.as_of)


def weighted_quantile_loss(levels: Floats, quantiles: Floats, truth: Floats) -> float:
    """Return 2 · Σ pinball / Σ |y|, averaged over the levels; quantiles (S, H, Q), truth (S, H).

    Examples
    --------
    >>> weighted_quantile_loss(np.array([0.5]), np.array([[[1.0]]]), np.array([[4.0]]))
    0.75
    """
    error = truth[:, :, None] - quantiles
    pinball = np.maximum(levels * error, (levels - 1) * error).sum(axis=(0, 1))
    return float(2 * pinball.mean() / np.abs(truth).sum())


def _contenders(models: Sequence[str], peers: Sequence[str]) -> Iterator[tuple[str, Callable[[], Forecaster]]]:
    for name in models:
        yield f"{OURS} {name}", partial(_ours, name)
    for name in peers:
        yield f"statsforecast {name}", partial(_Peer, name)


def _ours(name: str) -> Forecaster:
    model = load_model(name, LEVELS, SEASON)
    return lambda panel: model.forecast(panel, HORIZON).quantiles.astype(np.float64)


class _Peer:
    """One model of statsforecast; its quantiles in our shape."""

    def __init__(self, name: str) -> None:
        from statsforecast import StatsForecast
        from statsforecast import models as theirs
        from statsforecast.utils import ConformalIntervals

        made = getattr(theirs, name)
        if name == "CrostonSBA":  # no distribution of its own
            model = made(prediction_intervals=ConformalIntervals(h=HORIZON, n_windows=2))
        else:
            model = made(season_length=SEASON)
        self._name, self._job = name, StatsForecast(models=[model], freq="1d", n_jobs=1)
        self._frames: dict[int, pl.DataFrame] = {}

    def __call__(self, panel: Panel) -> Floats:
        """Return quantiles (S, H, Q)."""
        if panel.series not in self._frames:
            self._frames[panel.series] = _long(panel)
        intervals = [round(100 * abs(2 * level - 1)) for level in LEVELS if level != 0.5]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # theirs, on degenerate series
            found = self._job.forecast(df=self._frames[panel.series], h=HORIZON, level=sorted(set(intervals)))
        columns = [self._column(level) for level in LEVELS]
        values: Any = found.sort("unique_id", "ds").select(columns).to_numpy()
        quantiles: Floats = np.sort(np.maximum(values.reshape(panel.series, HORIZON, len(LEVELS)), 0.0), axis=2)
        return quantiles

    def _column(self, level: float) -> str:
        if level == 0.5:
            return self._name
        return f"{self._name}-{'hi' if level > 0.5 else 'lo'}-{round(100 * abs(2 * level - 1))}"


def _long(panel: Panel) -> pl.DataFrame:
    lengths = np.diff(panel.offsets)
    step = np.arange(panel.units.size) - np.repeat(panel.offsets[1:], lengths) + 1
    return pl.DataFrame(
        {
            "unique_id": np.repeat(np.arange(panel.series), lengths),
            "ds": pl.Series(panel.last + step).cast(pl.Int32).cast(pl.Date),
            "y": panel.units.astype(np.float64),
        }
    )


def _first(panel: Panel, count: int) -> Panel:
    end = int(panel.offsets[count])
    return Panel(
        panel.keys.head(count), panel.units[:end], panel.observed[:end], panel.covariates[:end], panel.covariate_names,
        panel.offsets[: count + 1], panel.period, panel.last,
    )  # fmt: skip
