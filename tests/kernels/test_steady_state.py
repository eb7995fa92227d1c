"""Long-run figures of base-stock levels against a simulated shop, and of random lead times against their mixture."""

import numpy as np
import pytest

from fullshelf.kernels.base_stock import random_lead_time
from fullshelf.kernels.distributions import Demand
from fullshelf.kernels.policies import order_up_to
from fullshelf.kernels.simulation import Start, Supply, simulate
from fullshelf.kernels.steady_state import steady_state, steady_state_of_random_lead_time


@pytest.mark.parametrize(("lead_time", "review", "level"), [(0, 1, 7), (2, 1, 15), (0, 3, 16), (2, 4, 30), (5, 2, 40)])
def test_a_long_simulation_lives_what_the_level_promises(lead_time, review, level):
    paths = np.random.default_rng(7).poisson(5.0, (64, 6000)).astype(float)
    supply = Supply(1.0, 1.0, lead_time=lead_time, review_period=review)
    lived = simulate(paths, order_up_to(level), supply, Start(level), stockout="backorder", score_from=101, trace=True)
    found = steady_state(Demand.poisson(5.0), lead_time, level, review_period=review)
    held, owed = lived.trace.on_hand[:, 100:], lived.trace.short[:, 100:]
    assert held.mean() == pytest.approx(found.expected_leftover, rel=0.01)
    assert owed.mean() == pytest.approx(found.expected_shortage, rel=0.03, abs=2e-3)
    assert lived.fill_rate.mean() == pytest.approx(found.fill_rate, abs=4e-3)
    ends = (np.arange(100, 6000) - lead_time) % review == review - 1  # the last period before each delivery
    assert (owed[:, ends] == 0).mean() == pytest.approx(found.cycle_service, abs=0.01)


def test_random_lead_times_mix_and_one_of_them_alone_is_fixed():
    demand, times, weights = Demand.poisson([0.8, 3.0]), [2, 6], [0.25, 0.75]
    best = random_lead_time(demand, times, weights, 1.0, 9.0, review_period=1)
    found = steady_state_of_random_lead_time(demand, times, weights, best.order_up_to)
    assert found.expected_shortage == pytest.approx(best.expected_shortage, rel=1e-9)
    assert found.expected_leftover == pytest.approx(best.expected_leftover, rel=1e-9)
    sure = steady_state_of_random_lead_time(demand, times, [[0.0, 1.0], [1.0, 0.0]], 12, review_period=3)
    fixed = steady_state(demand, [6, 2], 12, review_period=3)
    assert sure.fill_rate == pytest.approx(fixed.fill_rate)
    assert sure.cycle_service == pytest.approx(fixed.cycle_service)


def test_impossible_times_answer_no_number_and_a_mixture_must_sum_to_one():
    found = steady_state(Demand.poisson(5.0), [-1, 2, 2, 2], 15, review_period=[1, 1.5, 0, 1])
    assert np.isnan(found.expected_leftover).tolist() == [True, True, True, False]
    with pytest.raises(ValueError, match="sum to 1"):
        steady_state_of_random_lead_time(Demand.poisson(5.0), [1, 2], [0.5, 0.6], 10)
    with pytest.raises(ValueError, match="lognormal or uniform"):
        steady_state(Demand.uniform(0, 1), 1, 2)


def test_more_stock_serves_more_and_holds_more():
    found = steady_state(Demand.negative_binomial(4.0, 9.0), 2, np.arange(0, 60, 3), review_period=2)
    assert (np.diff(found.fill_rate) >= 0).all()
    assert (np.diff(found.expected_leftover) >= 0).all()
    assert (np.diff(found.expected_shortage) <= 0).all()
