"""`fullshelf tune`: from a configuration and its past to a file of numbers that `plan.tuned` obeys."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
import time
import zlib
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fullshelf.engine.backtest.bootstrap import Difference, difference
from fullshelf.engine.backtest.job import begins_too_early, side_of
from fullshelf.engine.backtest.live import live_all
from fullshelf.engine.backtest.rounds import Rounds, settle_rounds
from fullshelf.engine.backtest.trial import Contender, Side, Trial, shown_name
from fullshelf.engine.commit import only_one
from fullshelf.engine.config import Config
from fullshelf.engine.errors import ConfigError, InputError, UsageError
from fullshelf.engine.intake import Intake, prepare
from fullshelf.engine.limits import read_limits
from fullshelf.engine.local import run_all
from fullshelf.engine.panels import all_live_keys
from fullshelf.engine.progress import Reporter, silent
from fullshelf.engine.refresh import cache_folder
from fullshelf.engine.speed_classes import abc
from fullshelf.engine.stopping import Stop
from fullshelf.engine.tune.rehearsal import Rehearsal, joined, rehearse
from fullshelf.engine.tune.replay import replayed
from fullshelf.engine.tune.search import DEFAULT, cheapest
from fullshelf.engine.tune.words import why, write_tuned
from fullshelf.engine.tuned_factors import segments_of
from fullshelf.engine.tuned_settings import TunedSegment, Tuning

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

AT_ONCE = 1000  # series lived together: bounds the memory


@dataclass(frozen=True, slots=True)
class _Found:
    """One segment, what the search found, and both costs (n, K) of the K rounds that judge."""

    segment: TunedSegment
    before: Array
    after: Array


def tune(config: Config, progress: Reporter = silent, stop: Stop | None = None) -> dict[str, Any]:
    """Tune on past rounds, judge on later ones, write `tune.output`; return what is in it, and the whole saving.

    Raises
    ------
    UsageError
        If the configuration or an input cannot be used; nothing was written.
    RunError
        If a shard failed.
    Interrupted
        If `stop` was set; nothing was written.
    """
    stop = stop or Stop()
    if config.inputs.supply is None:
        raise ConfigError("inputs.supply: orders need costs and lead times")
    if "://" in config.output or "://" in config.tune.output:
        raise ConfigError("tune: expected local folders for output and tune.output")
    _check_end(config)
    config = config.model_copy(update={"plan": config.plan.model_copy(update={"tuned": None})})
    runs = Path(config.output)
    ours = not runs.exists()
    try:
        runs.mkdir(parents=True, exist_ok=True)
        with only_one(cache_folder(config) / "lock", f"{runs}: another refresh or backtest"):
            return _tune(config, progress, stop)
    except OSError as e:
        raise ConfigError(f"output: {runs}: {e.strerror or e}") from e
    except UsageError:
        if ours:  # bad input writes nothing
            shutil.rmtree(runs)
        raise


def _check_end(config: Config) -> None:
    """Say before hours of work what would fail after them: no SciPy, or a file that cannot be written."""
    if find_spec("scipy") is None:
        raise ConfigError("tune needs SciPy: pip install 'fullshelf[tune]'")
    file = Path(config.tune.output).absolute()
    there = next(folder for folder in file.parents if folder.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as e:
        raise ConfigError(f"tune.output: {file}: cannot be written: {e.strerror or e}") from e
    if file.is_dir():
        raise ConfigError(f"tune.output: {file}: is a folder; expected the name of a file, such as tuned.yaml")


def _tune(config: Config, progress: Reporter, stop: Stop) -> dict[str, Any]:
    begun, settings = time.perf_counter(), config.tune
    threads = config.run.threads or len(os.sched_getaffinity(0))
    intake = prepare(config, cache_folder(config), progress, stop.check)
    count = settings.rounds + settings.judge
    spaced = config.backtest.model_copy(update={"rounds": count})
    rounds = settle_rounds(spaced, intake.period, intake.as_of, intake.supply_terms)
    _check_history(rounds, intake)
    trial = _trial(config, intake, rounds)
    boundary = intake.as_of - settings.judge * rounds.every
    shards = range(intake.shards)
    parts = run_all(
        shards,
        lambda n: rehearse(trial, n, boundary, stop),
        threads,
        stop,
        lambda done: progress("forecasts", done, len(shards)),
    )
    play = joined([parts[n] for n in shards])
    least, segments = _segments(config, play, rounds.warm_up + settings.rounds)

    def work(n: int) -> _Found:
        stop.check()
        return _one(config, play, *segments[n], stop)

    numbers = range(len(segments))
    found = run_all(numbers, work, threads, stop, lambda done: progress("segments", done, len(segments)))
    results = [found[n] for n in numbers]
    tuning = Tuning.model_validate(
        {
            "period": intake.period,
            "model": shown_name(config.forecast.model),
            "fingerprint": next(iter(trial.sides[0].models.values())).fingerprint,
            "policy": config.plan.policy,
            "stockout": config.plan.stockout,
            "by": settings.by,
            "abc": least,
            "tuned_on": _told(intake, rounds, rounds.warm_up, settings.rounds),
            "judged_on": _told(intake, rounds, rounds.warm_up + settings.rounds, settings.judge),
            "seed": settings.seed,
            "segments": [one.segment for one in results],
        }
    )
    if trial.limits and any(one.kept for one in tuning.segments):
        tuning, whole = _under_limits(config, trial, tuning, threads, progress, stop)
    else:
        whole = _whole(config, tuning, results)
    write_tuned(Path(settings.output), tuning, whole)
    return {
        "file": settings.output,
        **tuning.model_dump(mode="json"),
        "series": int(sum(one.before.shape[0] for one in results)),
        "limits": len(trial.limits),
        **whole,
        "seconds": time.perf_counter() - begun,
    }


def _trial(config: Config, intake: Intake, rounds: Rounds) -> Trial:
    side = side_of("A", config, intake, [config.forecast.model], rounds)
    limits = () if intake.limits is None else tuple(read_limits(intake.limits))
    if not limits:
        series = all_live_keys(intake.sales, intake.period, intake.as_of).height
        side = replace(side, share=min(config.tune.series / max(series, 1), 1.0))
    return Trial((side,), (Contender(0, next(iter(side.models)), config.plan.policy),), rounds, limits)


def _check_history(rounds: Rounds, intake: Intake) -> None:
    """Raise InputError where the sales begin after the first round."""
    if (found := begins_too_early(rounds, intake)) is not None:
        day, possible = found
        raise InputError(
            f"tune: tune.rounds and tune.judge are {rounds.counted} rounds together, with {rounds.warm_up} to warm up, "
            f"every {rounds.every} {intake.period}s: they would begin on {intake.period.start(rounds.origins[0])}, "
            f"before the first sales, of {day}; set them to {possible} together at most"
        )


def _segments(
    config: Config, play: Rehearsal, tuned_on: int
) -> tuple[tuple[float, float] | None, list[tuple[dict[str, str], Ints]]]:
    """Return the revenues from which on a series is A and B, and each segment with its series."""
    settings, scene = config.tune, play.scenes[tuned_on - 1]
    place = scene.place
    free = (place >= 0) & play.costs.planned
    if not free.any():
        raise InputError(
            "tune: no series has both a row of supply and sales in the rounds that are tuned on; where tune.series "
            f"({settings.series}) is small, it may have drawn none: raise it"
        )
    free[free] = ~scene.targets.promised[place[free]]
    if not free.any():
        raise ConfigError(
            "tune: plan.service promises something to every series; tuning weighs costs, and a promise stands above "
            "them"
        )
    rows = np.flatnonzero(free)
    traits, least = play.traits[rows], None
    if "abc" in settings.by:
        revenue = traits["revenue"].to_numpy()
        classes = abc(revenue)
        selling = revenue > 0
        a, b = (_below(revenue[selling & np.isin(classes, kinds)]) for kinds in (["A"], ["A", "B"]))
        least = (a, b)
    own = segments_of(traits, settings.by, least) if settings.by else pl.DataFrame({"#": [""] * rows.size})
    groups = own.with_columns(row=pl.Series(rows)).drop_nulls().group_by(own.columns).agg("row").sort(own.columns)
    found = []
    for group in groups.iter_rows(named=True):
        members = np.sort(np.array(group.pop("row"), dtype=np.int64))
        found.append(({name: str(value) for name, value in group.items() if name != "#"}, members))
    if not found:
        by = ", ".join(settings.by)
        raise InputError(f"tune.by: {by}: no series has one; name a table with it in inputs.skus, or leave it out")
    return least, found


def _below(values: Array) -> float:
    """Return a number of four digits that is not above any of the values, 0 if there is none."""
    if not values.size:
        return 0.0
    least = float(values.min())
    digits = 10.0 ** (math.floor(math.log10(least)) - 3)
    return float(f"{math.floor(least / digits) * digits:.4g}")


def _one(config: Config, play: Rehearsal, segment: dict[str, str], rows: Ints, stop: Stop) -> _Found:
    """Search the best numbers of one segment on the first rounds and judge them on the later ones."""
    settings, warm_up = config.tune, play.rounds.warm_up
    tuned_on, name = warm_up + settings.rounds, "/".join(segment.values())
    parts = np.array_split(rows, max(-(-rows.size // AT_ONCE), 1))

    def cost(factors: Array) -> Array:
        stop.check()
        total = np.zeros(len(factors))
        for part in parts:
            total += replayed(play, part, factors, tuned_on)[:, :, warm_up:].sum(axis=(1, 2))
        return total

    few = rows.size < settings.least
    best = np.array(DEFAULT) if few else cheapest(cost, settings.candidates, settings.seed + zlib.crc32(name.encode()))
    both, every = np.array([DEFAULT, best]), play.rounds.warm_up + play.rounds.counted
    lived = np.concatenate([replayed(play, part, both, every)[:, :, tuned_on:] for part in parts], axis=1)
    judged = difference(lived[1:], lived[0], settings.resamples, settings.seed, name)
    same = tuple(best) == DEFAULT
    kept = not same and bool(judged.high[0] < 0)
    found = TunedSegment.model_validate(
        {
            "segment": segment,
            "kept": kept,
            "demand": float(best[0]),
            "shortage": float(best[1]),
            "cap": float(best[2]) if math.isfinite(best[2]) else None,
            "series": rows.size,
            "cost": round(float(lived[0].sum()), 2),
            **_saved(judged),
            "why": why(kept, same, few, judged, rows.size, settings.least),
        }
    )
    return _Found(found, lived[0], lived[1])


def _saved(judged: Difference) -> dict[str, float]:
    """Return the saving, a share of the cost, and the interval around it."""
    return {
        "saved": round(-float(judged.relative[0]), 5) + 0.0,
        "low": round(-float(judged.relative_high[0]), 5) + 0.0,
        "high": round(-float(judged.relative_low[0]), 5) + 0.0,
    }


def _whole(config: Config, tuning: Tuning, results: list[_Found]) -> dict[str, float]:
    """Return cost and saving of all series together, those included that keep what is configured."""
    before = np.concatenate([one.before for one in results])
    kept = zip(results, tuning.segments, strict=True)
    after = np.concatenate([one.after if segment.kept else one.before for one, segment in kept])
    judged = difference(after[None], before, config.tune.resamples, config.tune.seed, "all")
    return {"cost": round(float(before.sum()), 2), **_saved(judged)}


def _under_limits(
    config: Config, trial: Trial, tuning: Tuning, threads: int, progress: Reporter, stop: Stop
) -> tuple[Tuning, dict[str, float]]:
    """Judge all kept segments together, with the limits shared out in each round; keep none where they do not win.

    Returns what is kept, and the cost and saving of all series together under the limits.
    """
    plain: Side = trial.sides[0]
    obeying = config.model_copy(update={"plan": config.plan.model_copy(update={"tuned": tuning})})
    sides = (plain, replace(plain, name="B", config=obeying))
    model = next(iter(plain.models))
    rounds = replace(trial.rounds, counted=config.tune.judge)
    contenders = tuple(Contender(i, model, config.plan.policy) for i in range(2))
    result = live_all(Trial(sides, contenders, rounds, trial.limits), threads, progress, stop)
    judged = difference(result.cost[1:], result.cost[0], config.tune.resamples, config.tune.seed, "limits")
    cost = round(float(result.cost[0].sum()), 2)
    if judged.high[0] < 0:
        return tuning, {"cost": cost, **_saved(judged)}
    reason = f"under the limits {why(False, False, False, judged, 0, 0)}"
    segments = tuple(
        one.model_copy(update={"kept": False, "why": reason}) if one.kept else one for one in tuning.segments
    )
    return tuning.model_copy(update={"segments": segments}), {"cost": cost, "saved": 0.0, "low": 0.0, "high": 0.0}


def _told(intake: Intake, rounds: Rounds, first: int, count: int) -> dict[str, Any]:
    days = [intake.period.start(origin) for origin in rounds.origins[first : first + count]]
    return {"rounds": count, "first": days[0], "last": days[-1]}
