"""`fullshelf bench accuracy`: loss and coverage beside statsforecast, on simulated series and on the open tasks.

The simulated part runs everywhere: series of three periods of time, held against the demand that came after them. The
open tasks are real sales that stand beside the project; without them that part is left out, with the reason.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from math import exp, log
from pathlib import Path

import numpy as np

from fullshelf.bench.forecast_peer import CONFORMAL, PEER_FAIRNESS, StatsForecastPeer, missing_model, missing_peer
from fullshelf.bench.forecast_sample import SEED, Floats, Sample, draw_sample, first_series, weighted_quantile_loss
from fullshelf.bench.machine import Limits, Machine, one_core
from fullshelf.bench.open_tasks import task_rows, tasks_file
from fullshelf.bench.result import OURS, Report, Row
from fullshelf.bench.timing import Timing
from fullshelf.engine.calendar import Period
from fullshelf.engine.models.catalogue import load_model
from fullshelf.engine.models.protocol import DemandModel
from fullshelf.kernels.levels import LEVELS

SERIES = {"small": 24, "full": 500}
SPANS = {Period.DAY: (365, 28), Period.WEEK: (156, 13), Period.MONTH: (72, 12)}  # history, horizon
MODELS = ("auto", "demand-lm", "seasonal-naive")
PEERS = ("SeasonalNaive", "AutoETS", "AutoTheta", "CrostonSBA")
TASK_PEERS = ("AutoETS", "AutoTheta")  # the judge scores the seasonal naive itself
NAIVE = "seasonal-naive"
FAIRNESS = (
    "Simulated series come from our own simulator, which no model here was tuned on but DemandLM was trained on its "
    "like: that favours it. Histories are demand as customers wanted it, without prices or promotions, which the peers "
    f"could not read. One core each. {PEER_FAIRNESS}"
)
TASKS_FAIRNESS = (
    "On the open tasks ours read price, promotion and events where a task has them; the peers cannot without a model "
    "of them. A peer that would take longer than four minutes on a task is not run. No model was trained on the tasks."
)


def measure_accuracy(
    machine: Machine,
    limits: Limits,
    series: int,
    shared: Path | None,
    *,
    models: Sequence[str] = MODELS,
    peers: Sequence[str] = PEERS,
    tasks: Sequence[str] | None = None,
    windows: int = 1,
    periods: Sequence[Period] = tuple(SPANS),
    say: Callable[[str], None] = print,
) -> Report:
    """Score models and peers on simulated series of each period and, where `shared` holds them, on the open tasks.

    Raises
    ------
    RuntimeError
        If a forecast or the judge fails on an open task; the message is theirs.
    """
    rows: list[Row] = []
    for period in periods:
        history, horizon = SPANS[period]
        sample = draw_sample(series, period=period, periods=history, horizon=horizon)
        rows += _simulated(sample, history, models, peers, say)
    sentences = [FAIRNESS]
    if shared is None:
        sentences.append("The open tasks were not asked for: `--size full` or `--task NAME` scores them.")
    elif not tasks_file(shared).exists():
        sentences.append(
            f"The open tasks were left out: {tasks_file(shared)} does not exist. They are real sales that "
            "are no part of the project; `--shared` names their folder."
        )
    else:
        found = TASK_PEERS if peers and not missing_peer() else ()
        rows += task_rows(shared, [m for m in models if not missing_model(m)], found, tasks, windows, say)
        sentences.append(TASKS_FAIRNESS)
    figures = dict(_means(rows))
    return Report("accuracy", machine, limits, tuple(rows), {"marketplace": SEED}, tuple(sentences), figures)


def _simulated(
    sample: Sample, history: int, models: Sequence[str], peers: Sequence[str], say: Callable[[str], None]
) -> Iterator[Row]:
    period, S = sample.panel.period, sample.panel.series
    task, size = f"simulated {period}s", f"{S:,} series × {history} {period}s, {sample.horizon} ahead"
    naive = _loss(_quantiles(load_model(NAIVE, LEVELS, period.season), sample)[0], sample.truth)
    for name in models:
        who = f"{OURS} {name}"
        if reason := missing_model(name):
            yield Row(task, who, size, S, "series", None, note=reason)
            continue
        say(f"{task}: {who}")
        with one_core():
            model = load_model(name, LEVELS, period.season)
            first = _seconds(partial(model.forecast, first_series(sample.panel, 2), sample.horizon))
            begun = time.perf_counter()
            quantiles, totals = _quantiles(model, sample)
            seconds = time.perf_counter() - begun
        figures = _figures(quantiles, sample.truth, naive)
        if totals is not None:
            figures["WQL of totals"] = _loss(totals, sample.truth.sum(axis=1))
        yield Row(task, who, size, S, "series", Timing(first, (seconds,)), 1, figures)
    for name in peers:
        who = f"statsforecast {name}"
        if reason := missing_peer():
            yield Row(task, who, size, S, "series", None, note=reason)
            continue
        say(f"{task}: {who}")
        with one_core():
            peer = StatsForecastPeer(name, sample.horizon, period)
            first = _seconds(partial(peer, first_series(sample.panel, 2)))
            begun = time.perf_counter()
            quantiles = peer(sample.panel)
            seconds = time.perf_counter() - begun
        note = "conformal intervals, 2 windows" if name in CONFORMAL else ""
        figures = _figures(quantiles, sample.truth, naive)
        yield Row(task, who, size, S, "series", Timing(first, (seconds,)), 1, figures, note)


def _quantiles(model: DemandModel, sample: Sample) -> tuple[Floats, Floats | None]:
    """Return quantiles (S, H, Q), and those of the total over the horizon (S, Q) where the model has them."""
    forecast = model.forecast(sample.panel, sample.horizon)
    totals = None if forecast.cumulative is None else forecast.cumulative[:, -1, :].astype(np.float64)
    return forecast.quantiles.astype(np.float64), totals


def _figures(quantiles: Floats, truth: Floats, naive: float) -> dict[str, float]:
    middle, high = LEVELS.index(0.5), LEVELS.index(0.9)
    loss = _loss(quantiles, truth)
    return {
        "WQL": loss,
        "of naive": loss / naive,
        "bias": float((quantiles[:, :, middle] - truth).sum() / truth.sum()),
        "at or below q0.9": float((truth <= quantiles[:, :, high]).mean()),
    }


def _loss(quantiles: Floats, truth: Floats) -> float:
    return weighted_quantile_loss(np.asarray(LEVELS), quantiles, truth)


def _seconds(call: Callable[[], object]) -> float:
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def _means(rows: Sequence[Row]) -> Iterator[tuple[str, float]]:
    """Geometric mean of each contender's loss over the naive's, over the real tasks or else the simulated series."""
    real = [row for row in rows if not row.task.startswith("simulated")]
    for part, chosen in (("simulated", [row for row in rows if row not in real]), ("open tasks", real)):
        tasks = {row.task for row in chosen}
        for who in dict.fromkeys(row.who for row in chosen):
            ratios = [row.figures["of naive"] for row in chosen if row.who == who and "of naive" in row.figures]
            if ratios and len(ratios) >= len(tasks):
                yield f"{part}: {who}, geometric mean of naive", exp(sum(map(log, ratios)) / len(ratios))
