"""The shop through which gradients pass counts what `kernels.simulation` counts."""

import numpy as np
import pytest
import torch

from fullshelf.engine.models.learned_policy.simulator import simulated_costs
from fullshelf.kernels.policies import given_orders, order_up_to
from fullshelf.kernels.simulation import Start, Supply, simulate

pytestmark = pytest.mark.usefixtures("one_torch_thread")

S, T = 20, 30


def drawn(lead):
    rng = np.random.default_rng(lead)
    return {
        "demand": rng.poisson(4.0, (S, T)).astype(float), "holding": rng.uniform(0.5, 2, S),
        "shortage": rng.uniform(2, 20, S), "on_hand": rng.integers(0, 9, S).astype(float),
        "coming": rng.integers(0, 6, (S, lead)).astype(float),
    }  # fmt: skip


def lived(policy, given, lead, backorders, whole=None):
    orders = []
    tensors = {name: torch.as_tensor(value) for name, value in given.items()}
    costs = simulated_costs(
        policy, scale=torch.ones(S, T), lead=lead, whole=whole, backorders=backorders, orders=orders, **tensors
    )
    return costs, torch.stack(orders, 1)


def theirs(policy, given, lead, backorders):
    supply = Supply(given["holding"], given["shortage"], lead_time=lead)
    start = Start(on_hand=given["on_hand"], arrivals=given["coming"])
    stockout = "backorder" if backorders else "lost"
    return simulate(given["demand"], policy, supply, start, stockout=stockout, trace=True)


@pytest.mark.parametrize("backorders", [False, True])
@pytest.mark.parametrize("lead", [1, 2, 5])
def test_the_same_orders_cost_the_same_in_every_period(lead, backorders):
    given = drawn(lead)
    rng = np.random.default_rng(7)
    orders = rng.integers(0, 9, (S, T)).astype(float)
    placed = iter(torch.as_tensor(orders).unbind(1))
    costs, _ = lived(lambda *_: next(placed), given, lead, backorders)
    trace = theirs(given_orders(orders), given, lead, backorders).trace
    expected = given["holding"][:, None] * trace.on_hand + given["shortage"][:, None] * trace.short
    np.testing.assert_allclose(costs.numpy(), expected, atol=1e-9)


@pytest.mark.parametrize("backorders", [False, True])
def test_a_policy_sees_the_same_stock_and_places_the_same_orders(backorders):
    given, lead = drawn(3), 3
    run = theirs(order_up_to(18.4), given, lead, backorders)
    _, orders = lived(
        lambda stock, way, _: (18.4 - stock - way.sum(1)).clamp_min(0.0), given, lead, backorders,
        whole=torch.ones(S, dtype=torch.bool),
    )  # fmt: skip
    np.testing.assert_array_equal(orders.numpy(), run.trace.ordered)


def test_the_gradient_is_the_slope_of_the_cost():
    given, lead, step = drawn(2), 2, 1e-6
    given["demand"] += 0.31  # no stock ends at exactly 0, where the slopes on both sides differ

    def total(level):
        policy = lambda stock, way, _: (level - stock - way.sum(1)).clamp_min(0.0)  # noqa: E731
        return lived(policy, given, lead, backorders=False)[0].sum()

    level = torch.tensor(14.37, dtype=torch.float64, requires_grad=True)
    total(level).backward()
    slope = (total(14.37 + step) - total(14.37 - step)) / (2 * step)
    assert float(level.grad) == pytest.approx(float(slope), rel=1e-6)
