import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fullshelf.engine.config import PlanSettings
from fullshelf.engine.planning import CARRY, HIGHEST_RATIO, order_problem, plan_orders
from fullshelf.engine.protection import protect
from fullshelf.kernels.quantile_grid import grid_excess, grid_quantile, knots

BACKORDER, LOST = PlanSettings(stockout="backorder"), PlanSettings()


def plan(forecast, supply, stock, config=LOST, price=None):
    return plan_orders(protect(forecast, supply), supply, stock, config, price)


series = st.fixed_dictionaries(
    {
        "mean": st.floats(0.05, 200), "cv": st.floats(0.2, 2.5), "hand": st.floats(0, 3), "way": st.floats(0, 3),
        "shortage": st.floats(0.01, 50), "holding": st.floats(0.001, 1), "lead": st.integers(0, 4),
        "review": st.integers(1, 3), "pack": st.sampled_from([1.0, 2.0, 6.0, 24.0]),
        "moq": st.sampled_from([0.0, 5.0, 30.0]), "order_cost": st.sampled_from([0.0, 0.0, 3.0]),
        "life": st.sampled_from([None, None, 2.0, 5.0]), "most": st.sampled_from([None, None, 100.0]),
    }
)  # fmt: skip


@pytest.fixture(scope="session")
def orders_of(gamma_forecast, supply_of, stock_of):
    """Plan one series given as numbers; any of them can be replaced."""

    def make(numbers, config=LOST, scale=1.0, **changed):
        x = numbers | changed
        supply = supply_of(
            1, shortage_cost=x["shortage"], holding_cost=x["holding"], lead_time=x["lead"], review_period=x["review"],
            pack_size=x["pack"] * scale, moq=x["moq"] * scale, order_cost=x["order_cost"] * scale, shelf_life=x["life"],
            max_stock=None if x["most"] is None else x["most"] * scale,
        )  # fmt: skip
        base = numbers["mean"]
        stock = stock_of(
            1, on_hand=np.round(base * x["hand"]) * scale, arrivals=[[(1, np.round(base * x["way"]) * scale)]]
        )
        forecast = gamma_forecast([x["mean"] * scale], [x["mean"] * scale * x["cv"]], horizon=12)
        return plan(forecast, supply, stock, config)

    return make


@given(numbers=series, lost=st.booleans())
@settings(max_examples=40, deadline=None)
def test_an_order_is_nothing_or_whole_packs_from_the_minimum_up_to_the_stock_limit(orders_of, numbers, lost):
    found = orders_of(numbers, LOST if lost else BACKORDER)
    quantity = found.order_quantity[0]
    assert quantity >= 0
    assert quantity % numbers["pack"] == 0
    assert quantity == 0 or quantity >= numbers["moq"]
    if numbers["most"] is not None and quantity:
        position = np.round(numbers["mean"] * numbers["hand"]) + np.round(numbers["mean"] * numbers["way"])
        assert quantity + position <= numbers["most"] + 1e-9
    for name in ("order_up_to", "expected_shortage", "expected_leftover", "expected_cost", "fill_rate"):
        assert np.isfinite(getattr(found, name)[0])
        assert getattr(found, name)[0] >= 0
    assert found.fill_rate[0] <= 1


@given(numbers=series, more=st.floats(1.05, 4), lost=st.booleans())
@settings(max_examples=40, deadline=None)
def test_an_order_never_falls_with_the_shortage_cost(orders_of, numbers, more, lost):
    config = LOST if lost else BACKORDER
    before = orders_of(numbers, config).order_quantity[0]
    assert orders_of(numbers, config, shortage=numbers["shortage"] * more).order_quantity[0] >= before


@given(numbers=series, more=st.floats(1.05, 4), lost=st.booleans())
@settings(max_examples=40, deadline=None)
def test_an_order_never_falls_with_demand(orders_of, numbers, more, lost):
    numbers = numbers | {"life": None}  # more demand also leaves less of old stock to throw away
    config = LOST if lost else BACKORDER
    stock = {"hand": numbers["hand"] / more, "way": numbers["way"] / more}
    scaled = numbers | {"mean": numbers["mean"] * more}
    whole = {k: np.round(numbers["mean"] * numbers[k]) / scaled["mean"] for k in stock}
    assert orders_of(scaled, config, **whole).order_quantity[0] >= orders_of(numbers, config).order_quantity[0]


@pytest.mark.parametrize("config", [BACKORDER, LOST])
def test_an_order_never_falls_with_the_lead_time(gamma_forecast, supply_of, stock_of, config):
    n, rng = 2000, np.random.default_rng(0)
    mean, cv = np.exp(rng.uniform(np.log(0.05), np.log(200), n)), rng.uniform(0.2, 2.5, n)
    terms = {
        "shortage_cost": np.exp(rng.uniform(np.log(0.01), np.log(50), n)), "holding_cost": rng.uniform(0.01, 1, n),
        "review_period": rng.integers(1, 4, n), "pack_size": rng.choice([1.0, 2.0, 6.0, 24.0], n),
        "moq": rng.choice([0.0, 5.0, 30.0], n), "order_cost": rng.choice([0.0, 0.0, 3.0], n),
        "max_stock": rng.choice([None, None, 100.0], n),
    }  # fmt: skip
    lead, held, coming = rng.integers(0, 5, n), np.round(mean * rng.uniform(0, 3, n)), np.round(mean)
    forecast = gamma_forecast(mean, mean * cv, horizon=12)
    stock = stock_of(n, [[(1, units)] for units in coming], on_hand=held)
    shorter, *longer = (
        plan(forecast, supply_of(n, lead_time=lead + more, **terms), stock, config).order_quantity for more in range(4)
    )
    for quantity in longer:
        fall = shorter - quantity
        if config is BACKORDER:
            assert (fall <= 0).all()
            continue
        # lost sales are counted on sampled paths, which in the far tail know the requirement to a tenth
        common = terms["shortage_cost"] < 99 * terms["holding_cost"] * terms["review_period"]
        noise = terms["pack_size"] + 0.1 * mean * cv * np.sqrt(terms["review_period"])
        assert (fall[common] <= noise[common]).all()
        assert (fall <= terms["pack_size"] + 0.25 * shorter).all()
        assert (fall > 0).mean() < 0.02


@given(numbers=series, scale=st.sampled_from([2.0, 0.5, 4.0]), lost=st.booleans())
@settings(max_examples=40, deadline=None)
def test_doubling_all_units_doubles_the_order(orders_of, numbers, scale, lost):
    config = LOST if lost else BACKORDER
    one, two = orders_of(numbers, config), orders_of(numbers, config, scale=scale)
    assert two.order_quantity[0] == pytest.approx(scale * one.order_quantity[0], abs=scale * numbers["pack"] * 1e-9)
    assert two.expected_cost[0] == pytest.approx(scale * one.expected_cost[0], rel=1e-3, abs=1e-6)


def many(n=60):
    rng = np.random.default_rng(4)
    mean = rng.gamma(1, 10, n) + 0.1
    terms = {
        "shortage_cost": rng.gamma(2, 1, n), "lead_time": rng.integers(0, 4, n),
        "lead_time_sd": rng.choice([0, 0, 0.7], n), "review_period": rng.integers(1, 3, n),
        "pack_size": rng.choice([1.0, 6.0], n), "order_cost": rng.choice([0, 2.0], n),
        "shelf_life": rng.choice([None, 3.0], n), "max_stock": rng.choice([None, 40.0], n),
    }  # fmt: skip
    held = np.round(rng.random(n) * 3 * mean)
    coming = [
        [(int(s), float(u)) for s, u in zip(rng.integers(1, 5, 2), rng.integers(1, 9, 2), strict=True)]
        for _ in range(n)
    ]
    return mean, terms, held, coming


def test_shuffling_series_permutes_the_plan_and_nothing_else(gamma_forecast, supply_of, stock_of):
    mean, terms, held, coming = many()
    order = np.random.default_rng(1).permutation(len(mean))
    first = plan(
        gamma_forecast(mean, mean, 16), supply_of(len(mean), **terms), stock_of(len(mean), coming, on_hand=held)
    )
    second = plan(
        gamma_forecast(mean[order], mean[order], 16),
        supply_of(len(mean), **{k: [v[i] for i in order] for k, v in terms.items()}),
        stock_of(len(mean), [coming[i] for i in order], on_hand=held[order]),
    )
    keys = pl.DataFrame({"sku": [str(i) for i in range(len(mean))], "location": ["all"] * len(mean)})
    assert second.frame(keys).drop("sku").equals(first.frame(keys)[order.tolist()].drop("sku"))


def test_packs_are_chosen_by_expected_cost_of_all_possible_orders(gamma_forecast, supply_of, stock_of):
    mean = np.array([3.0, 8.0, 20.0, 50.0])
    supply = supply_of(4, pack_size=12, moq=24, shortage_cost=0.4, lead_time=0)
    forecast = gamma_forecast(mean, mean)
    held = np.array([2.0, 6, 0, 30])
    found = plan(forecast, supply, stock_of(4, on_hand=held), BACKORDER)
    levels, values = knots(forecast.levels, forecast.cumulative[:, 0])
    for s in range(4):
        possible = np.array([0, *range(24, 400, 12)], float)
        curve = np.repeat(values[[s]], possible.size, axis=0)
        short = grid_excess(levels, curve, possible + held[s])
        left = possible + held[s] - forecast.mean[s, 0] + short
        assert found.order_quantity[s] == possible[(0.4 * short + 0.02 * left).argmin()]


def test_columns_agree_with_each_other(gamma_forecast, supply_of, stock_of):
    mean, terms, held, coming = many()
    terms = terms | {"shelf_life": [None] * len(mean), "review_period": 1.0, "lead_time_sd": 0.0}
    supply, forecast = supply_of(len(mean), **terms), gamma_forecast(mean, mean, 16)
    found = plan(forecast, supply, stock_of(len(mean), coming, on_hand=held), BACKORDER)
    position = held + np.array([sum(u for _, u in own) for own in coming])
    served = held + np.array(
        [sum(u for s, u in own if s <= k) for own, k in zip(coming, terms["lead_time"] + 1, strict=True)]
    )
    total = forecast.cumulative[np.arange(len(mean)), terms["lead_time"]]
    levels, values = knots(forecast.levels, total)
    short = grid_excess(levels, values, served + found.order_quantity)
    assert found.expected_shortage == pytest.approx(short, rel=1e-3, abs=1e-3)
    assert found.fill_rate == pytest.approx(np.clip(1 - short / found.expected_demand, 0, 1), abs=1e-3)
    assert found.safety_stock == pytest.approx(found.order_up_to - found.expected_demand)
    assert found.critical_ratio == pytest.approx(terms["shortage_cost"] / (terms["shortage_cost"] + 0.02), abs=2e-3)
    money = terms["shortage_cost"] * short + 0.02 * found.expected_leftover
    placed = found.order_quantity > 0
    assert found.expected_cost == pytest.approx(money + terms["order_cost"] * placed, rel=0.01, abs=0.01)
    due = position <= found.reorder_point
    assert (placed == due).all()
    assert (found.reorder_point <= found.order_up_to).all()


def test_stockout_service_and_zero_costs_have_sensible_answers(gamma_forecast, supply_of, stock_of):
    forecast = gamma_forecast([10, 10, 10, 0, 10], [5, 5, 5, 5, 5])
    supply = supply_of(5, shortage_cost=[1, 0, 1, 1, 1e9], holding_cost=[0.02, 0.02, 0, 0.02, 0.02], lead_time=0)
    found = plan(forecast, supply, stock_of(5))
    assert found.order_quantity[1] == 0
    assert found.order_quantity[3] == 0
    high = grid_quantile(*knots(forecast.levels, forecast.cumulative[:1, 0]), np.array([HIGHEST_RATIO]))[0]
    assert found.order_quantity[[2, 4]] == pytest.approx(high, abs=1)
    assert "costs nothing" in found.reason[1]
    served = plan(forecast, supply, stock_of(5), PlanSettings(service=0.8))
    assert served.critical_ratio[[0, 1, 2]] == pytest.approx(0.8, abs=1e-6)
    expected = grid_quantile(*knots(forecast.levels, forecast.cumulative[:1, 0]), np.array([0.8]))[0]
    assert served.order_quantity[0] == pytest.approx(expected, abs=1)


def test_a_service_target_does_not_refuse_lots_for_ever(gamma_forecast, supply_of, stock_of):
    supply = supply_of(3, lead_time=0, order_cost=[50, 0, 0], moq=[0, 300, 0], holding_cost=[0.02, 0.02, 0.5])
    supply = supply.with_columns(shortage_cost=5.0, review_period=pl.Series([1.0, 1.0, 3.0]))
    forecast = gamma_forecast([10] * 3, 3)
    found = plan(forecast, supply, stock_of(3), PlanSettings(service=0.9))
    assert found.order_quantity[0] == pytest.approx(np.sqrt(2 * 50 * 10 / 0.02), abs=1)
    assert found.order_quantity[1] == 300
    assert (found.fill_rate > 0.95).all()
    assert found.critical_ratio == pytest.approx(0.9, abs=1e-6)
    stocked = plan(forecast, supply, stock_of(3, on_hand=1000), PlanSettings(service=0.9))
    assert (stocked.order_quantity == 0).all()
    assert (stocked.reorder_point <= stocked.order_up_to).all()


def test_a_stock_limit_bounds_the_level_and_the_sentence_still_tells_the_best(gamma_forecast, supply_of, stock_of):
    supply = supply_of(3, lead_time=0, max_stock=[0, 6, 8], pack_size=[1, 1, 24])
    found = plan(gamma_forecast([10] * 3, 3), supply, stock_of(3))
    free = plan(gamma_forecast([10], 3), supply_of(1, lead_time=0), stock_of(1))
    assert found.order_quantity.tolist() == [0, 6, 0]
    assert found.order_up_to.tolist() == [0, 6, 8]
    assert found.reorder_point.tolist() == [-1, 5, -1]
    assert all(f"best level {free.order_up_to[0]:.1f} for" in reason for reason in found.reason)


def test_auto_gives_each_series_the_policy_that_its_terms_ask_for(gamma_forecast, supply_of, stock_of):
    forecast = gamma_forecast([10] * 4, 5)
    supply = supply_of(4, shelf_life=[None, 2, None, 2], order_cost=[0, 0, 9, 9], review_period=[1, 2, 1, 1])
    found = plan(forecast, supply, stock_of(4))
    assert found.policy.to_list() == ["order-up-to", "newsvendor", "reorder-point", "order-up-to"]
    lot = np.sqrt(2 * 9 * 10 / 0.02)
    assert found.order_quantity[2] == pytest.approx(lot, abs=1)
    assert "economic lot" in found.reason[2]
    for policy in ("newsvendor", "order-up-to", "reorder-point"):
        same = plan(forecast, supply_of(4), stock_of(4), PlanSettings(policy=policy))
        assert same.policy.unique().to_list() == [policy]
    once = plan(forecast, supply_of(4), stock_of(4), PlanSettings(policy="newsvendor"))
    assert once.order_quantity[0] < plan(forecast, supply_of(4), stock_of(4)).order_quantity[0]


def test_lot_sizing_by_order_cost_saves_money_in_a_simulated_year(gamma_forecast, supply_of, stock_of):
    rng = np.random.default_rng(3)
    S, mean = 200, 4.0
    costs = {}
    for name in ("order-up-to", "auto"):
        supply = supply_of(S, order_cost=5.0, lead_time=1, shortage_cost=2.0)
        forecast, hand, way, total = gamma_forecast([mean] * S, 3.0), np.full(S, 10.0), np.zeros(S), 0.0
        demand = np.round(rng.gamma((mean / 3) ** 2, 9 / mean, (40, S)))
        for week in range(40):
            stock = stock_of(S, [[(1, u)] if u else [] for u in way], on_hand=hand)
            q = plan(forecast, supply, stock, PlanSettings(policy=name)).order_quantity
            hand = hand + way
            sold = np.minimum(hand, demand[week])
            hand, way = hand - sold, q
            total += (0.02 * hand + 2.0 * (demand[week] - sold) + 5.0 * (q > 0)).sum()
        costs[name] = total
    assert costs["auto"] < 0.6 * costs["order-up-to"]


def test_unknown_stock_counts_as_none_and_is_said(gamma_forecast, supply_of, stock_of):
    stock = stock_of(2, known=[True, False])
    found = plan(gamma_forecast([10, 10], 5), supply_of(2), stock)
    assert found.order_quantity[0] == found.order_quantity[1]
    assert "stock not reported" in found.reason[1]
    assert "stock not reported" not in found.reason[0]


def test_series_that_are_not_planned_order_nothing_and_disturb_nobody(gamma_forecast, supply_of, stock_of):
    nothing = {name: [1.0, None] for name in ("unit_cost", "unit_price", "holding_cost", "shortage_cost", "lead_time")}
    supply = supply_of(2, **nothing, planned=[True, False])
    found = plan(gamma_forecast([10, 10], 5), supply, stock_of(2))
    assert found.order_quantity[1] == 0
    assert found.order_quantity[0] > 0


def test_costs_that_replace_the_unit_cost_are_enough(gamma_forecast, supply_of, stock_of):
    supply = supply_of(2, unit_cost=[None, None], unit_price=[None, None], shelf_life=[None, 3], lead_time=0)
    found = plan(gamma_forecast([10, 10], 5), supply, stock_of(2))
    assert found.order_quantity[1] < found.order_quantity[0]  # what is wasted costs as much as what is short


def test_a_price_lowers_orders_and_is_reported(gamma_forecast, supply_of, stock_of):
    forecast, supply, stock = gamma_forecast([10] * 3, 5), supply_of(3), stock_of(3)
    found = plan(forecast, supply, stock, price=np.array([0.0, 0.5, 1.0]))
    assert found.order_quantity[0] > found.order_quantity[1] > found.order_quantity[2] == 0
    assert found.shadow_price.tolist() == [0, 0.5, 1.0]
    assert "A limit binds" in found.reason[1]
    assert "others earn more" in found.reason[2]
    problem = order_problem(protect(forecast, supply), supply, stock, LOST)
    assert problem.carry.tolist() == [CARRY] * 3


def test_a_limit_that_leaves_room_for_a_part_of_an_order_is_said(gamma_forecast, supply_of, stock_of):
    forecast, supply, stock = gamma_forecast([10] * 2, 3), supply_of(2, lead_time=0, pack_size=[1, 24]), stock_of(2)
    problem = order_problem(protect(forecast, supply), supply, stock, LOST)
    found = problem.plan(np.array([1.5, 0.1]), np.array([4.0, 24.0]))  # the first is not worth its price, but fits
    assert found.reason[0].startswith("Order 4, what a limit leaves room for: ")
    assert found.reason[1].startswith("Order 24, in packs of 24 (")


def test_perishables_order_less_the_shorter_they_live(gamma_forecast, supply_of, stock_of):
    forecast = gamma_forecast([10] * 5, 8, horizon=12)
    supply = supply_of(5, shelf_life=[1, 2, 4, 8, None], lead_time=0)
    found = plan(forecast, supply, stock_of(5))
    assert (np.diff(found.order_quantity) >= 0).all()
    assert found.order_quantity[0] < found.order_quantity[2]
    assert found.order_quantity[3] == pytest.approx(found.order_quantity[4], abs=2)
    once = grid_quantile(*knots(forecast.levels, forecast.cumulative[:1, 0]), np.array([1 / (1 + 1 + 0.02)]))[0]
    assert found.order_quantity[0] == pytest.approx(once, abs=1)  # a full newsvendor: shortage 1, waste 1 + holding


def test_no_series_at_all_give_an_empty_plan(gamma_forecast, supply_of, stock_of):
    found = plan(gamma_forecast(np.empty(0), np.empty(0)), supply_of(0), stock_of(0))
    keys = pl.DataFrame({"sku": [], "location": []}, schema={"sku": pl.String, "location": pl.String})
    assert found.frame(keys).height == 0
    assert found.frame(keys).columns == [
        "sku", "location", "policy", "order_quantity", "order_up_to", "reorder_point", "safety_stock", "critical_ratio",
        "expected_demand", "expected_shortage", "expected_leftover", "expected_cost", "fill_rate", "shadow_price",
        "reason",
    ]  # fmt: skip
