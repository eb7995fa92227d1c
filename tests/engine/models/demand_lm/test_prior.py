"""The prior: what every draw keeps, that each process shows, and that seeds decide everything."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fullshelf.engine.calendar import Period
from fullshelf.engine.models.demand_lm.batch import COVARIATES, PATCH
from fullshelf.engine.models.demand_lm.prior import KIND_NAMES, Sample, draw
from fullshelf.engine.models.demand_lm.prior_calendar import window_dates
from fullshelf.engine.models.demand_lm.prior_counts import counts, lumps, weighed
from fullshelf.engine.models.demand_lm.prior_general import general
from fullshelf.engine.models.demand_lm.prior_plans import plans
from fullshelf.engine.models.demand_lm.prior_random import autoregression, random_walk, spells
from fullshelf.engine.models.demand_lm.prior_records import errors, life, returned, sold
from fullshelf.engine.models.demand_lm.prior_seasons import CLOSED, holidays, level, pay_days, weekday_season
from fullshelf.engine.models.demand_lm.training_prior import held_back, prior_source
from fullshelf.engine.models.demand_lm.training_shapes import CONTEXT, HORIZON, draw_shape
from fullshelf.engine.models.demand_lm.weighting import window_weight


def numbers(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.SFC64(seed))


def drawn(period: Period, C: int, H: int = 13, B: int = 300, seed: int = 1) -> Sample:
    return draw(B, period, C // PATCH[period] * PATCH[period], H, numbers(seed))


@settings(max_examples=25, deadline=None)
@given(
    period=st.sampled_from(list(Period)),
    patches=st.integers(1, 40),
    H=st.integers(1, 64),
    B=st.integers(1, 24),
    seed=st.integers(0, 2**32),
)
def test_any_shape_gives_finite_sales_that_are_never_negative(
    period: Period, patches: int, H: int, B: int, seed: int
) -> None:
    sample = draw(B, period, patches * PATCH[period], H, numbers(seed))
    batch = sample.batch
    assert batch.units.shape == (B, patches * PATCH[period])
    assert batch.horizon == H
    assert sample.target.shape == sample.weight.shape == (B, H)
    for values in (batch.units, sample.target, sample.past, sample.weight):
        assert torch.isfinite(values).all()
        assert (values >= 0).all()
    assert torch.isfinite(batch.covariates).all()
    assert ((batch.observed >= 0) & (batch.observed <= 1)).all()
    assert batch.exists[:, -1].all()  # the as-of period exists
    assert (batch.exists[:, 1:] >= batch.exists[:, :-1]).all()  # and nothing is missing after the first
    assert (batch.units[~batch.exists] == 0).all()
    assert {t.dtype for t in (batch.units, batch.observed, batch.covariates, sample.target)} == {torch.float32}


@pytest.mark.parametrize("period", list(Period))
def test_the_same_seed_draws_the_same_windows_and_another_seed_others(period: Period) -> None:
    first, again, other = (drawn(period, 60, B=40, seed=seed) for seed in (5, 5, 6))
    for name in ("units", "exists", "observed", "covariates"):
        assert torch.equal(getattr(first.batch, name), getattr(again.batch, name))
    assert torch.equal(first.target, again.target)
    assert not torch.equal(first.target, other.target)


def test_a_step_draws_its_windows_whatever_was_drawn_before() -> None:
    source = prior_source(seed=3, windows=8)
    late = source(7)
    source(6)
    assert torch.equal(source(7).target, late.target)
    assert not torch.equal(prior_source(seed=3, windows=8, process=1)(7).batch.units, late.batch.units)


def test_a_context_that_is_not_whole_patches_is_refused() -> None:
    with pytest.raises(ValueError, match="whole patches of 7"):
        draw(2, Period.DAY, 30, 7, numbers())


@pytest.mark.parametrize(("period", "C"), [(Period.DAY, 364), (Period.WEEK, 104), (Period.MONTH, 60)])
def test_every_kind_of_series_is_drawn_and_levels_span_many_decades(period: Period, C: int) -> None:
    sample = drawn(period, C, B=600)
    assert set(sample.kind) == set(range(len(KIND_NAMES)))
    mean = sample.target.mean(1).numpy()
    assert np.quantile(mean[mean > 0], 0.99) / np.quantile(mean[mean > 0], 0.01) > 1e4
    share_of_zeros = (sample.past == 0)[sample.batch.exists].float().mean()
    assert 0.1 < share_of_zeros < 0.7
    starts = sample.batch.exists[:, 0].logical_not().float().mean()
    assert 0.2 < starts < 0.6  # histories that begin inside the context


@pytest.mark.parametrize(("period", "C"), [(Period.DAY, 182), (Period.WEEK, 104), (Period.MONTH, 60)])
def test_what_is_sold_in_a_stock_out_is_at_most_the_demand_and_the_target_is_not_cut(period: Period, C: int) -> None:
    demand = counts(numbers(2), np.full((400, C), 8.0, np.float32))
    whole = np.ones(400, dtype=np.bool_)
    units, observed = sold(numbers(3), demand, period, C, whole)
    assert (units <= demand).all()
    assert (units == np.floor(units)).all()
    short = units < demand
    assert short.any()
    reported = observed < 1
    assert (short & reported).any()  # a lower bound, and known as one
    assert (short & ~reported).any()  # nobody reported it
    assert not (units[observed == 0] > 0).any()  # out of stock all day: nothing sold
    assert ((observed > 0) & (observed < 1)).any()


def test_sales_of_a_whole_draw_are_at_most_the_demand_but_for_wrong_records() -> None:
    sample = drawn(Period.DAY, 182, B=600)
    over = ((sample.batch.units > sample.past + 1e-3).any(1)).float().mean()
    assert 0 < over < 0.12  # 6 % of the series have single absurd numbers


def test_each_covariate_is_seen_and_many_plans_are_known_ahead() -> None:
    sample = drawn(Period.DAY, 364, H=28, B=400)
    covariates = sample.batch.covariates
    for name in COVARIATES:
        assert covariates[:, :, COVARIATES.index(name)].std() > 0.01, name
    known = covariates[:, :, COVARIATES.index("known")]
    past, ahead = known[:, 363] > 0, known[:, 364:].mean(1) > 0
    assert not (ahead & ~past).any()
    assert 0.35 < ahead.sum() / past.sum() < 0.65
    promo = covariates[:, :, COVARIATES.index("promo")]
    assert ((promo >= 0) & (promo <= 1)).all()
    unknown = known[:, 364:] == 0
    assert (promo[:, 364:][unknown] == 0).all()
    assert (covariates[:, 364:, COVARIATES.index("price")][unknown] == 0).all()


def test_promotions_lift_demand_lower_the_price_and_some_are_followed_by_a_dip() -> None:
    plan = plans(numbers(4), Period.DAY, 500, 300, 330)
    shown = (plan.promo[:, :300] > 0.5) & (plan.price[:, :300] != 0)
    none = (plan.promo[:, :300] == 0) & (plan.promo[:, :300].max(axis=1, keepdims=True) > 0)
    assert plan.effect[:, :300][shown].mean() > plan.effect[:, :300][none].mean() + 0.3
    assert plan.price[:, :300][shown].mean() < -0.1
    assert (plan.effect < -0.2).any()


def test_weekdays_close_and_events_change_demand_on_their_days() -> None:
    dates = window_dates(np.full(400, 19000), Period.DAY, 364, 28)
    weekly = weekday_season(numbers(5), dates, 400)
    closed = (weekly < CLOSED / 2).any(axis=1)
    assert 0.15 < closed.mean() < 0.5
    assert (np.diff(weekly[:, :14].reshape(400, 2, 7), axis=1) == 0).all(axis=(1, 2)).mean() > 0.9  # a week repeats
    effect, event = holidays(numbers(6), dates, 400)
    assert (effect[event > 0] != 0).mean() > 0.95
    assert (effect[event > 0] < CLOSED / 2).any()
    assert (effect[event == 0] > 0).any()  # the run-up
    assert 2 < (event > 0).sum(axis=1)[event.any(axis=1)].mean() < 12
    wages = pay_days(numbers(7), dates, 400)
    paid = wages.max(axis=1) > 0
    assert 0.05 < paid.mean() < 0.25


def test_lives_begin_end_and_pause() -> None:
    effect, first = life(numbers(8), 800, 300, 330, 1.0)
    assert 0.3 < (first > 0).mean() < 0.5
    assert first.max() == 299  # a history of one period
    assert ((effect[:, -1] < -5) & (effect[:, 0] > -1)).any()  # ended
    assert ((effect.min(axis=1) < -20) & (effect[:, -1] > -1)).any()  # paused, and came back


def test_orders_are_few_some_large_and_some_clumped() -> None:
    demand = lumps(numbers(9), np.ones((500, 300), np.float32))
    sold_share = (demand > 0).mean(axis=1)
    assert np.quantile(sold_share, 0.1) < 0.05
    assert np.quantile(sold_share, 0.9) > 0.3
    assert (demand == np.floor(demand)).all()
    ones = np.array([(row[row > 0] == 1).all() for row in demand])
    assert 0.1 < ones.mean() < 0.7
    assert demand.max() > 50
    spread = np.array([np.diff(np.flatnonzero(row)).std() if (row > 0).sum() > 20 else np.nan for row in demand])
    gap = np.array([np.diff(np.flatnonzero(row)).mean() if (row > 0).sum() > 20 else np.nan for row in demand])
    assert np.nanmax(spread / gap) > 1.5  # far from one order at any time alike


def test_counts_go_from_poisson_to_heavy_tails() -> None:
    demand = counts(numbers(10), np.full((600, 400), 5.0, np.float32))
    dispersion = demand.var(axis=1) / demand.mean(axis=1)
    assert (dispersion < 1.3).mean() > 0.15
    assert (dispersion > 5).mean() > 0.1
    assert np.median(demand.mean(axis=1)) == pytest.approx(5, rel=0.15)
    scaled = weighed(numbers(11), demand)
    assert (scaled[demand == 0] == 0).all()
    assert (scaled != np.floor(scaled)).mean() > 0.2


def test_returns_and_errors_touch_few_series_and_never_make_a_sale_negative() -> None:
    demand = np.full((1000, 200), 10.0, np.float32)
    net = demand.copy()
    returned(numbers(12), net, np.ones(1000, dtype=np.bool_))
    touched = (net < demand).any(axis=1)
    assert 0.01 < touched.mean() < 0.08
    assert net.min() >= 0
    units = demand.copy()
    errors(numbers(13), units, np.zeros(1000, dtype=np.intp))
    assert 0.02 < (units > demand).any(axis=1).mean() < 0.1
    assert 0.01 < (units == 0).any(axis=1).mean() < 0.08


def test_general_series_have_seasons_trends_and_noise_of_every_size() -> None:
    series = general(numbers(14), 400, 240, 12)
    assert (series >= 0).all()
    centred = series - series.mean(axis=1, keepdims=True)
    power = (centred**2).sum(axis=1) + 1e-9
    season = (centred[:, 12:] * centred[:, :-12]).sum(axis=1) / power
    lasting = (centred[:, 1:] * centred[:, :-1]).sum(axis=1) / power
    assert np.quantile(season, 0.9) > 0.8
    assert np.quantile(lasting, 0.9) > 0.9
    assert np.quantile(lasting, 0.1) < 0.3


def test_levels_of_retail_lie_where_shops_sell() -> None:
    for period, low, high in ((Period.DAY, 0.3, 6), (Period.WEEK, 0.5, 20), (Period.MONTH, 2, 80)):
        assert low < np.median(level(numbers(15), period, 4000)) < high
        assert level(numbers(15), period, 4000).max() / level(numbers(15), period, 4000).min() > 1e4


def test_walks_and_autoregressions_have_the_spread_they_are_asked_for() -> None:
    keep, sd = np.full(2000, 0.8, np.float32), np.full(2000, 0.5, np.float32)
    drawn_values = autoregression(numbers(16), keep, sd, 50)
    assert drawn_values.std() == pytest.approx(0.5, rel=0.05)
    lag = (drawn_values[:, 1:] * drawn_values[:, :-1]).mean() / (drawn_values**2).mean()
    assert lag == pytest.approx(0.8, abs=0.03)
    walk = random_walk(numbers(17), np.full(2000, 0.1, np.float32), 101)
    assert (walk[:, 50] == 0).all()
    assert walk[:, 100].std() == pytest.approx(0.1 * np.sqrt(50), rel=0.08)


def test_spells_are_about_as_long_and_as_far_apart_as_asked() -> None:
    gap, length = np.full(300, 20, np.float32), np.full(300, 5, np.float32)
    found = spells(numbers(18), gap, length, 400)
    on = found.paint(300, 400)
    assert set(np.unique(on)) == {0.0, 1.0}
    assert on.mean() == pytest.approx(5 / 25, abs=0.03)


def test_steps_have_shapes_of_the_given_ranges() -> None:
    shapes = [draw_shape(numbers(seed), 64) for seed in range(300)]
    assert {shape.period for shape in shapes} == set(Period)
    assert all(shape.context % PATCH[shape.period] == 0 and 1 <= shape.horizon <= HORIZON for shape in shapes)
    usual = [shape.context <= CONTEXT[shape.period][1] for shape in shapes]
    assert 0.8 < np.mean(usual) < 1
    work = [shape.windows * (shape.context + shape.horizon) / PATCH[shape.period] for shape in shapes]
    assert np.quantile(work, 0.95) < 10 * np.median(work)


def test_the_held_back_windows_are_always_the_same() -> None:
    first, again = held_back(share=0.05), held_back(share=0.05)
    assert [sample.batch.period for sample in first] == [sample.batch.period for sample in again]
    assert all(torch.equal(a.target, b.target) for a, b in zip(first, again, strict=True))


def test_a_history_that_foretells_itself_counts_more() -> None:
    random = numbers(19)
    steady = 100 + random.standard_normal((1, 60), dtype=np.float32)
    wild = np.where(random.random((1, 60)) < 0.1, 100, 0).astype(np.float32)
    seasonal = np.tile(np.arange(12, dtype=np.float32), 5)[None]
    nothing = np.zeros((1, 60), np.float32)
    units = np.concatenate([steady, wild, seasonal, nothing])
    weight = window_weight(units, np.ones_like(units, dtype=np.bool_), Period.MONTH)
    assert weight[0] > 2 * weight[1]
    assert weight[2] == weight.max()  # each year is as the last
    assert weight[3] == weight.min()
