"""Lot sizes against a fine search over all quantities, and what must hold for any costs."""

import numpy as np
import pytest
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as some

from fullshelf.kernels.eoq import cost_penalty, economic_order_quantity, lot_cost
from fullshelf.kernels.eoq_discounts import all_units_discount, incremental_discount
from fullshelf.kernels.eoq_supply import additive_yield, disruption_cost, multiplicative_yield, with_disruptions

amounts = some.floats(0.01, 1e5)


@settings(max_examples=40, deadline=None)
@given(
    setup=amounts,
    demand=amounts,
    holding=amounts,
    backorder=some.one_of(some.just(np.inf), amounts),
    faster=some.floats(1.01, 9),
)
def test_no_other_quantity_is_cheaper(setup, demand, holding, backorder, faster):
    options = {"backorder_cost": backorder, "production_rate": demand * faster}
    lot = economic_order_quantity(setup, demand, holding, **options)
    assert lot.cost == pytest.approx(lot_cost(lot.quantity, setup, demand, holding, **options), rel=1e-12)
    others = lot_cost(lot.quantity * np.array([0.5, 0.99, 1.01, 2.0]), setup, demand, holding, **options)
    assert (others > lot.cost).all()
    assert others[0] / lot.cost - 1 == pytest.approx(cost_penalty(0.5), rel=1e-9)
    assert lot.cycle == pytest.approx(lot.quantity / demand)
    more = economic_order_quantity(setup, demand * (1 + 0.9 * (faster - 1)), holding, **options)
    assert more.quantity >= lot.quantity


def test_backorders_split_a_cycle_where_it_costs_least():
    setup, demand, holding, backorder = 40.0, 2080.0, 40.05, 60.0

    def money(plan):
        quantity, waiting = plan
        stock = holding * quantity * (1 - waiting) ** 2 / 2
        return setup * demand / quantity + stock + backorder * quantity * waiting**2 / 2

    found = scipy.optimize.minimize(money, [80.0, 0.3], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12})
    lot = economic_order_quantity(setup, demand, holding, backorder_cost=backorder)
    assert [float(lot.quantity), float(lot.backordered)] == pytest.approx(list(found.x), rel=1e-6)
    assert lot.cost == pytest.approx(found.fun, rel=1e-12)


@settings(max_examples=60, deadline=None)
@given(
    setup=some.floats(0, 500),
    demand=some.floats(0.1, 900),
    holding=some.floats(0.01, 20),
    pack=some.integers(1, 90),
    moq=some.integers(0, 300),
)
def test_packs_and_least_orders_are_chosen_by_cost(setup, demand, holding, pack, moq):
    allowed = np.arange(pack, 12_000, pack, dtype=float)
    allowed = allowed[allowed >= moq]
    lot = economic_order_quantity(setup, demand, holding, pack_size=pack, moq=moq)
    assert lot.quantity % pack == 0
    assert lot.quantity >= moq
    assert lot.cost == pytest.approx(lot_cost(allowed, setup, demand, holding).min(), rel=1e-12)


def test_what_costs_nothing_is_ordered_never_or_all_at_once():
    lot = economic_order_quantity(
        [5.0, 0.0, 5.0, 0.0, -1.0, 5.0, 5.0],
        [9.0, 9.0, 0.0, 9.0, 9.0, -2.0, np.nan],
        [0.0, 2.0, 2.0, 0.0, 2.0, 2.0, 2.0],
    )
    np.testing.assert_array_equal(lot.quantity, [np.inf, 0.0, 0.0, np.nan, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(lot.cost, [0.0, 0.0, 0.0, np.nan, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(lot.cycle, [np.inf, 0.0, np.inf, np.nan, np.nan, np.nan, np.nan])
    slow = economic_order_quantity(5.0, 9.0, 1.0, production_rate=[8.0, 9.0, 10.0])
    assert np.isnan(slow.quantity[0])
    assert slow.quantity[1] == np.inf
    assert np.isnan(lot_cost(0.0, 5.0, 9.0, 1.0))
    assert np.isnan(cost_penalty(0.0))


def purchase(quantity, breaks, prices, incremental):
    """What a lot costs, unit by unit."""
    if not incremental:
        return quantity * prices[np.searchsorted(breaks, quantity, side="right") - 1]
    ends = np.append(breaks[1:], np.inf)
    return sum(
        price * max(min(quantity, end) - start, 0.0) for start, end, price in zip(breaks, ends, prices, strict=True)
    )


@settings(max_examples=60, deadline=None)
@given(
    data=some.data(),
    incremental=some.booleans(),
    pack=some.sampled_from([0, 0, 1, 7, 60]),
    moq=some.sampled_from([0, 0, 35]),
)
def test_discounted_lots_are_the_cheapest_of_all_quantities(data, incremental, pack, moq):
    regions = data.draw(some.integers(1, 5))
    steps = data.draw(some.lists(some.integers(1, 200), min_size=regions - 1, max_size=regions - 1))
    breaks = np.cumsum([0, *steps]).astype(float)
    prices = np.sort(data.draw(some.lists(some.floats(1, 10), min_size=regions, max_size=regions)))[::-1]
    setup, demand, rate = (data.draw(some.floats(*span)) for span in ((1, 300), (5, 2000), (0.05, 1)))
    solve = incremental_discount if incremental else all_units_discount
    lot = solve(setup, demand, rate, breaks, prices, pack_size=pack, moq=moq)

    def money(quantity):
        cost = purchase(quantity, breaks, prices, incremental)
        return cost * demand / quantity + setup * demand / quantity + rate * cost / 2

    assert lot.cost == pytest.approx(money(float(lot.quantity)), rel=1e-10)
    assert lot.region == np.searchsorted(breaks, lot.quantity, side="right") - 1
    allowed = np.arange(pack, 5000, pack) if pack else np.concatenate([np.geomspace(0.5, 5000, 600), breaks[1:]])
    others = [money(float(quantity)) for quantity in allowed if quantity >= moq]
    assert lot.cost <= min(others) * (1 + 1e-12)
    assert lot.quantity >= moq


def test_discount_tables_that_make_no_sense_answer_no_number():
    good = ([0.0, 10.0, 20.0], [3.0, 2.0, 1.0])
    tables = [
        good,
        ([5.0, 10.0, 20.0], good[1]),
        ([0.0, 20.0, 10.0], good[1]),
        (good[0], [3.0, 2.0, 2.5]),
        (good[0], [3.0, 2.0, 0.0]),
    ]
    lot = all_units_discount(8.0, 600.0, 0.2, [t[0] for t in tables], [t[1] for t in tables])
    assert np.isnan(lot.quantity).tolist() == [False, True, True, True, True]
    assert lot.region[1:].tolist() == [-1] * 4
    shorter = incremental_discount(8.0, [600.0, 0.0, -1.0], 0.2, [0.0, 10.0, np.nan], [3.0, 2.0, np.nan])
    assert shorter.region.tolist() == [1, 0, -1]
    assert shorter.quantity[1] == 0.0
    with pytest.raises(ValueError, match=r"same regions.*\(3,\) and \(2,\)"):
        all_units_discount(8.0, 600.0, 0.2, [0, 10, 20], [3, 2])


@settings(max_examples=30, deadline=None)
@given(
    setup=some.floats(0.1, 1e4),
    demand=some.floats(1, 1e4),
    holding=some.floats(0.01, 50),
    shortage=some.floats(0.01, 100),
    down=some.floats(0.0, 20),
    up=some.floats(0.5, 50),
)
def test_no_other_quantity_is_cheaper_under_disruptions(setup, demand, holding, shortage, down, up):
    arguments = (setup, demand, holding, shortage, down, up)
    quantity, cost = with_disruptions(*arguments)
    others = disruption_cost(quantity * np.geomspace(1e-3, 1e3, 301), *arguments)
    assert cost <= others.min() * (1 + 1e-12)


def test_a_supplier_that_never_fails_leaves_the_classic_lot():
    quantity, cost = with_disruptions(8.0, 1300.0, 0.225, 5.0, 0.0, 14.0)
    lot = economic_order_quantity(8.0, 1300.0, 0.225)
    assert quantity == pytest.approx(lot.quantity, rel=1e-9)
    assert cost == pytest.approx(lot.cost, rel=1e-12)
    assert np.isnan(with_disruptions(8.0, 1300.0, 0.225, 5.0, 1.0, [0.0, -1.0, np.nan])[0]).all()


def test_yield_lots_minimise_the_average_over_outcomes():
    rng = np.random.default_rng(2)
    share, added = rng.normal(0.8, 0.1, 100_000), rng.normal(-30.0, 40.0, 100_000)
    setup, demand, holding = 50.0, 900.0, 0.7
    for (quantity, cost), arriving in (
        (additive_yield(setup, demand, holding, added.mean(), added.std()), lambda q: q + added),
        (multiplicative_yield(setup, demand, holding, share.mean(), share.std()), lambda q: q * share),
    ):

        def money(q, arriving=arriving):
            lot = arriving(q)
            return (setup * demand + holding * (lot**2).mean() / 2) / lot.mean()

        assert cost == pytest.approx(money(quantity), rel=1e-9)
        assert cost < min(money(quantity * 1.02), money(quantity * 0.98))
    assert np.isnan(additive_yield(1.0, 1.0, [0.0, -1.0], 0.0, 1.0)[0]).all()
    assert np.isnan(multiplicative_yield(1.0, 1.0, 1.0, [0.0, -0.5], 0.1)[0]).all()
    assert additive_yield(1.0, 1.0, 2.0, 100.0, 1.0)[0] == 0.0


def test_a_least_order_beyond_all_counts_is_kept():
    for moq in (1e19, 1e25):
        assert economic_order_quantity(8, 1300, 0.225, pack_size=7, moq=moq).quantity == pytest.approx(moq)
        lot = all_units_discount(8, 1300, 0.3, [0, 400], [0.75, 0.72], pack_size=7, moq=moq)
        assert lot.quantity == pytest.approx(moq)
