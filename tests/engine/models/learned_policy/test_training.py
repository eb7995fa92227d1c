"""Training lowers the cost of a fixed instance, and the same seed gives the same weights."""

import dataclasses

import numpy as np
import pytest
import torch

from fullshelf.engine.models.learned_policy.instances import draw_instances, instances_of
from fullshelf.engine.models.learned_policy.network import OrderNetwork
from fullshelf.engine.models.learned_policy.training import WARM, Plan, held_back, relative_costs, train
from fullshelf.kernels.distributions import Demand
from fullshelf.kernels.levels import level_array

pytestmark = pytest.mark.usefixtures("one_torch_thread")

SHOPS, PERIODS = 128, WARM + 20


def geometric(seed, lead=3, mean=5.0, shortage=9.0):
    """The instance of Zipkin (2008) with geometric demand of mean 5 and p = 9, in many shops at once."""
    rng = np.random.default_rng(seed)
    demand = rng.geometric(1 / (1 + mean), (SHOPS, PERIODS)) - 1.0
    k = np.arange(1, lead + 2)[:, None]
    running = Demand.negative_binomial(k * mean, k * mean * (1 + mean)).quantile(level_array() - 1e-12)
    running = np.repeat(running[None], SHOPS, axis=0)
    single, ones = np.repeat(running[:, :1], lead + 1, axis=1), np.ones(SHOPS)
    return instances_of(
        demand, np.ones(demand.shape), ones * mean, single, running, ones, shortage * ones, np.ones(SHOPS, bool)
    )


def test_a_few_steps_on_one_instance_cost_less_than_the_formula_on_demand_not_trained_on():
    torch.manual_seed(0)
    network = OrderNetwork(8)
    optimizer = torch.optim.Adam(network.parameters(), 0.1)
    for step in range(6):
        relative_costs(geometric(step), network).mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    with torch.no_grad():
        ours, formula = (sum(float(relative_costs(geometric(s), n).mean()) for s in (99, 98)) for n in (network, None))
    assert ours < 0.995 * formula


def test_the_same_seed_gives_the_same_weights_and_another_others():
    plan = Plan(steps=1, instances=4)
    one, two, other = (train(dataclasses.replace(plan, seed=seed))[0].weights() for seed in (1, 1, 2))
    assert all((a == b).all() for a, b in zip(one, two, strict=True))
    assert (one.first != other.first).any()


def test_training_stops_where_it_is_told_to():
    asked = iter([False, True])
    _, steps = train(Plan(steps=9, instances=4), stop=lambda: next(asked))
    assert steps == 1


def test_a_network_that_corrects_nothing_costs_what_the_formula_does():
    torch.manual_seed(0)
    gains = held_back(OrderNetwork(), 0, instances=4, scored=3)
    assert len(gains) == 12
    assert all(gain.ratio == pytest.approx(1.0, abs=1e-6) for gain in gains)


@pytest.mark.parametrize("drifting", [False, True])
def test_forecasts_of_drawn_instances_cover_their_demand(drifting):
    given = draw_instances(0, 4, 2, 200, 60, drifting)
    upper = given.scale * given.single[:, 0, [11]]  # level 0.98
    assert np.mean(given.demand <= upper) == pytest.approx(0.98, abs=0.012)
    middle = given.scale * given.single[:, 0, [5]]
    assert np.mean(given.demand <= middle) == pytest.approx(0.55 if not drifting else 0.5, abs=0.07)
