"""What exponential smoothing and theta have in common: edge cases and invariants."""

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fullshelf.kernels.exponential_smoothing import CONTEXT, exponential_smoothing
from fullshelf.kernels.theta import theta

LEVELS = np.array([0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99])
MEMBERS = [exponential_smoothing, theta]
DATA = Path(__file__).parents[2] / ".." / "shared" / "data"
each_member = pytest.mark.parametrize("member", MEMBERS, ids=lambda f: f.__name__)


def panel(histories):
    units = np.concatenate([np.asarray(y, dtype=np.float32) for y in histories])
    return units, np.cumsum([0, *map(len, histories)])


def forecast(member, y, observed=None, horizon=6, season=1):
    y = np.asarray(y, dtype=np.float32)
    observed = np.ones_like(y) if observed is None else np.asarray(observed, dtype=np.float32)
    return [a[0] for a in member(y, observed, np.array([0, y.size]), horizon, season, LEVELS)]


def assert_sound(q, c, mean):
    for a in (q, c, mean):
        assert np.isfinite(a).all()
        assert (a >= 0).all()
    assert (np.diff(q, axis=-1) >= 0).all()
    assert (np.diff(c, axis=-1) >= 0).all()
    assert (np.diff(c, axis=-2) >= 0).all()
    np.testing.assert_array_equal(c[..., 0, :], np.maximum(c[..., 0, :], 0))


RNG = np.random.default_rng(0)
ODD = {
    "one period": [5],
    "one period of zero": [0],
    "two periods": [3, 7],
    "shorter than a season": RNG.poisson(4, 9),
    "all zero": np.zeros(50),
    "constant": np.full(60, 7),
    "one spike": np.r_[np.zeros(40), 1000, np.zeros(20)],
    "a spike at the end": np.r_[np.zeros(60), 1000],
    "intermittent": (RNG.random(80) < 0.1) * RNG.integers(1, 9, 80),
    "a billion": 1e9 * RNG.lognormal(0, 0.3, 70),
    "a billionth": 1e-9 * RNG.lognormal(0, 0.3, 70),
    "fifteen orders of magnitude": 10.0 ** RNG.integers(-6, 9, 60),
    "falling to nothing": np.linspace(1000, 0, 60),
    "exponential growth": np.exp(0.3 * np.arange(60)),
    "discontinued": np.r_[RNG.poisson(50, 60), np.zeros(30)],
    "a yearly peak": np.tile(np.r_[np.zeros(11), 500], 5),
    "the largest float": np.full(30, 3e38),
}


@each_member
@pytest.mark.parametrize("season", [1, 2, 7, 12, 52])
def test_odd_histories_answer_sensibly(member, season):
    for name, y in ODD.items():
        shares = np.random.default_rng(len(y)).choice([0.0, 0.5, 1.0], len(y))
        for observed in (np.ones(len(y)), np.zeros(len(y)), shares):
            q, c, mean = forecast(member, y, observed, 28, season)
            assert_sound(q, c, mean)
            if name != "exponential growth":
                assert q[0].max() <= 60 * max(y), name


@each_member
def test_no_sales_forecast_no_sales(member):
    for a in forecast(member, np.zeros(40), horizon=9, season=12):
        assert (a == 0).all()


@each_member
def test_an_empty_history_forecasts_nothing(member):
    for a in forecast(member, []):
        assert (a == 0).all()


@each_member
def test_a_constant_history_goes_on_with_little_doubt(member):
    q, c, mean = forecast(member, np.full(60, 7.0), horizon=5, season=12)
    np.testing.assert_allclose(mean, 7.0, rtol=1e-3)
    np.testing.assert_allclose(q, 7.0, rtol=0.05)
    np.testing.assert_allclose(c[:, 5], 7.0 * np.arange(1, 6), rtol=0.01)


@each_member
def test_one_period_leaves_much_doubt(member):
    q, _, mean = forecast(member, [100.0])
    np.testing.assert_allclose(mean, 100.0, rtol=0.15)
    assert q[0, 1] < 60
    assert q[0, 9] > 150


@each_member
@settings(max_examples=25, deadline=None)
@given(
    y=st.lists(st.one_of(st.just(0.0), st.floats(0.5, 1e4, width=32)), min_size=1, max_size=70),
    exponent=st.integers(-20, 30),
    season=st.sampled_from([1, 4, 7]),
)
def test_forecasts_scale_with_the_units(member, y, exponent, season):
    plain = forecast(member, y, season=season)
    scaled = forecast(member, np.array(y) * 2.0**exponent, season=season)
    for a, b in zip(plain, scaled, strict=True):
        np.testing.assert_allclose(b / 2.0**exponent, a, rtol=1e-3, atol=1e-4 * (max(y) + 1e-30))


@each_member
@settings(max_examples=25, deadline=None)
@given(
    y=st.lists(st.integers(0, 1000), min_size=1, max_size=60),
    shares=st.lists(st.sampled_from([0.0, 0.4, 1.0]), min_size=60, max_size=60),
    season=st.sampled_from([1, 5, 12]),
)
def test_any_history_gives_sound_quantiles(member, y, shares, season):
    assert_sound(*forecast(member, y, shares[: len(y)], 14, season))


@each_member
def test_a_series_does_not_depend_on_its_neighbours_or_their_order(member):
    rng = np.random.default_rng(4)
    histories = [rng.gamma(2, 5, n) * (rng.random(n) < p) for n, p in ((60, 1), (1, 1), (45, 0.3), (90, 1), (30, 0))]
    units, offsets = panel(histories)
    together = member(units, np.ones_like(units), offsets, 8, 12, LEVELS)
    turned, turned_offsets = panel(histories[::-1])
    backwards = member(turned, np.ones_like(turned), turned_offsets, 8, 12, LEVELS)
    for s, y in enumerate(histories):
        for all_of_them, reversed_all, alone in zip(
            together, backwards, forecast(member, y, horizon=8, season=12), strict=True
        ):
            np.testing.assert_array_equal(all_of_them[s], alone)
            np.testing.assert_array_equal(reversed_all[len(histories) - 1 - s], alone)


@each_member
def test_the_first_periods_do_not_depend_on_the_horizon(member):
    y = np.random.default_rng(9).gamma(5, 2, 70)
    for short, long in zip(forecast(member, y, None, 5, 12), forecast(member, y, None, 20, 12), strict=True):
        np.testing.assert_array_equal(short, long[:5])


@each_member
def test_what_lies_before_the_context_changes_nothing(member):
    y = np.random.default_rng(10).poisson(20, CONTEXT + 500)
    for a, b in zip(forecast(member, y, season=7), forecast(member, y[500:], season=7), strict=True):
        np.testing.assert_array_equal(a, b)


@each_member
def test_stocked_out_periods_are_not_taken_for_low_demand(member):
    rng = np.random.default_rng(11)
    demand = rng.poisson(40, 120).astype(float)
    observed = np.ones(120)
    observed[90:] = rng.random(30) < 0.4
    sales = np.where(observed < 1, 0.0, demand)
    _, total, mean = forecast(member, sales, observed, 7, 7)
    _, naive_total, _ = forecast(member, sales, None, 7, 7)
    np.testing.assert_allclose(mean, 40, rtol=0.15)
    assert total[-1, 5] == pytest.approx(280, rel=0.15)
    assert naive_total[-1, 5] < 0.75 * total[-1, 5]


@each_member
def test_a_sale_in_a_stocked_out_period_above_the_forecast_raises_it(member):
    y, observed = np.full(50, 10.0), np.ones(50)
    y[::2] += 1.0
    y[-3:], observed[-3:] = 30.0, 0.8
    low = y.copy()
    low[-3:] = 2.0
    assert (forecast(member, y, observed)[2] > forecast(member, low, observed)[2] * 1.1).all()


@each_member
def test_the_total_is_narrower_than_the_sum_of_the_quantiles(member):
    y = np.random.default_rng(12).normal(100, 10, 100)
    q, c, _ = forecast(member, y, horizon=12)
    assert c[-1, 10] < q[:, 10].sum()
    assert c[-1, 1] > q[:, 1].sum()
    assert c[-1, 10] - c[-1, 5] > 2.0 * (q[0, 10] - q[0, 5])


@pytest.mark.shared
@pytest.mark.skipif(not (DATA / "hospital").exists(), reason="the real data of ../shared are not here")
@each_member
def test_hospital_is_forecast_a_sixth_better_than_by_the_seasonal_naive(member):
    # One year before the newest window: as-of 2004-12.
    table = pl.read_parquet(DATA / "hospital" / "sales.parquet").sort("sku", "date")
    past = table.filter(pl.col("date") < date(2005, 1, 1))
    actual = table.filter(pl.col("date").dt.year() == 2005)["units"].to_numpy().reshape(-1, 12)
    units, lengths = past["units"].to_numpy().astype(np.float32), past.group_by("sku", maintain_order=True).len()
    offsets = np.r_[0, lengths["len"].to_numpy().cumsum()].astype(np.int64)
    q, c, _ = member(units, np.ones_like(units), offsets, 12, 12, LEVELS)

    def wql(y, f):
        e = y[..., None] - f[..., 1:10]
        return 2 * np.maximum(LEVELS[1:10] * e, (LEVELS[1:10] - 1) * e).sum(tuple(range(e.ndim - 1))).mean() / y.sum()

    naive = np.stack([units[end - 12 : end] for end in offsets[1:]])
    assert wql(actual, q) < 5 / 6 * np.abs(actual - naive).sum() / actual.sum()
    totals = actual.sum(1)
    assert wql(totals, c[:, -1]) < np.abs(totals - naive.sum(1)).sum() / totals.sum()
    covered = (actual[..., None] <= q).mean((0, 1))
    np.testing.assert_allclose(covered, LEVELS, atol=0.08)
