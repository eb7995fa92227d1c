"""The tables of a backtest: by series, by round, by segment, and the accuracy of the models by series."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fullshelf.engine.backtest.bootstrap import Difference, difference
from fullshelf.engine.backtest.costs import COSTS, MEASURES
from fullshelf.engine.backtest.result import Result
from fullshelf.engine.backtest.trial import Trial
from fullshelf.engine.speed_classes import abc, xyz
from fullshelf.kernels.forecast_errors import ERRORS

Array = NDArray[np.float64]

CATEGORIES = 30  # by revenue; the others are taken together
OTHERS, UNKNOWN, ALL = "other categories", "no category", "all"
SPANS = ("", "lead_")  # prefix of the columns for single periods and for protection intervals


def names_of(trial: Trial) -> pl.DataFrame:
    """Return config, model and policy of the C contenders."""
    return pl.DataFrame(
        [(trial.sides[c.side].name, c.model, c.policy) for c in trial.contenders],
        schema=["config", "model", "policy"],
        orient="row",
    )


def with_classes(result: Result) -> pl.DataFrame:
    """Return the series with what segments need: group (of categories), abc, xyz, class, revenue a period."""
    price = result.series["price"].fill_null(1.0).to_numpy()  # where none is known, units stand for revenue
    revenue = result.mean * price
    steady, sells = xyz(result.mean, result.sd), abc(revenue)
    series = result.series.with_columns(
        revenue=pl.Series(revenue),
        abc=pl.Series(sells),
        xyz=pl.Series(steady),
        group=pl.col("category").str.split("/").list.first().fill_null(UNKNOWN),
    ).with_columns(pl.concat_str("abc", "xyz").alias("class"))
    groups, codes = np.unique(series["group"].to_numpy().astype(str), return_inverse=True)
    worth = np.bincount(codes, weights=revenue, minlength=groups.size)
    largest = groups[np.lexsort((groups, -worth))[:CATEGORIES]].tolist()
    if groups.size > CATEGORIES:
        series = series.with_columns(
            group=pl.when(pl.col("group").is_in(largest)).then("group").otherwise(pl.lit(OTHERS))
        )
    return series


def series_table(trial: Trial, result: Result, series: pl.DataFrame, periods: int) -> pl.DataFrame:
    """Return one row for each series and contender: units, currency, over the rounds that count."""
    lived = series["lived"].to_numpy()
    kept = series.filter("lived").select("sku", "location", "category", "class", "revenue")
    parts = []
    for c, (config, model, policy) in enumerate(names_of(trial).iter_rows()):
        sums = pl.DataFrame(result.money[c][lived], schema=list(MEASURES))
        named = kept.with_columns(config=pl.lit(config), model=pl.lit(model), policy=pl.lit(policy), order=pl.lit(c))
        parts.append(pl.concat([named, _derived(sums, periods)], how="horizontal"))
    return pl.concat(parts).sort("sku", "location", "order").drop("order")


def accuracy_table(trial: Trial, result: Result, series: pl.DataFrame) -> pl.DataFrame:
    """Return one row for each series and model: sums of errors of periods and of protection intervals (`lead_…`)."""
    parts = []
    for f, (side, model) in enumerate(trial.forecasters):
        levels = trial.sides[side].config.forecast.levels
        columns: dict[str, NDArray[np.float64] | NDArray[np.int64]] = {}
        for kind, prefix in enumerate(SPANS):
            columns |= {f"{prefix}{name}": result.errors[f, kind, :, i] for i, name in enumerate(ERRORS)}
            columns |= {f"{prefix}covered_q{q:g}": result.covered[f, kind, :, i] for i, q in enumerate(levels)}
        named = series.select("sku", "location").with_columns(
            config=pl.lit(trial.sides[side].name), model=pl.lit(model), order=pl.lit(f)
        )
        parts.append(named.with_columns(pl.Series(name, values) for name, values in columns.items()))
    return pl.concat(parts, how="diagonal").sort("sku", "location", "order").drop("order")


def rounds_table(trial: Trial, result: Result) -> pl.DataFrame:
    """Return one row for each round and contender; the periods of a round are those until the next."""
    money, errors = result.by_round()
    period, rounds = trial.sides[0].intake.period, trial.rounds
    parts = []
    for c, (config, model, policy) in enumerate(names_of(trial).iter_rows()):
        frame = pl.DataFrame(
            {
                "round": np.arange(len(rounds.origins)) + 1 - rounds.warm_up,
                "origin": [period.start(origin) for origin in rounds.origins],
                "counts": [rounds.counts(k) for k in range(len(rounds.origins))],
            }
        ).with_columns(config=pl.lit(config), model=pl.lit(model), policy=pl.lit(policy), order=pl.lit(c))
        sums = _derived(pl.DataFrame(money[c], schema=list(MEASURES)), rounds.every)
        f = _forecaster(trial, c)
        wql = {
            f"{prefix}wql": _per(errors[f, :, kind, 2], errors[f, :, kind, 1]) if f is not None else None
            for kind, prefix in enumerate(SPANS)
        }
        wql_frame = [pl.Series(name, v, dtype=pl.Float64) if v is not None else _nulls(name) for name, v in wql.items()]
        parts.append(pl.concat([frame, sums], how="horizontal").with_columns(wql_frame))
    return pl.concat(parts).sort("round", "order").drop("order")


def segments_table(trial: Trial, result: Result, series: pl.DataFrame) -> pl.DataFrame:
    """Return one row for each segment and contender: money, accuracy, and how it compares with the configured one."""
    settings = trial.sides[0].config.backtest
    lived = series["lived"].to_numpy()
    parts = []
    for kind, name, inside in _segments(series):
        counted = np.flatnonzero(inside & lived)
        cost = np.ascontiguousarray(result.cost[:, counted])  # (C, n, K)
        differ = difference(cost, cost[0], settings.resamples, settings.seed, f"{kind}={name}")
        sums = pl.DataFrame(result.money[:, counted].sum(axis=1), schema=list(MEASURES))
        frame = names_of(trial).with_columns(kind=pl.lit(kind), segment=pl.lit(name), series=pl.lit(counted.size))
        frame = pl.concat([frame, _derived(sums, trial.rounds.scored)], how="horizontal")
        frame = frame.with_columns(pl.Series(f.name, getattr(differ, f.name)) for f in fields(Difference))
        found = [_accuracy(trial, result, _forecaster(trial, c), np.flatnonzero(inside)) for c in range(frame.height)]
        parts.append(pl.concat([frame, pl.DataFrame(found, infer_schema_length=None)], how="horizontal"))
    table = pl.concat(parts, how="diagonal_relaxed")
    return table.select("kind", "segment", "series", pl.exclude("kind", "segment", "series"))


def _segments(series: pl.DataFrame) -> Iterator[tuple[str, str, NDArray[np.bool_]]]:
    yield ALL, ALL, np.ones(series.height, np.bool_)
    for kind, column in (("category", "group"), ("class", "class"), ("abc", "abc"), ("xyz", "xyz")):
        values = series[column].to_numpy().astype(str)
        for name in np.unique(values[series["lived"].to_numpy()]):
            yield kind, str(name), values == name


def _derived(sums: pl.DataFrame, periods: int) -> pl.DataFrame:
    """Add cost, fill rate and averages to sums over periods."""
    return sums.with_columns(
        cost=pl.sum_horizontal(COSTS),
        fill_rate=pl.when(pl.col("demand") > 0).then(pl.col("sold") / pl.col("demand")),
        mean_on_hand=pl.col("left") / periods,
        mean_capital=pl.col("capital") / periods,
    ).drop("left", "capital")


def _forecaster(trial: Trial, c: int) -> int | None:
    contender = trial.contenders[c]
    key = (contender.side, contender.model)
    return trial.forecasters.index(key) if key in trial.forecasters else None


def _accuracy(trial: Trial, result: Result, f: int | None, rows: NDArray[np.int64]) -> dict[str, float | None]:
    """Return the measures of one model over some series; null for a contender without a model."""
    levels = (
        trial.sides[0].config.forecast.levels
        if f is None
        else trial.sides[trial.forecasters[f][0]].config.forecast.levels
    )
    found: dict[str, float | None] = {}
    for kind, prefix in enumerate(SPANS):
        if f is None:
            sums, covered = np.zeros(len(ERRORS)), np.zeros(len(levels))
        else:
            sums = result.errors[f, kind, rows].sum(axis=0)
            covered = result.covered[f, kind, rows].sum(axis=0).astype(np.float64)
        pairs, units, loss, wrong, bias = sums.tolist()
        found |= {
            f"{prefix}pairs": pairs,
            f"{prefix}wql": loss / units if units > 0 else None,
            f"{prefix}wape": wrong / units if units > 0 and np.isfinite(wrong) else None,
            f"{prefix}bias": bias / units if units > 0 else None,
        }
        found |= {
            f"{prefix}coverage_q{q:g}": n / pairs if pairs > 0 else None
            for q, n in zip(levels, covered.tolist(), strict=True)
        }
    return found


def _per(part: Array, whole: Array) -> list[float | None]:
    return [p / w if w > 0 else None for p, w in zip(part.tolist(), whole.tolist(), strict=True)]


def _nulls(name: str) -> pl.Expr:
    return pl.lit(None, pl.Float64).alias(name)
