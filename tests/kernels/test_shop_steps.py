"""Living in steps is the same as living at once."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fullshelf.kernels.policies import given_orders
from fullshelf.kernels.shop_steps import SUMS, live_on, put_on_shelf
from fullshelf.kernels.simulation import Start, Supply, simulate


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), backorder=st.booleans(), step=st.integers(1, 6))
def test_steps_add_up_to_the_simulation_of_all_periods(seed: int, backorder: bool, step: int) -> None:
    random = np.random.default_rng(seed)
    S, T = 5, 12
    demand = random.poisson(4, (S, T)).astype(np.float64)
    lead, life = random.integers(0, 4, S), random.integers(0, 5, S)
    orders = random.poisson(4, (S, T)).astype(np.float64)
    hand = random.integers(0, 12, S).astype(np.float64)
    whole = simulate(
        demand,
        given_orders(orders),
        Supply(1.0, 1.0, lead_time=lead, shelf_life=np.where(life == 0, np.inf, life)),
        Start(on_hand=hand),
        stockout="backorder" if backorder else "lost",
    )
    shelves, owed, pipeline = np.zeros((S, 6)), np.zeros(S), np.zeros((S, 10))
    put_on_shelf(hand, np.arange(S), life, shelves)
    total = np.zeros((S, len(SUMS)))
    for begin in range(0, T, step):
        end = min(begin + step, T)
        for t in range(begin, end):  # an order of a later period of this step arrives so much later
            pipeline[np.arange(S), lead + t - begin] += orders[:, t]
        sums = np.empty((S, len(SUMS)))
        live_on(demand[:, begin:end].copy(), life, backorder, shelves, owed, pipeline, sums)
        total += sums
    found = dict(zip(SUMS, total.T, strict=True))
    for name in ("demand", "sold", "short", "wasted", "orders", "stock_outs"):
        np.testing.assert_allclose(found[name], getattr(whole, name), err_msg=name)
    np.testing.assert_allclose(found["left"], whole.mean_on_hand * T)
    np.testing.assert_allclose(shelves.sum(1), whole.end_on_hand)
    np.testing.assert_allclose(owed, whole.end_backorders)


@pytest.mark.parametrize("backorder", [False, True])
def test_a_long_step_is_many_short_ones(backorder: bool) -> None:
    random = np.random.default_rng(3)
    S, E = 7, 9
    demand, life = random.poisson(3, (S, E)).astype(np.float64), np.array([0, 1, 2, 3, 4, 5, 0])
    states = [(np.ones((S, 6)) * (np.arange(6) < 3), np.zeros(S), random.poisson(2, (S, 12)) * 1.0)]
    states.append(tuple(a.copy() for a in states[0]))
    whole, parts = np.empty((S, len(SUMS))), np.zeros((S, len(SUMS)))
    live_on(demand, life, backorder, *states[0], whole)
    for t in range(E):
        sums = np.empty((S, len(SUMS)))
        live_on(demand[:, t : t + 1].copy(), life, backorder, *states[1], sums)
        parts += sums
    np.testing.assert_allclose(whole, parts)
    for a, b in zip(*states, strict=True):
        np.testing.assert_allclose(a, b)
