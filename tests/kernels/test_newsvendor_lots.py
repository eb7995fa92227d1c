"""Packs, least orders and order costs against enumeration of every allowed order."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from fullshelf.kernels import newsvendor
from fullshelf.kernels.distributions import Demand
from fullshelf.kernels.empirical_demand import EmpiricalDemand

MAKERS = {
    "poisson": lambda mean: Demand.poisson(mean),
    "negative binomial": lambda mean: Demand.negative_binomial(mean, 2.5 * mean),
    "normal": lambda mean: Demand.normal(mean, 0.4 * mean),
}


@settings(max_examples=60, deadline=None)
@given(
    family=some.sampled_from(sorted(MAKERS)),
    mean=some.floats(0.05, 80.0),
    under=some.floats(0.1, 50.0),
    over=some.floats(0.1, 5.0),
    position=some.integers(-10, 60),
    order_cost=some.sampled_from([0.0, 1.0, 15.0]),
    pack=some.integers(1, 40),
    moq=some.integers(0, 100),
    room=some.sampled_from([np.inf, 30.0, 75.5]),
)
def test_the_order_is_the_cheapest_of_all_that_are_allowed(
    family, mean, under, over, position, order_cost, pack, moq, room
):
    demand = MAKERS[family](mean)
    allowed = [0, *(n for n in range(pack, 700, pack) if n >= moq and position + n <= room)]
    cost = newsvendor.cost(demand, position + np.array(allowed, dtype=float), under, over)
    cost = cost + np.where(np.array(allowed) > 0, order_cost, 0.0)
    answer = newsvendor.lot_order(
        demand,
        under,
        over,
        inventory_position=position,
        order_cost=order_cost,
        pack_size=pack,
        moq=moq,
        max_stock=room,
    )
    assert answer.order_quantity in allowed
    assert answer.cost == pytest.approx(cost.min(), rel=1e-10, abs=1e-10)
    assert answer.saving == pytest.approx(cost[0] - cost.min(), rel=1e-8, abs=1e-8)
    assert answer.expected_shortage == pytest.approx(demand.loss(position + answer.order_quantity), abs=1e-12)


def test_a_pack_of_zero_lets_any_quantity_be_ordered():
    demand = Demand.normal(50.0, 8.0)
    best = newsvendor.normal(50.0, 8.0, 3.0, 1.0).quantity
    free = newsvendor.lot_order(demand, 3.0, 1.0, inventory_position=10.0, pack_size=0.0)
    assert free.order_quantity == pytest.approx(best - 10.0, rel=1e-14)
    least = newsvendor.lot_order(demand, 3.0, 1.0, inventory_position=50.0, pack_size=0.0, moq=6.5)
    assert least.order_quantity == 6.5
    capped = newsvendor.lot_order(demand, 3.0, 1.0, pack_size=0.0, max_stock=20.0)
    assert capped.order_quantity == 20.0


def test_huge_packs_are_left_alone_and_an_endless_wish_fills_the_room():
    assert newsvendor.lot_order(Demand.poisson(3.0), 4.0, 1.0, pack_size=1e12).order_quantity == 0.0
    assert newsvendor.lot_order(Demand.poisson(3.0), 4.0, 0.0, pack_size=6, max_stock=40).order_quantity == 36.0


def test_impossible_lots_answer_no_number_and_harm_no_neighbour():
    answer = newsvendor.lot_order(
        Demand.poisson(20.0),
        [9.0, -1.0, 9.0, 9.0, 9.0, 0.0],
        [1.0, 1.0, 1.0, 1.0, 1.0, 0.0],
        pack_size=[1.0, 1.0, -2.0, 1.0, 1.0, 1.0],
        moq=[0.0, 0.0, 0.0, -1.0, 0.0, 0.0],
        order_cost=[0.0, 0.0, 0.0, 0.0, -1.0, 0.0],
    )
    assert np.isnan(answer.order_quantity).tolist() == [False, True, True, True, True, True]


@settings(max_examples=40, deadline=None)
@given(
    mean=some.floats(0.1, 200.0),
    under=some.floats(0.5, 50.0),
    over=some.floats(0.1, 5.0),
    fixed=some.floats(0.01, 80.0),
)
def test_below_the_reorder_point_an_order_pays_and_above_it_does_not(mean, under, over, fixed):
    for family, make in MAKERS.items():
        demand = make(mean)
        levels = newsvendor.order_levels(demand, under, over, fixed)
        assert levels.order_up_to == pytest.approx(newsvendor.optimal(demand, under, over).quantity, rel=1e-12)
        assert levels.reorder_point <= levels.order_up_to + 1e-9
        threshold = newsvendor.cost(demand, levels.order_up_to, under, over) + fixed
        at = newsvendor.cost(demand, levels.reorder_point, under, over)
        if family == "normal":
            assert at == pytest.approx(threshold, rel=1e-9)
        else:
            assert at > threshold * (1 - 1e-12)
            assert newsvendor.cost(demand, levels.reorder_point + 1, under, over) <= threshold * (1 + 1e-12)


def test_shortages_that_cost_nothing_are_never_ordered_for():
    levels = newsvendor.order_levels(Demand.poisson([4.0, 4.0]), [0.0, 3.0], 1.0, 2.0)
    assert levels.reorder_point[0] == -np.inf
    assert np.isnan(newsvendor.order_levels(Demand.poisson(4.0), 1.0, -1.0, 2.0).reorder_point)


@pytest.mark.parametrize("order_cost", [0.0, 5.0, np.inf])
def test_stock_that_costs_nothing_to_hold_is_ordered_without_end_where_the_order_pays(order_cost):
    for demand in (Demand.poisson(20), Demand.normal(20, 5), Demand.gamma(20, 20)):
        levels = newsvendor.order_levels(demand, 1.0, 0.0, order_cost)
        assert levels.order_up_to == np.inf
        if 0.0 < order_cost < np.inf:  # G(s) = E[(X - s)+] there
            s = levels.reorder_point
            if demand.discrete:
                assert demand.loss(s) > order_cost >= demand.loss(s + 1)
            else:
                assert demand.loss(s) == pytest.approx(order_cost)
        else:
            assert levels.reorder_point == (np.inf if order_cost == 0 else -np.inf)


@pytest.mark.parametrize("moq", [1e19, 1e25, 1e300])
def test_a_least_order_beyond_all_counts_is_not_ordered(moq):
    assert newsvendor.lot_order(Demand.poisson(20), 9, 1, moq=moq, pack_size=7).order_quantity == 0


@pytest.mark.parametrize("demand", [Demand.uniform(10.0, 30.0), EmpiricalDemand.samples([18.0, 20.0, 22.0])])
def test_endless_stock_that_costs_nothing_to_hold_needs_no_order(demand):
    answer = newsvendor.lot_order(demand, 9.0, 0.0, inventory_position=np.inf)
    assert (float(answer.order_quantity), float(answer.cost)) == (0.0, 0.0)
    assert np.isnan(newsvendor.lot_order(demand, 9.0, 0.0, inventory_position=np.nan).order_quantity)
