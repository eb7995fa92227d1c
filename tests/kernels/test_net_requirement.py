import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fullshelf.kernels.demand_paths import path_nodes
from fullshelf.kernels.lead_time import lead_time_distribution, mix_over_lead_times
from fullshelf.kernels.levels import level_array
from fullshelf.kernels.net_requirement import (
    REVIEW_MARKS,
    chosen_lead_times,
    follow_paths,
    net_requirement,
    weighted_quantiles,
)
from fullshelf.kernels.quantile_grid import grid_quantile, knots

L = level_array()
AT = np.concatenate([[0.0], L])


def shop(demand, lead, cycle, life, review, lost, on_hand, arrivals, order):
    """One path, layer by layer as tools/replay.py lives it: units short before and after the arrival, left, wasted.

    Layers are [expiry, units, own]; own units are the order's. Expiry = last period of sale.
    """
    layers = [[expiry, units, False] for expiry, units in on_hand]
    short_before = short_after = own_waste = 0.0
    left = []
    for k, wanted in enumerate(demand, start=1):
        coming = [[step + life - 1 if life else np.inf, units, False] for step, units in arrivals if step == k]
        if k == lead + 1:
            coming.append([k + life - 1 if life else np.inf, order, True])
        layers += coming
        layers.sort(key=lambda layer: layer[0])
        for layer in layers:
            taken = min(layer[1], wanted)
            layer[1] -= taken
            wanted -= taken
        if k <= lead:
            short_before += wanted if lost else 0.0
        elif k <= lead + cycle:
            short_after += wanted
        own_waste += sum(layer[1] for layer in layers if layer[0] <= k and layer[2])
        layers = [layer for layer in layers if layer[0] > k]
        if lead < k <= lead + cycle:
            left.append(sum(layer[1] for layer in layers))
    return short_before, short_after, left, own_waste


@given(
    demand=st.lists(st.integers(0, 9), min_size=9, max_size=9), lead=st.integers(0, 3), review=st.integers(1, 3),
    life=st.sampled_from([0, 1, 2, 4]), hand=st.integers(0, 20), order=st.integers(0, 30),
    arrivals=st.dictionaries(st.integers(1, 4), st.integers(1, 9), max_size=3),
)  # fmt: skip
@settings(max_examples=300, deadline=None)
def test_the_pointer_loses_keeps_and_wastes_what_a_shop_does(demand, lead, review, life, hand, order, arrivals):
    arrivals = {step: units for step, units in arrivals.items() if step <= lead + 1}
    cycle = min(review, life) if life else review
    if life == 1:
        hand = 0  # it would have been thrown away at the end of the last period
    layer = max(4.0, hand / max(1, -((1 - life) // review)))
    shelf, rest = [], hand
    for i in range(max(1, -((1 - life) // review))):
        units = min(rest, layer) if life else rest
        shelf.append((life - 1 - i * review if life else np.inf, units))
        rest -= units
    periods = lead + max(cycle, life)
    path = np.array(demand[:periods], float)[:, None]
    held, kept = np.empty((REVIEW_MARKS, 1)), np.empty(1)
    steps = np.array(sorted(arrivals), dtype=np.int64)
    units = np.array([arrivals[s] for s in sorted(arrivals)], dtype=float)
    lost = follow_paths(
        path, np.ones(1), lead, cycle, life, review, True, float(hand), 0.0, layer, steps, units, 0.0, held, kept
    )
    before, after, left, waste = shop(path[:, 0], lead, cycle, life, review, True, shelf, list(arrivals.items()), order)
    assert lost == pytest.approx(before)
    assert max(held[0, 0] - order, 0) == pytest.approx(after)
    if life:
        assert max(order - kept[0], 0) == pytest.approx(waste)
    if life == 0 or life > cycle:
        assert max(order - held[0, 0], 0) == pytest.approx(left[-1])


def curves(single, running, lead, review=1, life=0, lost=True, hand=0.0, owed=0.0, arrivals=(), weight=None, **costs):
    single, running = (np.asarray(x, np.float32)[None] for x in (single, running))
    steps = np.array([s for s, _ in arrivals], dtype=np.int64)
    units = np.array([u for _, u in arrivals], dtype=float)
    need, outlast, before = np.empty((1, AT.size)), np.empty((1, AT.size)), np.empty(1)
    net_requirement(
        L, single, running, np.array([single.mean()], float), np.array([lead]),
        np.ones((1, 1)) if weight is None else np.array([weight]), np.array([review]), np.array([life]),
        np.array([life]), lost,
        np.array([costs.get("holding", 1.0)]), np.array([costs.get("waste", 0.0)]), np.array([float(hand)]),
        np.array([float(owed)]), np.array([0, len(steps)]), steps, units, path_nodes(), need, outlast, before,
    )  # fmt: skip
    return need[0], outlast[0], before[0]


def poisson(mean, periods):
    stats = pytest.importorskip("scipy.stats")
    running = np.array([stats.poisson.ppf(L, mean * (k + 1)) for k in range(periods)])
    return np.repeat(running[:1], periods, axis=0), running


def test_backorders_and_immediate_delivery_are_looked_up_exactly():
    single, running = poisson(7, 4)
    expected = grid_quantile(*knots(L, np.repeat(running[3][None], AT.size, axis=0)), AT)
    need, outlast, before = curves(single, running, 3, lost=False, hand=5, owed=2, arrivals=[(1, 4.0), (9, 50.0)])
    assert need == pytest.approx(expected - 7)
    assert (outlast == need).all()
    assert before == 0
    first = grid_quantile(*knots(L, np.repeat(running[0][None], AT.size, axis=0)), AT)
    assert curves(single, running, 0, hand=5)[0] == pytest.approx(first - 5)


def test_lost_sales_leave_less_to_serve_than_backorders_and_the_same_where_stock_is_ample():
    single, running = poisson(7, 3)
    for hand in (0, 5, 14, 40):
        lost, owed = curves(single, running, 2, hand=hand)[0], curves(single, running, 2, lost=False, hand=hand)[0]
        assert (lost <= owed + 0.35)[5:].all()
        if hand >= 40:
            assert lost[1:] == pytest.approx(owed[1:], abs=0.5)
    assert curves(single, running, 2, hand=0)[0] == pytest.approx(curves(single, running, 0, hand=0)[0])


def test_requirement_of_independent_demand_is_that_of_many_simulated_paths():
    single, running = poisson(5, 3)
    rng = np.random.default_rng(5)
    demand = rng.poisson(5, (3, 200_000))
    stock = np.full(200_000, 6.0)
    before = np.zeros(200_000)
    for k, arrival in enumerate((4, 3)):
        stock += arrival
        before += np.maximum(demand[k] - stock, 0)
        stock = np.maximum(stock - demand[k], 0)
    truth = np.quantile(demand[2] - stock, AT[6:])
    need, _, lost = curves(single, running, 2, hand=6, arrivals=[(1, 4.0), (2, 3.0)])
    assert need[6:] == pytest.approx(truth, abs=0.75)  # whole numbers in truth, a smooth curve here
    assert lost == pytest.approx(before.mean(), rel=0.1)


def test_requirement_of_wild_demand_is_close_to_that_of_many_simulated_paths_far_into_the_tail():
    stats = pytest.importorskip("scipy.stats")
    n, M, rng = 80, 40_000, np.random.default_rng(5)
    mean, cv = np.exp(rng.uniform(0, np.log(100), n)), rng.uniform(0.2, 2.5, n)
    hand = np.round(mean * rng.uniform(0, 4, n) * rng.integers(0, 2, n))
    lead, review = rng.integers(1, 6, n), rng.integers(1, 4, n)
    running = np.array(
        [stats.gamma.ppf(L, (k / cv**2)[:, None], scale=(mean * cv**2)[:, None]) for k in range(1, 9)], np.float32
    ).transpose(1, 0, 2)
    need, outlast, lost = np.empty((n, AT.size)), np.empty((n, AT.size)), np.empty(n)
    nothing, none = np.zeros(n), np.zeros(n + 1, np.int64)
    net_requirement(
        L, np.repeat(running[:, :1], 8, axis=1), running, mean, lead, np.ones((n, 1)), review, np.zeros(n, np.int64),
        np.zeros(n, np.int64), True, np.ones(n), nothing, hand, nothing, none, none[:0], nothing[:0], path_nodes(),
        need, outlast, lost,
    )  # fmt: skip
    error = np.empty((n, 4))
    for i in range(n):
        demand = rng.gamma(1 / cv[i] ** 2, mean[i] * cv[i] ** 2, (M, lead[i] + review[i]))
        left = np.full(M, hand[i])
        for k in range(lead[i]):
            left -= np.minimum(left, demand[:, k])
        required = demand[:, lead[i] :].sum(axis=1) - left
        found = [np.interp(u, AT, need[i]) for u in (0.5, 0.9, 0.98, 0.99)]
        error[i] = (found - np.quantile(required, [0.5, 0.9, 0.98, 0.99])) / required.std()
    assert (np.abs(error.mean(axis=0)) < 0.06).all()
    assert (np.sqrt((error**2).mean(axis=0)) < [0.06, 0.12, 0.14, 0.16]).all()


def test_a_random_lead_time_mixes_the_requirements():
    single, running = poisson(10, 4)
    short = curves(single, running, 0, hand=20)[0]
    long = curves(single, running, 2, hand=20)[0]
    mixed = curves(single, running, 0, hand=20, weight=[0.5, 0.0, 0.5])[0]
    middle = slice(5, None)
    assert (mixed[middle] >= short[middle] - 0.3).all()
    assert (mixed[middle] <= long[middle] + 0.3).all()
    assert mixed[AT == 0.9] == pytest.approx(long[AT == 0.8], abs=0.5)  # above 0.5 the long lead time decides alone


@pytest.mark.parametrize("spread", [0.5, 2.0, 6.0])
def test_a_wide_lead_time_is_followed_at_a_few_strata_with_the_result_of_all(spread):
    single, running = poisson(3, 45)
    first, weight = lead_time_distribution(np.array([15.0]), np.array([spread]), np.array([44]))
    exact = np.empty((1, L.size))
    mix_over_lead_times(L, running[None].astype(np.float32), first, weight, np.array([1]), exact)
    need, _, _ = curves(single, running, first[0], lost=False, hand=20, weight=weight[0])
    assert need[6:] == pytest.approx(exact[0, 5:] - 20, rel=0.03, abs=1.0)


def test_chosen_lead_times_keep_all_probability_and_the_mean():
    weight = np.array([0.1, 0.0, 0.05, 0.3, 0.2, 0.1, 0.1, 0.05, 0.05, 0.04, 0.01])
    leads, chances = np.empty(7, np.int64), np.empty(7)
    n = chosen_lead_times(4, weight, leads, chances)
    assert 4 <= n <= 7
    assert chances[:n].sum() == pytest.approx(1)
    assert (np.diff(leads[:n]) > 0).all()
    assert leads[:n] @ chances[:n] == pytest.approx(4 + weight @ np.arange(11), abs=0.3)
    n = chosen_lead_times(2, np.array([0.25, 0.0, 0.75]), leads, chances)
    assert (leads[:n].tolist(), chances[:n].tolist()) == ([2, 4], [0.25, 0.75])


def test_what_a_unit_must_outlast_counts_holding_by_period_and_waste_once():
    single, running = poisson(6, 6)
    need, outlast, _ = curves(single, running, 0, review=4, holding=1.0)
    assert (outlast[:-1] <= need[:-1] + 0.5).all()  # it is enough to be left at the end of one of four periods
    long_life = curves(single, running, 0, life=6, holding=1e-9, waste=1.0)[1]
    assert long_life[AT == 0.5] == pytest.approx(36, abs=1.0)  # a unit is wasted unless six periods take it


def test_stock_that_expires_before_the_arrival_serves_nothing():
    single, running = poisson(6, 3)
    fresh = curves(single, running, 2, life=3, hand=6)[0]
    none = curves(single, running, 2, life=3, hand=0)[0]
    assert fresh == pytest.approx(none)


def test_doubling_all_units_doubles_the_requirement():
    single, running = poisson(9, 3)
    args = {"hand": 6, "arrivals": [(1, 4.0), (2, 3.0)]}
    twice = {"hand": 12, "arrivals": [(1, 8.0), (2, 6.0)]}
    for life in (0, 3):
        one = curves(single, running, 2, life=life, **args)
        two = curves(2 * single, 2 * running, 2, life=life, **twice)
        assert two[0] == pytest.approx(2 * one[0], rel=1e-6)
        assert two[1] == pytest.approx(2 * one[1], rel=1e-6)


def test_quantiles_of_a_weighted_sample_lie_between_the_middles_of_the_weights():
    out = np.empty(5)
    weighted_quantiles(
        np.array([3.0, 1.0, 2.0]), np.array([1.0, 1.0, 2.0]), np.array([0.0, 0.125, 0.5, 0.6, 0.99]), out
    )
    assert out == pytest.approx([1, 1, 2, 2 + 0.1 / 0.375, 3])
