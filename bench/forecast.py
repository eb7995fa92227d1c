"""`fullshelf bench forecast`: our classical models beside statsforecast, on one core, on the same series.

Speed and accuracy stand in one table, for a fast model that is wrong is no feat. The series are simulated; the truth
that the forecasts are held against is the demand of the periods that no model saw. It says nothing about real data:
that is `bench accuracy`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np

from fullshelf.bench.forecast_peer import CONFORMAL, PEER_FAIRNESS, StatsForecastPeer, missing_model, missing_peer
from fullshelf.bench.forecast_sample import SEED, Floats, draw_sample, first_series, weighted_quantile_loss
from fullshelf.bench.machine import Limits, Machine, one_core
from fullshelf.bench.result import OURS, Report, Row
from fullshelf.bench.timing import Timing
from fullshelf.engine.models.catalogue import load_model
from fullshelf.engine.models.names import MODELS
from fullshelf.engine.panel import Panel
from fullshelf.kernels.levels import LEVELS

SERIES = {"small": 30, "full": 1000}
BUDGET = {"small": 5.0, "full": 15.0}  # seconds of a contender
PERIODS, HORIZON, SEASON = 365, 28, 7
PEERS = ("SeasonalNaive", "CrostonSBA", "AutoETS")
FAIRNESS = (
    "One core each (this process is held to one), the same histories and the same 13 levels. Histories are demand as "
    f"customers wanted it, so that reading `in_stock`, which the peer cannot, favours nobody. {PEER_FAIRNESS} The "
    "first call imports, compiles and forecasts two series. WQL: lower is better."
)
Forecaster = Callable[[Panel], Floats]  # quantiles (S, H, Q)


def measure_forecasts(
    machine: Machine,
    limits: Limits,
    series: int,
    *,
    models: Sequence[str] = MODELS,
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
    for who, make in _contenders(models, peers):
        if reason := missing_peer() if who.startswith("statsforecast") else missing_model(who.split()[1]):
            rows.append(Row("forecast", who, size, S, "series", None, note=reason))
            continue
        say(who)
        with one_core():
            begun = time.perf_counter()
            forecast = make()
            forecast(first_series(sample.panel, 2))
            first = time.perf_counter() - begun
            seconds: list[float] = []
            while not seconds or (len(seconds) < repeats and sum(seconds) < budget):
                begun = time.perf_counter()
                quantiles = forecast(sample.panel)
                seconds.append(time.perf_counter() - begun)
        loss = {"WQL": weighted_quantile_loss(np.asarray(LEVELS), quantiles, sample.truth)}
        note = "conformal intervals, 2 windows" if who.endswith(CONFORMAL) else ""
        rows.append(Row("forecast", who, size, S, "series", Timing(first, tuple(seconds)), 1, loss, note))
    return Report("forecast", machine, limits, tuple(rows), {"marketplace": SEED}, (FAIRNESS,))


def _contenders(models: Sequence[str], peers: Sequence[str]) -> Iterator[tuple[str, Callable[[], Forecaster]]]:
    for name in models:
        yield f"{OURS} {name}", partial(_ours, name)
    for name in peers:
        yield f"statsforecast {name}", partial(StatsForecastPeer, name, HORIZON)


def _ours(name: str) -> Forecaster:
    model = load_model(name, LEVELS, SEASON)
    return lambda panel: model.forecast(panel, HORIZON).quantiles.astype(np.float64)
