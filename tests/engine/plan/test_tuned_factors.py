"""What tuning changes in an order, and what it leaves alone."""

import numpy as np
import polars as pl
import pytest

from fullshelf.engine.calendar import Period
from fullshelf.engine.config import PlanSettings
from fullshelf.engine.panel import Panel
from fullshelf.engine.planning import order_problem
from fullshelf.engine.protection import protect
from fullshelf.engine.tuned_factors import TunedFactors, factors_of_shard
from fullshelf.engine.tuned_settings import Tuning


def factors(n, demand=1.0, shortage=1.0, cap=np.inf):
    return TunedFactors(*(np.broadcast_to(np.asarray(v, float), n).copy() for v in (demand, shortage, cap)))


@pytest.fixture
def plan(gamma_forecast, supply_of, stock_of):
    def made(tuned=None, settings=None, **supply):
        forecast, terms = gamma_forecast([10.0] * 4, 5.0), supply_of(4, **supply)
        stock = stock_of(4, on_hand=[0, 5, 12, 60])
        return order_problem(protect(forecast, terms), terms, stock, settings or PlanSettings(), tuned=tuned).plan()

    return made


def test_a_factor_on_demand_orders_as_a_forecast_that_is_so_much_higher_would(
    plan, gamma_forecast, supply_of, stock_of
):
    terms = supply_of(4)
    higher = protect(gamma_forecast([15.0] * 4, 7.5), terms)
    there = order_problem(higher, terms, stock_of(4, on_hand=[0, 5, 12, 60]), PlanSettings()).plan()
    found = plan(factors(4, demand=1.5))
    np.testing.assert_allclose(found.order_quantity, there.order_quantity, atol=1)
    np.testing.assert_allclose(found.expected_demand, there.expected_demand, rtol=1e-6)


def test_dearer_shortage_orders_more_and_costs_what_it_costs(plan):
    plain, found = plan(), plan(factors(4, shortage=[1.0, 2.0, 4.0, 8.0]))
    assert found.order_quantity[0] == plain.order_quantity[0]
    assert (found.order_quantity[1:3] > plain.order_quantity[1:3]).all()
    assert found.critical_ratio[2] > plain.critical_ratio[2]
    assert found.expected_cost[1] > plain.expected_cost[1]  # by what was given, the plain order is the cheapest


def test_a_cap_holds_in_whole_packs_and_lets_a_minimum_pass(plan):
    plain = plan(pack_size=4.0)
    assert plain.order_quantity[0] > 16
    found = plan(factors(4, cap=1.45), pack_size=4.0)  # 14.5 units
    assert found.order_quantity.max() == 12.0
    assert found.order_quantity[3] == plain.order_quantity[3] == 0
    assert "as much as the tuned cap of 1.45 review periods of demand allows" in found.reason[0]
    assert found.explanation["lot_because"][0] == "tuned cap"
    minimum = plan(factors(4, cap=1.45), pack_size=4.0, moq=20.0)
    assert minimum.order_quantity[0] == 20.0


def test_a_promise_stands_above_what_was_tuned(plan):
    promise = PlanSettings(service=0.9)
    found, plain = plan(factors(4, 3.0, 5.0, 1.0), promise), plan(None, promise)
    np.testing.assert_array_equal(found.order_quantity, plain.order_quantity)
    assert found.reason.to_list() == plain.reason.to_list()


def panel_of(units):
    lengths = [len(own) for own in units]
    keys = pl.DataFrame({"sku": [f"s{i}" for i in range(len(units))], "location": ["all"] * len(units)})
    values = np.concatenate(units).astype(np.float32)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Panel(
        keys, values, np.ones_like(values), np.zeros((values.size, 0), np.float32), (), offsets, Period.WEEK, 99
    )


TUNING = Tuning.model_validate(
    {
        "period": "week",
        "model": "auto",
        "by": ["abc", "category"],
        "abc": [100.0, 10.0],
        "segments": [
            {"segment": {"abc": "A", "category": "Food"}, "kept": True, "demand": 1.2, "cap": 2.0},
            {"segment": {"abc": "C", "category": "Food"}, "kept": True, "shortage": 0.5},
            {"segment": {"abc": "B", "category": "Food"}, "kept": False, "demand": 9.0},
        ],
    }
)


def test_a_series_finds_its_segment_by_itself(supply_of):
    units = [np.full(60, 80.0), np.full(60, 8.0), np.full(60, 2.0), np.full(60, 80.0), np.zeros(60)]
    skus = pl.DataFrame({"category": ["Food/Tea", "Food", "Food", None, "Food"]})
    supply = supply_of(5, unit_price=2.0)
    found = factors_of_shard(TUNING, panel_of(units), supply, skus)
    assert found is not None
    np.testing.assert_array_equal(found.demand, [1.2, 1.0, 1.0, 1.0, 1.0])
    np.testing.assert_array_equal(found.shortage, [1.0, 1.0, 0.5, 1.0, 0.5])
    np.testing.assert_array_equal(found.cap, [2.0, np.inf, np.inf, np.inf, np.inf])
    for s in range(5):
        alone = factors_of_shard(TUNING, panel_of(units[s : s + 1]), supply[[s]], skus[[s]])
        assert alone is not None
        assert (alone.demand[0], alone.shortage[0], alone.cap[0]) == (found.demand[s], found.shortage[s], found.cap[s])


def test_nothing_tuned_or_kept_is_nothing_at_all(supply_of):
    none = TUNING.model_copy(update={"segments": TUNING.segments[2:]})
    skus = pl.DataFrame({"category": ["Food"]})
    for tuning in (None, none):
        assert factors_of_shard(tuning, panel_of([np.ones(60)]), supply_of(1), skus) is None
