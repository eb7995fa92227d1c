"""The parts of a backtest by themselves: rounds, what was known, classes, intervals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from fullshelf.engine.backtest.bootstrap import difference
from fullshelf.engine.backtest.known_then import lived, panel_at
from fullshelf.engine.backtest.rounds import settle_rounds
from fullshelf.engine.calendar import Period
from fullshelf.engine.config import BacktestSettings
from fullshelf.engine.intake import prepare


def test_a_cut_panel_is_what_a_run_then_would_have_read(
    configure: Callable[..., Any], tables: dict[str, pl.DataFrame], tmp_path: Path
) -> None:
    prices = tables["sales"].with_columns(price=pl.when(pl.int_range(pl.len()) % 3 == 0).then(9.0))
    intake = prepare(configure(tables | {"sales": prices}), tmp_path / "cache")
    now = intake.read(0, 1).panel
    for back in (0, 1, 3, 30, 69, 70):
        then = replace(intake, as_of=intake.as_of - back).read(0, 1).panel
        cut, live = panel_at(now, intake.as_of - back)
        assert cut.keys.equals(then.keys)
        assert cut.last == then.last
        assert now.keys[live].equals(then.keys)
        for name in ("units", "observed", "covariates", "offsets"):
            np.testing.assert_array_equal(getattr(cut, name), getattr(then, name))


def test_what_was_lived_is_what_was_sold(configure: Callable[..., Any], tables: Any, tmp_path: Path) -> None:
    intake = prepare(configure(tables), tmp_path / "cache")
    panel = intake.read(0, 1).panel
    units, observed = lived(panel, panel.last - 10)
    assert units.shape == (panel.series, 10)
    for s in range(panel.series):
        own = panel.units[panel.offsets[s] : panel.offsets[s + 1]][-10:]
        np.testing.assert_array_equal(units[s], np.concatenate([np.zeros(10 - own.size), own]))
    assert (observed < 1).any()


@pytest.mark.parametrize(
    ("period", "review", "lead", "every", "warm_up"),
    [
        (Period.DAY, [1.0, 3.0], [2.0, 9.0], 7, 2),
        (Period.DAY, [14.0, 28.0], [0.0], 14, 0),
        (Period.WEEK, [1.0], [3.0], 1, 3),
        (Period.WEEK, [], [], 1, 0),
        (Period.MONTH, [2.0], [3.0], 2, 2),
    ],
)
def test_rounds_follow_the_catalogue_where_nothing_is_said(
    period: Period, review: list[float], lead: list[float], every: int, warm_up: int
) -> None:
    n = max(len(review), len(lead))
    terms = pl.DataFrame(
        {"review_period": (review * n)[:n], "lead_time": (lead * n)[:n]},
        schema={"review_period": pl.Float64, "lead_time": pl.Float64},
    )
    rounds = settle_rounds(BacktestSettings(), period, 1000, terms)
    assert (rounds.every, rounds.warm_up, rounds.counted) == (every, warm_up, 13)
    assert rounds.origins[-1] + rounds.every == 1000


def test_an_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(0)
    hits = 0
    for trial in range(60):
        base = random.gamma(2.0, 10.0, 150)
        other = base + random.normal(1.0, 6.0, 150)  # one more each, in truth
        found = difference(other[None, :, None], base[:, None], 200, trial, "all")
        hits += found.low[0] <= 150.0 <= found.high[0]
    assert 46 <= hits <= 60


def covered(shared: float, own: float, rounds: int = 26, series: int = 60) -> float:
    """Share of intervals that hold the true mean difference, 1 a round, where rounds have `shared` in common."""
    random, hits = np.random.default_rng(7), 0
    for trial in range(60):
        weeks = np.convolve(random.normal(0, shared, rounds + 1), [0.8, 0.6], "valid")  # neighbours are alike
        cost = 1.0 + weeks + random.normal(0, own, (series, rounds))
        found = difference(cost[None], np.zeros((series, rounds)), 100, trial, "all")
        hits += found.low[0] <= series * rounds <= found.high[0]
    return hits / 60


def test_an_interval_counts_weeks_that_hit_all_series_alike() -> None:
    assert covered(shared=0.5, own=1.0) > 0.75  # 26 weeks are few; with series alone drawn it holds one time in four


def test_an_interval_is_no_wider_than_series_alone_make_it_where_weeks_share_nothing() -> None:
    assert 0.83 <= covered(shared=0.0, own=1.0) <= 0.96


def test_an_interval_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    random = np.random.default_rng(0)
    cost, base = random.gamma(2, 3, (1, 40, 6)), random.gamma(2, 3, (40, 6))
    first, again, other = (difference(cost, base, 100, seed, "all").low[0] for seed in (1, 1, 2))
    assert first == again != other


def test_nobody_and_nothing_sold_give_numbers() -> None:
    for cost in (np.zeros((2, 0, 4)), np.zeros((2, 3, 4)), np.zeros((2, 3, 0))):
        found = difference(cost, cost[0], 100, 0, "all")
        assert found.p_better.tolist() == [0.5, 0.5]
        assert np.isfinite(found.relative_high).all()
