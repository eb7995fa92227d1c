"""Hindsight: the last run's forecasts beside the sales that came true since.

Each shard adds up a few sums; the sums of shards add up to those of the catalogue, so no row travels. Periods that were
not in stock throughout are left out, as their sale is not their demand. The measures are those of the weighted quantile
loss's usual definition (GluonTS, Chronos), all over all pairs of series and period together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fullshelf.engine.panel import Panel

WQL_LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
SURPRISES = ("surprise", "sold", "foreseen")
IN_STOCK = 1 - 1e-6  # float32 shares just below 1 are rounding, not a stock-out


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How good forecasts were; None where nothing can be said (no such level, or no unit was sold)."""

    pairs: int  # series × periods that were compared
    stocked_out: int  # pairs left out: not in stock throughout
    units: float  # sold in the compared pairs
    wql: float | None  # weighted quantile loss, 0.1 … 0.9
    wape: float | None  # Σ |sold - median| / Σ sold
    bias: float | None  # Σ (mean - sold) / Σ sold; above 0: too much was forecast
    coverage: dict[float, float]  # by level: share of pairs with sold <= quantile


def compare(previous: pl.DataFrame, panel: Panel, run: str = "") -> pl.DataFrame:
    """Add up, by step, how far the forecasts of an earlier run lay from what the panel knows now.

    Parameters
    ----------
    previous
        Rows of that run's table `forecasts`: sku, location, date, step, mean, q…. Rows of series that the panel does
        not hold, and of periods after its last or before a series' first, are left out: nobody knows their demand.
    panel
        What is known now.
    run
        Name of the earlier run.

    Returns
    -------
    pl.DataFrame
        A row for each step: run, step, pairs, stocked_out, units, abs_error (of the median; null without level 0.5),
        mean_minus_actual, and for each level loss_q… (pinball, units) and covered_q… (pairs). Apart from run and step
        all are sums over pairs: tables of several shards are joined by `pl.concat`.

    Examples
    --------
    >>> from datetime import date
    >>> from fullshelf.engine.calendar import Period
    >>> panel = Panel(
    ...     pl.DataFrame({"sku": ["tea"], "location": ["all"]}), np.float32([3, 5]), np.float32([1, 1]),
    ...     np.zeros((2, 0), np.float32), (), np.array([0, 2]), Period.DAY, Period.DAY.number_of(date(2024, 5, 2)))
    >>> before = pl.DataFrame({
    ...     "sku": ["tea"], "location": ["all"], "date": [date(2024, 5, 2)], "step": [1], "mean": [4.0], "q0.5": [3.5]})
    >>> compare(before, panel).select("step", "pairs", "units", "abs_error", "mean_minus_actual").row(0)
    (1, 1, 5.0, 1.5, -1.0)
    """
    levels = [column for column in previous.columns if column.startswith("q")]
    rows = _known(previous, panel)
    at = rows["position"].to_numpy()
    stocked = panel.observed[at] >= IN_STOCK
    step = rows["step"].to_numpy().astype(np.int64)
    steps, group = np.unique(step, return_inverse=True)

    def total(values: NDArray[np.float64]) -> NDArray[np.float64]:
        # bincount adds in the order of the rows: the same bits on every machine
        return np.asarray(np.bincount(group[stocked], weights=values, minlength=steps.size), dtype=np.float64)

    y = panel.units[at][stocked].astype(np.float64)
    pairs = np.bincount(group[stocked], minlength=steps.size)
    error = {name: y - rows[name].to_numpy()[stocked].astype(np.float64) for name in ["mean", *levels]}
    sums: dict[str, NDArray[np.float64] | None] = {
        "units": total(y),
        "abs_error": total(np.abs(error["q0.5"])) if "q0.5" in error else None,
        "mean_minus_actual": total(-error["mean"]),
    }
    for name in levels:
        q = float(name[1:])
        sums[f"loss_{name}"] = total(np.maximum(q * error[name], (q - 1) * error[name]))
    covered = {f"covered_{name}": total((error[name] <= 0).astype(np.float64)).astype(np.int64) for name in levels}
    return pl.DataFrame(
        [
            pl.Series("run", [run] * steps.size, dtype=pl.String),
            pl.Series("step", steps, dtype=pl.Int64),
            pl.Series("pairs", pairs, dtype=pl.Int64),
            pl.Series("stocked_out", np.bincount(group, minlength=steps.size) - pairs, dtype=pl.Int64),
            *(
                pl.Series(name, [None] * steps.size if values is None else values, dtype=pl.Float64)
                for name, values in sums.items()
            ),
            *(pl.Series(name, values, dtype=pl.Int64) for name, values in covered.items()),
        ]
    )


def surprises(previous: pl.DataFrame | None, panel: Panel) -> pl.DataFrame:
    """Tell which of S series left the range that an earlier run forecast, by how much; null where they stayed inside.

    A row for each series: surprise (units above the highest quantile, less those below the lowest, added up over the
    periods since), sold and foreseen (units in those periods). Of periods that were not in stock throughout only what
    was sold above the highest quantile counts.

    Parameters
    ----------
    previous
        As in `compare`; None: there is no such run.

    Examples
    --------
    >>> from datetime import date
    >>> from fullshelf.engine.calendar import Period
    >>> panel = Panel(
    ...     pl.DataFrame({"sku": ["tea"], "location": ["all"]}), np.float32([3, 9]), np.float32([1, 1]),
    ...     np.zeros((2, 0), np.float32), (), np.array([0, 2]), Period.DAY, Period.DAY.number_of(date(2024, 5, 2)))
    >>> before = pl.DataFrame({
    ...     "sku": ["tea"], "location": ["all"], "date": [date(2024, 5, 2)], "step": [1], "mean": [4.0],
    ...     "q0.05": [2.0], "q0.95": [6.0]})
    >>> surprises(before, panel).row(0)
    (3.0, 9.0, 4.0)
    """
    S = panel.series
    columns: dict[str, NDArray[np.float64]] = {name: np.zeros(S) for name in SURPRISES}
    if previous is not None and not previous.is_empty():
        rows = _known(previous, panel)
        levels = sorted((c for c in rows.columns if c.startswith("q")), key=lambda name: float(name[1:]))
        at, series = rows["position"].to_numpy(), rows["series"].to_numpy()
        sold = panel.units[at].astype(np.float64)
        above = np.maximum(sold - rows[levels[-1]].to_numpy(), 0.0)
        below = np.where(panel.observed[at] >= IN_STOCK, np.maximum(rows[levels[0]].to_numpy() - sold, 0.0), 0.0)
        for name, values in zip(SURPRISES, (above - below, sold, rows["mean"].to_numpy()), strict=True):
            columns[name] = np.bincount(series, weights=values, minlength=S).astype(np.float64)
    outside = pl.Series(columns["surprise"] != 0)
    return pl.DataFrame(columns).select(pl.when(outside).then(pl.col(name)).alias(name) for name in SURPRISES)


def accuracy(sums: pl.DataFrame) -> Accuracy:
    """Turn sums of `compare`, of any number of shards, steps and runs, into measures."""
    total = sums.select(pl.exclude("run", "step").sum()).row(0, named=True)
    levels = [name.removeprefix("covered_") for name in sums.columns if name.startswith("covered_")]
    pairs, units = int(total["pairs"]), float(total["units"])

    def per_unit(value: float) -> float | None:
        return value / units if units > 0 else None

    losses = [total[f"loss_{name}"] for name in levels if float(name[1:]) in WQL_LEVELS]
    return Accuracy(
        pairs=pairs,
        stocked_out=int(total["stocked_out"]),
        units=units,
        wql=per_unit(2 * sum(losses) / len(losses)) if losses else None,
        # a sum over nulls is 0: without a median there is no error to report
        wape=per_unit(total["abs_error"]) if "q0.5" in levels else None,
        bias=per_unit(total["mean_minus_actual"]),
        coverage={float(name[1:]): total[f"covered_{name}"] / pairs for name in levels} if pairs else {},
    )


def _known(previous: pl.DataFrame, panel: Panel) -> pl.DataFrame:
    """Keep the rows whose demand the panel holds and add `position`, where in `panel.units` it stands."""
    places = {"first": pl.Series(panel.offsets[:-1]), "end": pl.Series(panel.offsets[1:])}
    series = panel.keys.select("sku", "location", series=pl.int_range(pl.len()), **places)
    rows = previous.join(series, on=["sku", "location"], how="inner", maintain_order="left")
    back = panel.last - panel.period.number("date").cast(pl.Int64)
    rows = rows.with_columns(position=pl.col("end") - 1 - back)
    return rows.filter((pl.col("position") >= pl.col("first")) & (pl.col("position") < pl.col("end")))
