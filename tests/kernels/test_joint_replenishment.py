"""Joint orders against enumeration of all multiples."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

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
