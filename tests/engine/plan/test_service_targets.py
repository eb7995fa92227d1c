import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from fullshelf.engine.config import PlanSettings
from fullshelf.engine.planning import plan_orders
from fullshelf.engine.protection import protect
from fullshelf.engine.service_settings import Service
from fullshelf.engine.service_targets import service_targets


def plan(forecast, supply, stock, service):
    return plan_orders(protect(forecast, supply), supply, stock, PlanSettings(service=service))


def test_a_plain_number_is_a_cycle_service():
    assert PlanSettings(service=0.95) == PlanSettings(service={"cycle": 0.95})
    assert PlanSettings().service is None


@pytest.mark.parametrize(
    ("service", "message"),
    [
        ({"cycle": 0.9, "fill": 0.9}, "got both"),
        ({}, "got nothing"),
        (1.0, "less than 1"),
        (True, "valid dictionary"),
        ({"by": [{"scope": "category=Food"}]}, "got neither"),
        ({"by": [{"scope": "brand=Food", "fill": 0.9}]}, "a scope is"),
        ({"by": [{"scope": "revenue>=1e", "fill": 0.9}]}, "needs a number"),
        ({"fil": 0.9}, "fil"),
    ],
)
def test_a_promise_that_says_too_much_or_too_little_is_refused(service, message):
    with pytest.raises(ValidationError, match=message):
        PlanSettings(service=service)


def test_the_first_scope_that_holds_decides_and_the_rest_is_left_to_the_costs():
    service = Service(
        by=[
            {"scope": "sku=tea", "cycle": 0.99},
            {"scope": "category=Food/Fresh", "fill": 0.95},
            {"scope": "revenue>=500", "fill": 0.9},
            {"scope": "supplier=Ada", "cycle": 0.8},
            {"scope": "location=Rome", "cycle": 0.7},
        ]
    )
    series = pl.DataFrame(
        {
            "sku": ["tea", "a", "b", "c", "d", "e"],
            "location": ["all", "all", "all", "all", "Rome", None],
            "category": ["Food/Fresh", "Food/Fresh/Fish", "Food/Freshly", None, None, None],
            "supplier": [None, None, "Ada", "Ada", None, None],
            "revenue": [900.0, 900.0, 500.0, 499.0, None, 1.0],
        }
    )
    found = service_targets(service, series)
    assert np.nan_to_num(found.cycle).tolist() == [0.99, 0, 0, 0.8, 0.7, 0]
    assert np.nan_to_num(found.fill).tolist() == [0, 0.95, 0.9, 0, 0, 0]
    assert found.promised.tolist() == [True] * 5 + [False]


def test_a_fill_rate_is_the_one_that_the_order_reaches(gamma_forecast, supply_of, stock_of):
    forecast = gamma_forecast([200, 200, 200], [80, 80, 80])
    supply = supply_of(3, lead_time=0)
    found = plan(forecast, supply, stock_of(3, on_hand=[0, 90, 0]), {"fill": 0.97})
    assert found.fill_rate == pytest.approx(0.97, abs=0.002)
    assert (found.fill_rate >= 0.97 - 1e-9).all()
    assert "serves the 97 % of demand that are promised" in found.reason[0]
    more = plan(forecast, supply, stock_of(3), {"fill": 0.995})
    assert (more.order_quantity > found.order_quantity).all()


def test_promises_and_costs_live_side_by_side(gamma_forecast, supply_of, stock_of):
    forecast = gamma_forecast([40] * 3, 15)
    supply = supply_of(3, category=["a", "b", None], shortage_cost=0.05)
    service = {"by": [{"scope": "category=a", "cycle": 0.98}, {"scope": "category=b", "fill": 0.999}]}
    found = plan(forecast, supply, stock_of(3), service)
    costs = plan(forecast, supply, stock_of(3), None)
    assert found.critical_ratio[0] == pytest.approx(0.98)
    assert found.order_quantity[2] == costs.order_quantity[2]
    assert (found.order_quantity[:2] > costs.order_quantity[:2]).all()
    assert "as promised" in found.reason[0]
    assert "promise" not in found.reason[2]


def test_what_is_promised_is_ordered_in_packs_though_they_last(gamma_forecast, supply_of, stock_of):
    """The costs would rather wait than order a pack for a year."""
    forecast = gamma_forecast([1], [1])
    supply = supply_of(1, lead_time=0, pack_size=400, holding_cost=0.5)
    assert plan(forecast, supply, stock_of(1), None).order_quantity[0] == 0
    assert plan(forecast, supply, stock_of(1), {"fill": 0.95}).order_quantity[0] == 400
    assert plan(forecast, supply, stock_of(1, on_hand=20), {"fill": 0.95}).order_quantity[0] == 0
