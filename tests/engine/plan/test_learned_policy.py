"""`plan.policy: learned` in the planner: where it decides, where it stands back, and what stays as it was."""

import numpy as np
import pytest

from fullshelf.engine.config import PlanSettings, parse_config
from fullshelf.engine.errors import ConfigError
from fullshelf.engine.learned_policy import SHIPPED, WHY, network_weights, weights_fingerprint
from fullshelf.engine.planning import order_problem, plan_orders
from fullshelf.engine.problem_file import load_problem, save_problem
from fullshelf.engine.protection import protect
from fullshelf.kernels.order_network import LONGEST

AUTO, LEARNED = PlanSettings(), PlanSettings(policy="learned")
ITEMS = 24


def plan(forecast, supply, stock, settings=LEARNED, price=None):
    return plan_orders(protect(forecast, supply), supply, stock, settings, price)


@pytest.fixture(scope="module")
def items(gamma_forecast, supply_of, stock_of):
    """Forecast, supply and stock of items that the policy was made for."""

    def make(**supply):
        rng = np.random.default_rng(3)
        mean = rng.uniform(3, 60, ITEMS)
        given = {"lead_time": list(rng.integers(1, 5, ITEMS).astype(float)), "holding_cost": 0.05} | supply
        hand, coming = np.round(mean * rng.uniform(0, 3, ITEMS)), np.round(mean * rng.uniform(0, 2, ITEMS))
        stock = stock_of(ITEMS, arrivals=[[(1, units)] for units in coming], on_hand=hand)
        return gamma_forecast(mean, 0.6 * mean), supply_of(ITEMS, **given), stock

    return make


def test_it_decides_and_its_orders_are_others(items):
    given = items()
    learned, auto = plan(*given), plan(*given, AUTO)
    assert set(learned.policy) == {"learned"}
    assert set(auto.policy) == {"order-up-to"}
    assert (learned.order_quantity != auto.order_quantity).mean() > 0.3
    assert abs(learned.order_quantity.sum() / auto.order_quantity.sum() - 1) < 0.3
    assert not any("stands back" in sentence for sentence in learned.reason)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"shelf_life": 4.0}, "spoil"),
        ({"review_period": 2.0}, "every period"),
        ({"lead_time": 0.0}, "lead time is not between"),
        ({"lead_time_sd": 1.0}, "uncertain"),
        ({"pack_size": 100.0}, "smallest order"),
        ({"moq": 100.0}, "smallest order"),
        ({"order_cost": 50.0}, "smallest order"),
        ({"shortage_cost": 0.05}, "shortage cost is outside"),
    ],
)
def test_elsewhere_it_stands_back_says_why_and_orders_as_auto_does(items, changed, why):
    given = items(**changed)
    learned, auto = plan(*given), plan(*given, AUTO)
    assert "learned" not in set(learned.policy)
    assert (learned.policy == auto.policy).all()
    np.testing.assert_array_equal(learned.order_quantity, auto.order_quantity)
    assert all("The learned policy stands back: " in sentence and why in sentence for sentence in learned.reason)


@pytest.mark.parametrize(
    ("settings", "why"), [({"stockout": "backorder"}, "is owed"), ({"service": 0.95}, "service is promised")]
)
def test_it_stands_back_where_settings_ask_for_something_else(items, settings, why):
    given = items()
    learned = plan(*given, PlanSettings(policy="learned", **settings))
    np.testing.assert_array_equal(learned.order_quantity, plan(*given, PlanSettings(**settings)).order_quantity)
    assert all(why in sentence for sentence in learned.reason)


def test_it_stands_back_where_goods_on_their_way_come_after_the_order(gamma_forecast, supply_of, stock_of):
    supply = supply_of(2, lead_time=1.0)
    stock = stock_of(2, arrivals=[[(1, 5)], [(3, 5)]], on_hand=2.0)
    made = plan(gamma_forecast([10.0, 10.0], 5.0), supply, stock)
    assert made.policy.to_list() == ["learned", "order-up-to"]
    assert WHY[9] in made.reason[1]


def test_a_long_lead_time_is_left_to_auto(gamma_forecast, supply_of, stock_of):
    supply = supply_of(2, lead_time=[float(LONGEST), LONGEST + 1.0])
    made = plan(gamma_forecast([10.0, 10.0], 5.0, horizon=12), supply, stock_of(2, on_hand=2.0))
    assert made.policy.to_list() == ["learned", "order-up-to"]


def test_packs_and_least_orders_are_kept(items):
    made = plan(*items(pack_size=3.0))
    placed = made.order_quantity[made.policy.to_numpy() == "learned"]
    assert placed.size > ITEMS / 2
    assert (placed % 3 == 0).all()
    assert (placed > 0).any()


def test_a_price_on_what_an_order_uses_lowers_it(items):
    given = items()
    dear = plan(*given, price=np.full(ITEMS, 0.5))
    assert (dear.order_quantity <= plan(*given).order_quantity).all()
    assert dear.order_quantity.sum() < plan(*given).order_quantity.sum()


@pytest.mark.parametrize("ratio", [0.7, 0.75, 0.9])
def test_an_order_never_rises_with_the_price_of_what_it_uses(items, ratio):
    given = items(holding_cost=0.5, shortage_cost=0.5 * ratio / (1 - ratio) + 1e-9)
    made = [plan(*given, price=np.full(ITEMS, price)) for price in (0.0, 0.05, 0.1, 0.2, 0.4, 0.8)]
    quantities = np.stack([one.order_quantity for one in made])
    assert (np.diff(quantities, axis=0) <= 0).all()
    assert (quantities[0] > quantities[-1]).any()


def test_a_series_order_does_not_depend_on_its_neighbours(items):
    forecast, supply, stock = items()
    every = plan(forecast, supply, stock).order_quantity
    for s in (0, 11, ITEMS - 1):
        own = type(forecast)(
            forecast.levels, forecast.quantiles[s : s + 1], forecast.mean[s : s + 1], forecast.cumulative[s : s + 1]
        )
        assert plan(own, supply[s : s + 1], stock[s : s + 1]).order_quantity[0] == every[s]


def test_what_it_decided_survives_the_disk(items, tmp_path):
    forecast, supply, stock = items(shelf_life=[None, 3.0] * (ITEMS // 2))
    problem = order_problem(protect(forecast, supply), supply, stock, LEARNED)
    save_problem(tmp_path / "problem.npz", problem)
    again = load_problem(tmp_path / "problem.npz")
    assert set(again.fallback) == {0, 3}
    np.testing.assert_array_equal(again.plan().order_quantity, problem.plan().order_quantity)


def test_the_shipped_weights_are_small():
    assert SHIPPED.stat().st_size < 200_000
    assert len(weights_fingerprint("shipped")) == 16


def test_a_file_that_holds_no_weights_is_named(tmp_path):
    path = tmp_path / "policy.npz"
    np.savez(path, first=np.zeros((4, 3)))
    for file, found in ((path, "expected finite arrays"), (tmp_path / "none.npz", "cannot be read")):
        with pytest.raises(ConfigError, match=r"plan\.weights: .*npz: " + found):
            network_weights(str(file))
    (tmp_path / "text.npz").write_text("no zip")
    with pytest.raises(ConfigError, match="cannot be read"):
        network_weights(str(tmp_path / "text.npz"))


def test_the_path_of_weights_is_relative_to_the_configuration(tmp_path):
    values = {
        "period": "week",
        "inputs": {"sales": "s.parquet"},
        "plan": {"policy": "learned", "weights": "p/policy.npz"},
    }
    assert parse_config(values, base=tmp_path).plan.weights == str(tmp_path / "p" / "policy.npz")
