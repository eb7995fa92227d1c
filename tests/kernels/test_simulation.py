import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fullshelf.kernels.policies import given_orders, order_up_to, reorder_quantity, reorder_up_to, waste_aware
from fullshelf.kernels.simulation import Simulation, Start, Supply, simulate

SHARED = Path(__file__).parents[3] / "shared"


def lived(demand, level, supply, hand, arrivals, backorder, lifo, point=None, quantity=0.0, most=np.inf, expected=0.0):
    """One SKU, told with a list of [last period of sale, units]; base stock unless a point is given."""
    lead, review, life = supply["lead_time"], supply["review_period"], supply["shelf_life"]
    batches = [[life - 1 if np.isfinite(life) else np.inf, hand]] if life > 1 else []
    due = {p + 1: units for p, units in enumerate(arrivals)}
    owed, rows, costs = 0.0, [], 0.0
    booked: dict[int, float] = {}
    for p in range(1, len(demand) + 1):
        order = 0.0
        if (p - 1) % review == 0:
            position = sum(u for _, u in batches) + sum(u for q, u in due.items() if q >= p) - owed
            if expected and np.isfinite(life):
                shelf = [list(batch) for batch in batches]
                for q in range(p, p + lead + review - 1):
                    shelf.append([q + life - 1, due.get(q, 0.0)])
                    take(shelf, expected, lifo)
                    position -= sum(u for last, u in shelf if last == q)
                    shelf = [batch for batch in shelf if batch[0] > q]
            trigger = level if point is None else point
            if position <= trigger:
                order = (np.floor((trigger - position) / quantity) + 1) * quantity if quantity else level - position
                order = min(max(order, 0), most)
            order = np.floor(order + 0.5)
            if order > 0:
                order = max(order, supply["moq"])
                order = np.ceil(order / supply["pack_size"] - 1e-9) * supply["pack_size"]
                due[p + lead] = due.get(p + lead, 0.0) + order
                booked[p + lead] = supply["order_cost"]
        batches.append([p + life - 1, due.get(p, 0.0)])
        need = take(batches, demand[p - 1] + owed, lifo)
        sold, owed = max(demand[p - 1] - need, 0), need if backorder else 0.0
        wasted = sum(u for last, u in batches if last == p)
        batches = [batch for batch in batches if batch[0] > p]
        left = sum(u for _, u in batches)
        rows.append((order, left, sold, need, wasted))
        costs += supply["holding_cost"] * left + supply["shortage_cost"] * need + supply["waste_cost"] * wasted
        costs += booked.get(p, 0.0)
    return np.array(rows).T, costs


def take(batches, need, lifo) -> float:
    for batch in sorted(batches, key=lambda batch: batch[0], reverse=lifo):
        taken = min(batch[1], need)
        batch[1] -= taken
        need -= taken
    return need


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_it_lives_as_the_plain_story_says(seed: int) -> None:
    draw = np.random.default_rng(seed)
    T = 30
    demand = draw.integers(0, 9, T).astype(float)
    supply = {
        "holding_cost": 0.5, "shortage_cost": 4.0, "waste_cost": 2.0, "order_cost": 3.0,
        "lead_time": int(draw.integers(0, 4)), "review_period": int(draw.integers(1, 4)),
        "shelf_life": float(draw.choice([1, 2, 3, 6, np.inf])), "pack_size": float(draw.choice([1, 5])),
        "moq": float(draw.choice([0, 7])),
    }  # fmt: skip
    level, most, hand = float(draw.integers(1, 40)), float(draw.choice([np.inf, 11])), float(draw.integers(0, 12))
    arrivals = draw.integers(0, 6, 3).astype(float)
    kind = draw.choice(["up_to", "min_max", "quantity", "waste_aware"])
    point = float(draw.integers(0, 15))
    policy, how = {
        "up_to": (order_up_to(level, most), {"most": most}),
        "min_max": (reorder_up_to(point, level, most), {"point": point, "most": most}),
        "quantity": (reorder_quantity(point, 6), {"point": point, "quantity": 6}),
        "waste_aware": (waste_aware(level, 4.0), {"expected": 4.0}),
    }[kind]
    backorder, lifo = bool(draw.integers(2)), bool(draw.integers(2))
    run = simulate(
        demand,
        policy,
        Supply(**supply),
        Start(on_hand=hand, arrivals=arrivals),
        stockout="backorder" if backorder else "lost",
        issuing="lifo" if lifo else "fifo",
        trace=True,
    )
    rows, cost = lived(demand, level, supply, hand, arrivals, backorder, lifo, **how)
    assert run.trace is not None
    lines = run.trace.ordered, run.trace.on_hand, run.trace.sold, run.trace.short, run.trace.wasted
    np.testing.assert_allclose([line[0] for line in lines], rows, atol=1e-9)
    assert run.cost[0] == pytest.approx(cost, rel=1e-12)
    balance(run, hand if supply["shelf_life"] > 1 else 0.0, arrivals.sum(), backorder)


def balance(run: Simulation, hand: float, under_way: float, backorder: bool) -> None:
    """Units are neither made nor lost."""
    assert run.trace is not None
    ordered = run.trace.ordered[0].sum()
    assert run.arrived[0] + run.end_on_order[0] == pytest.approx(under_way + ordered)
    served = run.demand[0] - run.end_backorders[0] - (0 if backorder else run.short[0])
    assert hand + run.arrived[0] == pytest.approx(served + run.wasted[0] + run.end_on_hand[0])


def test_doubling_all_units_doubles_the_costs() -> None:
    draw = np.random.default_rng(1)
    demand = draw.poisson(4, (50, 60)).astype(float)
    supply = Supply(1, 9, waste_cost=3, lead_time=2, shelf_life=4, pack_size=0)
    once, twice = (simulate(k * demand, order_up_to(k * 14.0), supply) for k in (1, 2))
    np.testing.assert_allclose(twice.cost, 2 * once.cost, rtol=1e-12)


def test_a_sku_is_the_same_alone_shuffled_and_on_any_number_of_threads() -> None:
    draw = np.random.default_rng(2)
    demand = draw.poisson(3, (300, 40)).astype(np.float32)
    lead, level, life = draw.integers(0, 5, 300), draw.integers(3, 30, 300), draw.choice([2, 5, np.inf], 300)

    def run(rows, parallel: bool):
        supply = Supply(1, 9, 2, 3, lead[rows], shelf_life=life[rows])
        return simulate(demand[rows], order_up_to(level[rows]), supply, parallel=parallel).cost

    together, order = run(slice(None), True), draw.permutation(300)
    np.testing.assert_array_equal(run(order, False), together[order])
    np.testing.assert_array_equal(run(slice(7, 8), False), together[7:8])


def test_only_the_scored_periods_count_and_an_order_is_paid_for_when_it_arrives() -> None:
    supply = Supply(1, 10, order_cost=100, lead_time=1)
    run = simulate([1, 1, 1, 1, 1], given_orders([[5, 0, 0, 4, 0]]), supply, Start(on_hand=1), score_from=2, score_to=4)
    # The 5 arrive at the start of period 2, the 4 at the start of period 5.
    assert run.order_cost.tolist() == [100]
    assert run.orders.tolist() == [1]
    assert run.holding_cost.tolist() == [4 + 3 + 2]
    assert run.demand.tolist() == [3]
    assert run.mean_on_hand.tolist() == [3]
    assert run.end_on_hand.tolist() == [5]


def test_levels_may_change_from_period_to_period() -> None:
    levels = np.array([[5.0, 0.0, 9.0, 0.0]])
    run = simulate([1, 1, 1, 1], order_up_to(levels), Supply(1, 9), trace=True)
    assert run.trace is not None
    assert run.trace.ordered.tolist() == [[5, 0, 6, 0]]


def test_demand_that_is_not_known_gives_nan_for_that_sku_alone() -> None:
    run = simulate([[1, np.nan, 1], [1, 1, 1]], order_up_to(2), Supply(1, 9), trace=True)
    assert run.trace is not None
    assert np.isnan(run.cost).tolist() == [True, False]
    assert np.isnan(run.trace.on_hand).tolist() == [[True] * 3, [False] * 3]


def test_no_demand_has_no_fill_rate() -> None:
    run = simulate(np.zeros((1, 4)), order_up_to(0), Supply(1, 9))
    assert np.isnan(run.fill_rate[0])
    assert run.cycle_service[0] == 1


def test_stock_at_the_start_may_be_given_by_its_remaining_life() -> None:
    start = Start(on_hand_by_life=[[2, 0, 3]])
    run = simulate([1, 1, 1], order_up_to(0), Supply(1, 9, waste_cost=1, shelf_life=3), start, trace=True)
    assert run.trace is not None
    assert run.trace.wasted.tolist() == [[1, 0, 1]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lead_time": 1.5}, "lead_time of SKU 0 is 1.5; expected a whole number of at least 0"),
        ({"shelf_life": 0}, "shelf_life of SKU 0 is 0.0"),
        ({"review_period": [1, 0]}, "review_period of SKU 1"),
        ({"holding_cost": np.nan}, "holding_cost of SKU 0 is nan"),
        ({"order_cost": [1, 2, 3]}, r"order_cost must be a scalar or \(2,\)"),
    ],
)
def test_a_supply_that_cannot_be_is_named(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        simulate(np.ones((2, 3)), order_up_to(2), Supply(**({"holding_cost": 1, "shortage_cost": 2} | change)))


def test_calls_that_make_no_sense_are_refused() -> None:
    demand, supply = np.ones((2, 3)), Supply(1, 2)
    with pytest.raises(ValueError, match=r"1 … 3 in this order, got 3 and 2"):
        simulate(demand, order_up_to(1), supply, score_from=3, score_to=2)
    with pytest.raises(ValueError, match="reorder_point has NaN"):
        simulate(demand, order_up_to(np.nan), supply)
    with pytest.raises(ValueError, match="live longer than its shelf life"):
        simulate(demand, order_up_to(1), Supply(1, 2, shelf_life=2), Start(on_hand_by_life=[[0, 0, 1]] * 2))
    with pytest.raises(ValueError, match="orders must be finite"):
        simulate(demand, given_orders(-np.ones((2, 3))), supply)


def replay_tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("replay", SHARED / "tools" / "replay.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["replay"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.shared
@pytest.mark.parametrize("name", ["fresh_daily", "giftware_weekly", "m5_weekly"])
def test_it_counts_what_the_replay_of_a_scenario_counts(name: str) -> None:
    folder = SHARED / "scenarios" / name
    if not folder.exists():
        pytest.skip(f"{folder} is absent: the scenarios are not part of the repository")
    tool = replay_tool()
    sc = tool.Scenario(folder)
    start, orders = tool.Shop(sc), np.zeros((len(sc.series), sc.periods))

    def moving_average(shop, p: int):
        position = shop.layers.sum(1) + shop.pipeline[:, p + 1 :].sum(1) - shop.owed
        mean = np.nan_to_num(np.nanmean(np.nan_to_num(sc.seen[:, sc.now + p - 12 : sc.now + p + 1]), axis=1))
        orders[:, p] = sc.whole_lots(mean * (sc.lead + sc.review) - position)
        return orders[:, p]

    shelf, coming = start.layers.copy(), start.pipeline[:, 1:].copy()
    told = tool.replay(sc, moving_average, "demand", tool.Counter())
    supply = Supply(sc.hold, sc.short, sc.setup, sc.waste, sc.lead, shelf_life=sc.life)
    demand = sc.future[:, sc.now + 1 : sc.now + 1 + sc.periods]
    begin = Start(on_hand_by_life=shelf[:, :-1]) if np.isfinite(sc.life).any() else Start(on_hand=shelf[:, -1])
    begin = Start(begin.on_hand, begin.on_hand_by_life, coming, start.owed)
    run = simulate(demand, given_orders(orders), supply, begin, trace=True)
    assert run.trace is not None
    np.testing.assert_allclose(run.trace.on_hand.sum(0), told["left"].to_numpy(), rtol=1e-9)
    np.testing.assert_allclose(run.trace.short.sum(0), told["short"].to_numpy(), rtol=1e-9)
    np.testing.assert_allclose(run.trace.wasted.sum(0), told["wasted"].to_numpy(), rtol=1e-9, atol=1e-6)
    assert run.cost.sum() == pytest.approx(told["cost"].sum(), rel=1e-9)
