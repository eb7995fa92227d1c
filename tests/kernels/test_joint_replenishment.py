"""Joint orders against enumeration of all multiples."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from fullshelf.kernels.eoq import economic_order_quantity
from fullshelf.kernels.joint_replenishment import joint_replenishment


def cost_of(shared, single, carry, multiples):
    """Cost per period at the best cycle."""
    return np.sqrt(2 * (shared + (single / multiples).sum()) * (carry * multiples).sum())


@settings(max_examples=40, deadline=None)
@given(
    shared=some.floats(1, 2000),
    single=some.lists(some.floats(0.5, 2000), min_size=3, max_size=3),
    carry=some.lists(some.floats(0.1, 500), min_size=3, max_size=3),
)
def test_the_exact_answer_is_the_best_of_all_multiples(shared, single, carry):
    single, carry = np.array(single), np.array(carry)
    best = joint_replenishment(shared, single, carry, np.ones(3), optimal=True)
    rule = joint_replenishment(shared, single, carry, np.ones(3))
    tried = [cost_of(shared, single, carry, np.array(m)) for m in itertools.product(range(1, 13), repeat=3)]
    assert best.cost <= min(tried) * (1 + 1e-12)
    assert best.cost == pytest.approx(cost_of(shared, single, carry, best.multiples), rel=1e-12)
    assert best.cost <= rule.cost * (1 + 1e-12)
    assert rule.cost == pytest.approx(cost_of(shared, single, carry, rule.multiples), rel=1e-12)
    assert best.quantities == pytest.approx(best.cycle * best.multiples)


def test_families_are_solved_side_by_side_and_shorter_ones_are_filled_up():
    nan = np.nan
    orders = joint_replenishment(
        [600.0, 600.0, 0.0, 600.0],
        [[120, 840, 300], [120, nan, 300], [120, 840, 300], [120, -840, 300]],
        [[160, 20, 50], [160, nan, 50], [160, 20, 50], [160, 20, 50]],
        [[1, 1, 1], [1, nan, 0], [1, 1, 1], [1, 1, 1]],
    )
    assert orders.multiples[0].tolist() == [1, 3, 1]
    assert orders.multiples[1].tolist() == [1, 0, 0]
    assert orders.quantities[1, 1:].tolist() == [0, 0]
    assert np.isnan(orders.cost).tolist() == [False, False, True, True]
    alone = joint_replenishment(600.0, [120.0], [160.0], [1.0])
    assert orders.cost[1] == pytest.approx(alone.cost) == pytest.approx(np.sqrt(2 * 720 * 160))


def test_single_numbers_are_no_family():
    with pytest.raises(ValueError, match="one entry for each item"):
        joint_replenishment(600.0, 1.0, 1.0, 1.0)


def test_twice_the_units_at_half_the_holding_cost_double_the_quantities():
    once = joint_replenishment(40.0, [15.0, 30.0], [0.24, 0.1], [860.0, 125.0], optimal=True)
    twice = joint_replenishment(40.0, [15.0, 30.0], [0.12, 0.05], [1720.0, 250.0], optimal=True)
    assert twice.quantities == pytest.approx(2 * once.quantities)
    assert twice.cost == pytest.approx(once.cost)


@settings(max_examples=40, deadline=None)
@given(
    shared=some.floats(1, 2000),
    single=some.lists(some.floats(0.5, 2000), min_size=3, max_size=3),
    demand=some.lists(some.floats(0.1, 50), min_size=3, max_size=3),
    moq=some.lists(some.sampled_from([0.0, 5.0, 80.0, 700.0]), min_size=3, max_size=3),
)
def test_with_least_orders_the_exact_answer_is_the_best_of_all_multiples_and_cycles(shared, single, demand, moq):
    single, demand, moq = np.array(single), np.array(demand), np.array(moq)
    best = joint_replenishment(shared, single, 2.0, demand, moq=moq, optimal=True)
    rule = joint_replenishment(shared, single, 2.0, demand, moq=moq)
    least = np.inf
    for m in itertools.product(range(1, 13), repeat=3):
        m = np.array(m)
        setup, weight = shared + (single / m).sum(), (2.0 * demand * m).sum()
        cycle = max(np.sqrt(2 * setup / weight), (moq / demand / m).max())
        least = min(least, setup / cycle + weight * cycle / 2)
    assert best.cost <= least * (1 + 1e-12)
    for orders in (best, rule):
        length = orders.cycle * orders.multiples
        paid = shared / orders.cycle + (single / length + demand * length).sum()
        assert orders.cost == pytest.approx(paid)
        assert (orders.quantities >= moq * (1 - 1e-9)).all()
    assert best.cost <= rule.cost * (1 + 1e-12)


def run(cycle, multiples, quantities, shared, single, holding, demand, pack, cycles):
    """Cost per period of ordering the fewest packs that last until the next order, cycle by cycle."""
    stock, paid, sizes = np.zeros(len(pack)), 0.0, [set() for _ in pack]
    for t in range(cycles):
        paid += shared
        for n in range(len(pack)):
            if t % multiples[n] == 0:
                need = demand[n] * multiples[n] * cycle
                order = np.ceil((need - stock[n]) / pack[n] - 1e-7) * pack[n]
                stock[n] += order
                sizes[n].add(order)
                paid += single[n]
            after = stock[n] - demand[n] * cycle
            paid += holding[n] * cycle * (stock[n] + after) / 2
            stock[n] = max(after, 0.0)
    assert [max(size) for size in sizes] == pytest.approx(quantities)
    return paid / (cycles * cycle), [min(size) for size in sizes]


@settings(max_examples=12, deadline=None)
@given(
    pack=some.lists(some.sampled_from([1.0, 6.0, 48.0]), min_size=2, max_size=2),
    demand=some.lists(some.floats(2, 30), min_size=2, max_size=2),
    moq=some.sampled_from([0.0, 20.0, 100.0]),
    optimal=some.booleans(),
)
def test_with_packs_the_cost_is_what_a_run_of_many_cycles_comes_to(pack, demand, moq, optimal):
    single, holding = [40.0, 300.0], [0.5, 2.0]
    orders = joint_replenishment(150.0, single, holding, demand, pack_size=pack, moq=moq, optimal=optimal)
    shown = orders.cycle, orders.multiples, orders.quantities
    cycles = int(orders.multiples.max()) * 300
    paid, smallest = run(*shown, 150.0, single, holding, demand, pack, cycles)
    assert orders.cost == pytest.approx(paid, rel=1e-2)
    assert np.allclose(orders.quantities % pack, 0)
    assert min(smallest) >= moq
    free = joint_replenishment(150.0, single, holding, demand, moq=moq, optimal=True)
    assert orders.cost >= free.cost * (1 - 1e-12)
    better = joint_replenishment(150.0, single, holding, demand, pack_size=pack, moq=moq, optimal=True)
    assert better.cost <= orders.cost * (1 + 1e-12)


def test_packs_of_one_item_alone_are_those_of_the_economic_order_quantity():
    for pack, moq in [(7.0, 0.0), (400.0, 0.0), (48.0, 500.0)]:
        alone = economic_order_quantity(8.0, 1300.0, 0.225, pack_size=pack, moq=moq)
        family = joint_replenishment(5.0, [3.0], [0.225], [1300.0], pack_size=pack, moq=moq, optimal=True)
        assert family.quantities[0] == pytest.approx(alone.quantity)
        assert family.cost == pytest.approx(alone.cost)


def test_a_pack_or_least_order_that_makes_no_sense_spoils_its_family_alone():
    orders = joint_replenishment(600.0, [[120, 840]] * 3, 20.0, 1.0, pack_size=[[1, 1], [-1, 1], [1, np.nan]], moq=0.0)
    assert np.isnan(orders.cost).tolist() == [False, True, True]
