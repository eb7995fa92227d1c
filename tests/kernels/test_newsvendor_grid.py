import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fullshelf.kernels.levels import LEVELS, level_array
from fullshelf.kernels.newsvendor_grid import best_quantity, cost_at, lots_of, newsvendor_grid, slope_at
from fullshelf.kernels.quantile_grid import grid_mean, knots

CASES = Path(__file__).parents[2].parent / "shared" / "cases" / "inventory_cases.json"
L = level_array()
curves = st.lists(st.one_of(st.just(0.0), st.floats(0.01, 30)), min_size=len(LEVELS), max_size=len(LEVELS))
money = st.floats(0.01, 100)


def published(family):
    if not CASES.exists():
        pytest.skip("needs ../shared/cases")
    return [case for case in json.loads(CASES.read_text()) if case["family"] == family]


def whole(curve, underage, overage, pack=1.0, smallest=1.0, most=np.inf, trial=None, outlast=None, outlast_cost=0.0):
    levels, need = curve
    outlast = need if outlast is None else outlast
    means = grid_mean(levels, need[None])[0], grid_mean(levels, outlast[None])[0]
    terms = levels, need, outlast, underage, overage, outlast_cost
    free = best_quantity(*terms, outlast is need)
    trial = smallest if trial is None else trial
    lots = lots_of(*terms[:4], underage, *terms[4:], free, pack, smallest, trial, most, *means)
    return lots, lambda q: cost_at(*terms, q, *means), free


def discrete(probabilities):
    """Knots of a distribution on 0, 1, 2 …: two levels for each atom."""
    below = np.concatenate([[0.0], np.cumsum(probabilities)[:-1]])
    levels = np.column_stack([below + 1e-14, np.cumsum(probabilities) - 1e-14]).ravel()
    levels[0] = 0.0
    return levels, np.repeat(np.arange(len(probabilities)), 2).astype(float)


@pytest.mark.shared
def test_published_newsvendor_quantile_grid():
    for case in published("newsvendor_quantile_grid"):
        i = case["inputs"]
        levels, values = knots(np.array(i["taus"]), np.array([i["quantiles"]]))
        found = newsvendor_grid(levels, values, np.array([float(i["cu"])]), np.array([float(i["co"])]))
        assert found[0] == pytest.approx(case["expected"]["Q"], rel=case["rtol"]), case["id"]


@pytest.mark.shared
def test_published_newsvendor_moq_pack():
    stats = pytest.importorskip("scipy.stats")
    for case in published("newsvendor_moq_pack"):
        i = case["inputs"]
        levels, values = discrete(stats.poisson.pmf(np.arange(stats.poisson.ppf(1 - 1e-12, i["mean"]) + 1), i["mean"]))
        pack = float(i["pack"])
        smallest = max(np.ceil(i["moq"] / pack), 1) * pack
        order, cost, _ = whole((levels, values - i["inventory_position"]), float(i["p"]), float(i["h"]), pack, smallest)
        assert order == case["expected"]["order"], case["id"]
        assert cost(order) == pytest.approx(case["expected"]["cost"], rel=1e-9), case["id"]


@given(
    increments=curves, position=st.floats(-20, 200), u=money, o=money,
    pack=st.sampled_from([1.0, 2.0, 6.0, 50.0, 0.5]), packs=st.integers(1, 4), room=st.floats(0, 400),
)  # fmt: skip
@settings(max_examples=200, deadline=None)
def test_lots_are_the_cheapest_of_all_allowed(increments, position, u, o, pack, packs, room):
    levels, values = knots(L, np.cumsum(np.array(increments))[None])
    order, cost, _ = whole((levels, values[0] - position), u, o, pack, packs * pack, room)
    allowed = [0.0, *np.arange(packs * pack, room + 1e-9, pack)]
    assert min(abs(order - q) for q in allowed) < 1e-9
    cheapest = min(cost(q) for q in allowed)
    assert cost(order) <= cheapest + 1e-9 * (1 + abs(cheapest))


@given(increments=curves, other=curves, u=money, o=money, waste=money)
@settings(max_examples=100, deadline=None)
def test_two_curves_meet_where_the_slope_turns(increments, other, u, o, waste):
    levels, values = knots(L, np.cumsum(np.array([increments, other]), axis=1))
    need, outlast = values[0], values[0] + values[1]
    q = best_quantity(levels, need, outlast, u, o, waste, False)
    assert q <= best_quantity(levels, need, need, u, o, 0.0, True) + 1e-9
    step = 1e-6 * (1 + abs(q))
    assert slope_at(levels, need, outlast, u, o, waste, q + step) >= -1e-6 * (u + o + waste)
    assert slope_at(levels, need, outlast, u, o, waste, q - step) <= 1e-3 * (u + o + waste) or q <= need[0] + step


@given(increments=curves, u=money, more=st.floats(1, 10), o=money, pack=st.sampled_from([1.0, 7.0]))
@settings(max_examples=100, deadline=None)
def test_an_order_never_falls_with_the_underage_cost_nor_with_demand(increments, u, more, o, pack):
    levels, values = knots(L, np.cumsum(np.array(increments))[None])
    base = whole((levels, values[0] - 5), u, o, pack, pack)[0]
    assert whole((levels, values[0] - 5), u * more, o, pack, pack)[0] >= base
    assert whole((levels, values[0] * more - 5), u, o, pack, pack)[0] >= base


def test_what_costs_nothing_or_is_unknown_has_a_stated_answer():
    levels, values = knots(L, np.arange(13.0)[None])
    two = np.repeat(values, 4, axis=0)
    found = newsvendor_grid(levels, two, np.array([0.0, 5.0, np.nan, 5.0]), np.array([0.0, 0.0, 1.0, 1e-300]))
    assert found[0] == 0
    assert np.isfinite(found[1])
    assert found[1] > values[0, -1]
    assert np.isnan(found[2])
    assert found[3] == found[1]


def test_an_economic_lot_is_tried_before_it_is_rounded():
    levels, values = knots(L, np.linspace(0, 12, 13)[None])
    keep = whole((levels, values[0]), 1.0, 0.5, 10.0, 20.0, trial=11.0)[0]
    assert keep == 20.0
    assert whole((levels, values[0]), 1.0, 0.5, 10.0, 20.0, trial=20.0)[0] == 0.0
