import numpy as np
import pytest
from scipy import stats

from fullshelf.kernels.base_stock import of_periods, optimal, random_lead_time
from fullshelf.kernels.disruptions import disruption_cost, with_disruptions
from fullshelf.kernels.distributions import Demand
from fullshelf.kernels.policies import order_up_to
from fullshelf.kernels.simulation import Start, Supply, simulate
from fullshelf.kernels.steady_state import steady_state


@pytest.mark.parametrize(
    "demand", [Demand.poisson(4), Demand.negative_binomial(4, 9), Demand.normal(4, 1.5), Demand.gamma(4, 3)]
)
def test_the_best_level_is_the_quantile_of_the_protection_interval(demand: Demand) -> None:
    best = optimal(demand, 2, 1, 9, review_period=2)
    total = {
        1: stats.poisson(16), 2: stats.nbinom(4 * 4**2 / 5, 4 / 9), 0: stats.norm(16, 3),
        3: stats.gamma(4 * 16 / 9, scale=9 / 4),
    }[demand.family]  # fmt: skip
    assert best.order_up_to == pytest.approx(total.ppf(0.9), rel=1e-9)
    assert best.mean == pytest.approx(16)
    assert best.variance == pytest.approx(total.var())
    worse = [
        1 * of_periods(demand, 4).leftover(x) + 9 * of_periods(demand, 4).loss(x)
        for x in (best.order_up_to - 1, best.order_up_to + 1)
    ]
    assert best.cost <= min(worse)


def test_the_long_run_is_that_of_the_simulation() -> None:
    demand = np.random.default_rng(4).poisson(5, (20, 20_000)).astype(float)
    for level in (12, 15, 20):
        run = simulate(
            demand, order_up_to(level), Supply(1, 9, lead_time=2), Start(level), stockout="backorder", score_from=20
        )
        found = steady_state(Demand.poisson(5), 2, level)
        assert run.mean_on_hand.mean() == pytest.approx(found.expected_leftover, rel=0.02, abs=0.01)
        assert (run.short / run.periods).mean() == pytest.approx(found.expected_shortage, rel=0.03)
        assert run.cycle_service.mean() == pytest.approx(found.cycle_service, abs=0.005)
        assert run.fill_rate.mean() == pytest.approx(found.fill_rate, abs=0.005)


def test_a_level_of_no_stock_serves_nothing_and_a_high_one_everything() -> None:
    found = steady_state(Demand.poisson([5.0, 5.0, 0.0]), 2, [-3, 200, 0])
    assert found.fill_rate[:2].tolist() == [0, 1]
    assert np.isnan(found.fill_rate[2])


def test_a_random_lead_time_is_the_mixture_of_its_lead_times() -> None:
    times, weights = np.array([0, 1, 3, 7]), np.array([0.1, 0.4, 0.3, 0.2])
    for rate in (0.3, 4.0, 900.0):
        best = random_lead_time(Demand.poisson(rate), times, weights, 1, 19, review_period=1)
        units = np.arange(int(best.order_up_to) * 4 + 60)
        mixture = sum(w * stats.poisson.pmf(units, rate * (t + 1)) for t, w in zip(times, weights, strict=True))
        assert best.order_up_to == np.argmax(np.cumsum(mixture) >= 0.95)
        assert best.expected_shortage == pytest.approx(mixture @ np.maximum(units - best.order_up_to, 0), rel=1e-8)
        mean, variance = weights @ (times + 1), weights @ (times + 1) ** 2 - (weights @ (times + 1)) ** 2
        assert best.mean == pytest.approx(rate * mean)
        assert best.variance == pytest.approx(rate * mean + rate**2 * variance)


def test_a_mixture_of_normals_is_solved_to_the_last_digits_and_a_certain_lead_time_is_fixed() -> None:
    demand = Demand.normal([10.0, 100.0], 3.0)
    best = random_lead_time(demand, [2, 5], [[0.5, 0.5], [1.0, 0.0]], 1, 9)
    share = 0.5 * stats.norm.cdf(best.order_up_to[0], 20, 3 * 2**0.5) + 0.5 * stats.norm.cdf(
        best.order_up_to[0], 50, 3 * 5**0.5
    )
    assert share == pytest.approx(0.9, rel=1e-12)
    fixed = optimal(demand, 2, 1, 9, review_period=1e-300)
    assert best.order_up_to[1] == pytest.approx(fixed.order_up_to[1], rel=1e-12)
    assert best.cost[1] == pytest.approx(fixed.cost[1], rel=1e-9)


def test_disruptions_cost_what_the_markov_chain_says() -> None:
    d, h, p, a, b = 7.0, 0.5, 6.0, 0.1, 0.3
    n = np.arange(2000)
    share = np.where(n == 0, b / (a + b), a * b / (a + b) * (1 - b) ** np.maximum(n - 1.0, 0))
    best = with_disruptions(d, h, p, a, b)
    levels = np.arange(0, 20) * d

    def slow(level: float) -> float:
        owed = (n + 1) * d - level
        return float(share @ (p * np.maximum(owed, 0) + h * np.maximum(-owed, 0)))

    assert best.cost == pytest.approx(min(slow(level) for level in levels), rel=1e-10)
    assert best.order_up_to == levels[np.argmin([slow(level) for level in levels])]
    for level in (-5.0, 3.0, 7.0, 18.5, 100.0):
        assert disruption_cost(level, d, h, p, a, b) == pytest.approx(slow(level), rel=1e-10)
    owed = (n + 1) * d
    assert best.mean == pytest.approx(share @ owed)
    assert best.variance == pytest.approx(share @ owed**2 - (share @ owed) ** 2)


def test_where_there_is_no_answer_there_is_nan_and_neighbours_keep_theirs() -> None:
    assert np.isnan(optimal(Demand.poisson(5), [2, -1, 2], [1, 1, 0], 9).cost).tolist() == [False, True, True]
    found = random_lead_time(Demand.poisson([5, -1, 5]), [1], [1.0], [1, 1, 0], 9)
    assert np.isnan(found.order_up_to).tolist() == [False, True, True]
    assert np.isnan(with_disruptions([5, 0, 5, 5], 1, 9, [0.1, 0.1, 1.0, 0.1], [0.5, 0.5, 0.5, 0]).cost).tolist() == [
        False,
        True,
        True,
        True,
    ]


def test_calls_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="neither"):
        of_periods(Demand.lognormal(1, 1), 2)
    with pytest.raises(ValueError, match="sum to 1"):
        random_lead_time(Demand.poisson(5), [1, 2], [0.5, 0.6], 1, 9)
    with pytest.raises(ValueError, match="got shapes"):
        random_lead_time(Demand.poisson(5), [1, 2], [1.0], 1, 9)


def test_random_lead_times_are_solved_for_many_skus_at_once():
    demand = Demand.poisson([0.8, 5.0, 0.0])
    times, weights = [2, 6], [0.5, 0.5]
    together = random_lead_time(demand, times, weights, 1, 9)
    for s, mean in enumerate([0.8, 5.0, 0.0]):
        alone = random_lead_time(Demand.poisson(mean), times, weights, 1, 9)
        assert together.order_up_to[s] == alone.order_up_to
        assert together.cost[s] == alone.cost
