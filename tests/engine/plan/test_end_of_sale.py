"""No order outlives its item: the last orders, and lots."""

import numpy as np
import polars as pl
import pytest

from fullshelf.engine.config import PlanSettings
from fullshelf.engine.end_of_sale import ENDS, cut_off, ends_of
from fullshelf.engine.planning import order_problem
from fullshelf.engine.protection import protect


@pytest.fixture
def planned(gamma_forecast, supply_of, stock_of):
    """Plan of one item that ends after `ends` periods (0: never)."""

    def make(ends, on_hand=0.0, mean=10.0, sd=4.0, settings=None, **terms):
        supply = supply_of(1, **{"lead_time": 2.0, **terms}).with_columns(
            pl.Series(ENDS, [ends or None], dtype=pl.Int64)
        )
        forecast = cut_off(gamma_forecast([mean], sd, horizon=20), ends_of(supply))
        demand = protect(forecast, supply)
        return order_problem(demand, supply, stock_of(1, on_hand=on_hand), settings or PlanSettings()).plan()

    return make


@pytest.mark.parametrize("ends", [-1, 1, 2])
def test_what_would_arrive_after_the_end_is_not_ordered(planned, ends):
    plan = planned(ends)
    assert plan.order_quantity[0] == 0
    assert ("no longer sold" in plan.reason[0]) == (ends < 0)


def test_the_last_order_weighs_a_unit_left_over_at_its_full_cost(planned):
    terms = {"unit_cost": 1.0, "shortage_cost": 1.0, "holding_cost": 0.01}
    going_on, last = planned(0, **terms).order_quantity[0], planned(3, **terms).order_quantity[0]
    assert 8 <= last <= 11 < going_on  # half of 1 / (1 + 1.01): about the median of 10 a period
    assert planned(3, **terms, salvage_value=1.0).order_quantity[0] == pytest.approx(going_on, abs=3)
    assert "sold for 3 more periods" in planned(3, **terms).reason[0]


def test_orders_shrink_as_the_end_comes_near_and_not_before(planned):
    found = [planned(ends).order_quantity[0] for ends in (3, 4, 6, 15)]
    assert found == sorted(found)
    assert found[-1] == pytest.approx(planned(0).order_quantity[0], abs=2)


@pytest.mark.parametrize("stockout", ["lost", "backorder"])
def test_no_lot_outlasts_the_item(planned, stockout):
    settings = PlanSettings(stockout=stockout)
    terms = {"order_cost": 40.0, "settings": settings}
    assert planned(0, **terms).order_quantity[0] == 200
    assert planned(8, **terms).order_quantity[0] < 75  # 6 periods of 10 after the arrival
    minimum = {"moq": 400.0, "holding_cost": 0.001, "settings": settings}
    assert planned(0, **minimum).order_quantity[0] == 400
    assert planned(8, **minimum).order_quantity[0] == 0


def test_stock_that_is_there_lasts_until_the_end_and_not_only_for_the_life_of_the_order(planned):
    assert planned(3, on_hand=300.0).order_quantity[0] == 0
    assert planned(5, on_hand=60.0).order_quantity[0] == 0


def test_only_what_lies_behind_the_end_is_cut_off(gamma_forecast):
    whole = gamma_forecast([10, 10, 10, 10], 4, horizon=6)
    cut = cut_off(whole, np.array([0, 4, -1, 9]))
    for s in (0, 3):
        assert (cut.quantiles[s] == whole.quantiles[s]).all()
        assert (cut.cumulative[s] == whole.cumulative[s]).all()
    assert cut.mean[1].tolist() == [10, 10, 10, 10, 0, 0]
    assert (cut.cumulative[1, 4:] == whole.cumulative[1, 3]).all()
    assert not cut.quantiles[2].any()
    assert not cut.cumulative[2].any()
    assert cut_off(whole, np.zeros(4, int)) is whole


def test_an_end_lay_further_ahead_in_the_past():
    supply = pl.DataFrame({ENDS: [None, 3, 0, -2]})
    assert ends_of(supply).tolist() == [0, 3, -1, -1]
    assert ends_of(supply, before=2).tolist() == [0, 5, 2, -1]
    assert ends_of(pl.DataFrame({"lead_time": [1.0]})).tolist() == [0]
