import numpy as np
import pytest

from fullshelf.engine.stock_position import overdue, stock_position


def test_dated_arrivals_win_over_their_sum_and_are_sorted(stock_of):
    stock = stock_of(2, on_hand=[3, 4], on_order=[99, 0], backorders=[1, 0], arrivals=[[(2, 5), (1, 7)], []])
    position = stock_position(stock, np.array([2, 2]))
    assert position.offsets.tolist() == [0, 2, 2]
    assert position.steps.tolist() == [1, 2]
    assert position.units.tolist() == [7, 5]
    assert position.on_order.tolist() == [12, 0]
    assert position.inventory_position.tolist() == [14, 4]


def test_undated_orders_come_in_equal_parts_within_the_lead_time(stock_of):
    position = stock_position(stock_of(2, on_order=[12, 5]), np.array([3, 0]))
    assert position.steps.tolist() == [1, 2, 3, 1]
    assert position.units.tolist() == [4, 4, 4, 5]


def test_overdue_arrivals_are_expected_next(stock_of):
    position = stock_position(stock_of(1, arrivals=[[(-3, 5), (0, 2)]]), np.array([2]))
    assert position.steps.tolist() == [1, 1]
    assert position.on_order.tolist() == [7]


def test_what_should_have_come_by_now_is_counted(stock_of):
    stock = stock_of(3, arrivals=[[(-3, 5), (0, 2), (1, 9)], [(2, 4)], []])
    assert overdue(stock).to_list() == [7, 0, 0]
    assert overdue(stock_of(0)).len() == 0


def test_sums_do_not_depend_on_neighbours(stock_of):
    rng = np.random.default_rng(1)
    lists = [[(1, u) for u in rng.random(5)] for _ in range(50)]
    all_at_once = stock_position(stock_of(50, arrivals=lists), np.ones(50, int)).on_order
    assert [stock_position(stock_of(1, arrivals=[own]), np.ones(1, int)).on_order[0] for own in lists] == list(
        all_at_once
    )


def test_no_series_and_nulls_are_no_trouble(stock_of):
    assert stock_position(stock_of(0), np.empty(0, int)).on_order.size == 0
    position = stock_position(stock_of(1, on_hand=[None], on_order=[None], backorders=[None]), np.array([1]))
    assert position.inventory_position[0] == pytest.approx(0)
