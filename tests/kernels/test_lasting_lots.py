"""Whether an order that lasts for many cycles pays: against shops that live it."""

import numpy as np
import pytest

from fullshelf.kernels.lasting_lots import lasting_lots, lasting_offsets
from fullshelf.kernels.levels import level_array
from fullshelf.kernels.quantile_grid import knots

L = level_array()
ONE = np.ones(1)


def poisson_curve(mean):
    stats = pytest.importorskip("scipy.stats")
    return knots(L, stats.poisson.ppf(L, mean)[None])


def ordered(mean, lot, margin, holding, order_cost=0.0, stock=0.0, free=1.0, bare=False, lasting=True):
    levels, need = poisson_curve(mean)
    quantity, best = np.zeros(1), np.array([free])
    lasting_lots(
        levels, need - stock, need - stock, margin * ONE, holding * ONE, ONE, ONE, 0 * ONE, order_cost * ONE,
        mean * ONE * lasting, np.array([bare]), lot * ONE, lot * ONE, np.inf * ONE, best, quantity,
    )  # fmt: skip
    return quantity[0]


def profit_of_holding(mean, lot, margin, holding, order_cost=0.0, periods=400_000):
    """Profit per period of a shop that orders a lot for the next period whenever nothing is left."""
    demand = np.random.default_rng(3).poisson(mean, periods)
    left, profit = 0.0, 0.0
    for wanted in demand.tolist():
        if left <= 0:
            left += lot
            profit -= order_cost
        sold = min(left, wanted)
        left -= sold
        profit += margin * sold - holding * left
    return profit / periods


@pytest.mark.parametrize(("mean", "lot"), [(0.2, 12.0), (0.2, 48.0), (1.0, 12.0), (1.0, 48.0), (4.0, 60.0)])
@pytest.mark.parametrize("order_cost", [0.0, 3.0])
def test_a_lot_is_held_when_a_shop_that_holds_it_earns(mean, lot, order_cost):
    holding = 0.05
    break_even = holding * lot / (2 * mean) + order_cost / lot
    for margin, pays in ((1.25 * break_even, True), (0.75 * break_even, False)):
        assert (profit_of_holding(mean, lot, margin, holding, order_cost) > 0) == pays
        if order_cost / lot <= holding * lot / (2 * mean):  # a lot below the economic one is no run of its own
            assert (ordered(mean, lot, margin, holding, order_cost, bare=True) > 0) == pays


def test_one_waits_while_stock_lasts():
    terms = {"mean": 1.0, "lot": 24.0, "margin": 1.0, "holding": 0.05}
    found = [ordered(**terms, stock=stock) for stock in (0.0, 1.0, 2.0, 5.0)]
    assert found[0] == 24
    assert found == sorted(found, reverse=True)
    assert found[-1] == 0


def test_backorders_shelf_lives_and_promises_are_left_alone():
    assert ordered(1.0, 24.0, 1.0, 0.05, lasting=False) == 0


def test_the_slowest_movers_are_held_when_a_unit_earns_more_than_it_costs_to_keep():
    terms = {"mean": 0.004, "lot": 1.0, "holding": 0.002, "free": 0.0}
    assert ordered(**terms, margin=0.6, bare=True) == 1
    assert ordered(**terms, margin=0.4, bare=True) == 0
    assert ordered(**terms, margin=0.6, bare=False) == 0
    assert profit_of_holding(0.004, 1, 0.6, 0.002) > 0


def test_the_reorder_point_is_where_the_lot_begins_to_pay():
    levels, need = poisson_curve(3.0)
    terms = (2.0 * ONE, 0.05 * ONE, ONE, ONE, 0 * ONE, 0 * ONE, 3.0 * ONE)
    lot, free, offset = 100.0 * ONE, 6.0 * ONE, -94.0 * ONE
    lasting_offsets(levels, need, need, *terms, lot, lot, free, offset)
    assert 0 < offset[0] < 6
    for x, due in ((offset[0] - 0.05, True), (offset[0] + 0.05, False)):
        quantity = np.zeros(1)
        lasting_lots(
            levels, need - x, need - x, *terms, np.array([False]), lot, lot, np.inf * ONE, ONE.copy(), quantity
        )
        assert (quantity[0] > 0) == due
