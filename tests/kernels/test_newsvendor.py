"""The newsvendor against enumeration and SciPy, and what must hold for any shop."""

import numpy as np
import pytest
import scipy.optimize
import scipy.stats as st
from hypothesis import given, settings
from hypothesis import strategies as some

from fullshelf.kernels import newsvendor
from fullshelf.kernels.distributions import Demand

costs = some.floats(0.01, 1e4)
means = some.floats(1e-3, 5e3)


def brute_force(mass, under, over):
    """The cheapest whole stock of discrete demand, by trying each."""
    outcomes = np.arange(mass.size)
    cost = [(mass * (under * np.maximum(outcomes - x, 0) + over * np.maximum(x - outcomes, 0))).sum() for x in outcomes]
    return int(np.argmin(cost)), float(np.min(cost))


@pytest.mark.parametrize("mean", [0.05, 1.0, 7.7, 40.0, 63.99, 64.01, 300.0])
@pytest.mark.parametrize(("under", "over"), [(1.0, 1.0), (9.0, 1.0), (0.2, 5.0), (999.0, 1.0)])
def test_poisson_and_negative_binomial_answers_are_the_cheapest_of_all_stocks(mean, under, over):
    for demand, reference in (
        (Demand.poisson(mean), st.poisson(mean)),
        (Demand.negative_binomial(mean, 3 * mean), st.nbinom(mean / 2, 1 / 3)),
    ):
        mass = reference.pmf(np.arange(reference.ppf(1 - 1e-13) + 2))
        best, least = brute_force(mass, under, over)
        answer = newsvendor.optimal(demand, under, over)
        assert answer.cost == pytest.approx(least, rel=1e-8)
        assert newsvendor.cost(demand, best, under, over) == pytest.approx(least, rel=1e-8)
        assert answer.quantity == best or newsvendor.cost(demand, answer.quantity, under, over) == pytest.approx(least)


@pytest.mark.parametrize(
    "demand",
    [
        Demand.normal(50, 8),
        Demand.gamma(20.0, 30.0),
        Demand.lognormal(1.0, 0.8),
        Demand.uniform(3.0, 9.0),
    ],
)
def test_continuous_answers_are_where_a_minimiser_ends(demand):
    answer = newsvendor.optimal(demand, 5.0, 2.0)
    found = scipy.optimize.minimize_scalar(
        lambda x: float(newsvendor.cost(demand, x, 5.0, 2.0)), bounds=(0, 500), options={"xatol": 1e-9}
    )
    assert answer.quantity == pytest.approx(found.x, rel=1e-5)
    assert answer.cost == pytest.approx(found.fun, rel=1e-12)
    assert answer.expected_shortage == pytest.approx(demand.loss(answer.quantity), rel=1e-10)
    assert answer.expected_leftover == pytest.approx(demand.leftover(answer.quantity), rel=1e-10)


@pytest.mark.parametrize("family", ["normal", "poisson"])
def test_lanes_give_what_the_scalar_cores_give_one_by_one(family):
    rng = np.random.default_rng(3)
    n = 1000
    mean, spread = rng.gamma(0.4, 60.0, n), rng.gamma(1.0, 10.0, n)
    mean[:5] = [0.0, 64.0, 257.0, 1e6, 256.0]
    spread[5:7] = 0.0
    under, over = 10.0 ** rng.uniform(-3, 6, n), 10.0 ** rng.uniform(-6, 3, n)
    demand = Demand.poisson(mean) if family == "poisson" else Demand.normal(mean, spread)
    answer = newsvendor.optimal(demand, under, over)
    upper = over / (under + over)
    ratio = under / (under + over)
    expected = np.where(ratio < 0.5, demand.quantile(ratio), demand.upper_quantile(upper))
    np.testing.assert_allclose(answer.quantity, expected, rtol=1e-13, atol=1e-13)
    scale = np.sqrt(demand.variance) + 1e-300
    np.testing.assert_allclose(answer.expected_shortage / scale, demand.loss(answer.quantity) / scale, atol=1e-12)
    np.testing.assert_allclose(
        answer.expected_leftover / scale, demand.leftover(answer.quantity) / scale, rtol=1e-9, atol=1e-12
    )
    np.testing.assert_allclose(
        answer.cost, under * answer.expected_shortage + over * answer.expected_leftover, rtol=1e-6
    )
    for i in (0, 7, 255, 256, 999):
        alone = newsvendor.optimal(
            Demand.poisson(mean[i]) if family == "poisson" else Demand.normal(mean[i], spread[i]), under[i], over[i]
        )
        assert alone.quantity == answer.quantity[i]
        assert alone.cost == answer.cost[i]


def test_poisson_means_of_any_kind_in_one_block_do_not_touch_each_other():
    mean = np.tile([np.nan, -3.0, np.inf, 0.0, 0.4, 63.0, 200.0, 9000.0], 100)
    answer = newsvendor.poisson(mean, 9.0, 1.0)
    expected = [np.nan, np.nan, np.nan, 0.0, 1.0, *st.poisson.ppf(0.9, [63.0, 200.0, 9000.0])]
    np.testing.assert_array_equal(answer.quantity, np.tile(expected, 100))
    np.testing.assert_array_equal(np.isnan(answer.cost), np.isnan(answer.quantity))
    assert (answer.critical_ratio == 0.9).all()


def test_ratios_up_to_one_in_a_billion_short_keep_their_digits():
    answer = newsvendor.normal(0.0, 1.0, 1e9 - 1, 1.0)
    assert answer.quantity == pytest.approx(st.norm.isf(1e-9), rel=1e-14)
    answer = newsvendor.normal(0.0, 1.0, 1.0, 1e18)
    assert answer.quantity == pytest.approx(st.norm.ppf(1e-18), rel=1e-14)
    for mean in (0.5, 30.0, 5000.0):
        assert newsvendor.poisson(mean, 1e9 - 1, 1.0).quantity == st.poisson.isf(1e-9, mean)


@pytest.mark.parametrize(
    "make",
    [
        lambda scale: Demand.normal(50.0 * scale, 8.0),
        lambda scale: Demand.poisson(3.0 * scale),
        lambda scale: Demand.negative_binomial(3.0 * scale, 9.0 * scale),
        lambda scale: Demand.gamma(10.0 * scale, 8.0),
    ],
)
def test_a_cost_of_zero_asks_for_the_extremes_and_costs_nothing(make):
    endless = newsvendor.optimal(make(1.0), 1.0, 0.0)
    assert endless.quantity == np.inf
    assert endless.cost == 0.0
    nothing = newsvendor.optimal(make(1.0), 0.0, 1.0)
    assert nothing.quantity in (0.0, -np.inf)
    assert nothing.cost == 0.0
    for under, over in ((0.0, 0.0), (-1.0, 2.0), (2.0, -1.0), (np.nan, 1.0)):
        answer = newsvendor.optimal(make(1.0), under, over)
        assert np.isnan(answer.quantity)
        assert np.isnan(answer.cost)
        assert np.isnan(answer.critical_ratio)


def test_certain_demand_is_met_exactly():
    for demand in (Demand.normal(7.0, 0.0), Demand.gamma(7.0, 0.0), Demand.poisson(0.0)):
        answer = newsvendor.optimal(demand, 3.0, 1.0)
        assert answer.quantity == demand.mean
        assert answer.cost == 0.0


@settings(max_examples=50, deadline=None)
@given(mean=means, extra=some.floats(0, 20), under=costs, over=costs, factor=some.floats(1.0, 50.0))
def test_orders_never_fall_when_shortage_costs_or_demand_rise(mean, extra, under, over, factor):
    for make in (
        lambda m: Demand.poisson(m),
        lambda m: Demand.negative_binomial(m, m * (1 + extra)),
        lambda m: Demand.normal(m, 0.3 * mean),
        lambda m: Demand.gamma(m, 0.7 * m),
    ):
        base = newsvendor.optimal(make(mean), under, over)
        slack = 1e-9 * (1.0 + abs(base.quantity))
        assert newsvendor.optimal(make(mean), under * factor, over).quantity >= base.quantity - slack
        assert newsvendor.optimal(make(mean * factor), under, over).quantity >= base.quantity - slack
        assert newsvendor.optimal(make(mean), under, over * factor).quantity <= base.quantity + slack


@settings(max_examples=25, deadline=None)
@given(mean=means, sd=some.floats(0.01, 1e3), under=costs, over=costs)
def test_doubling_all_units_doubles_the_order_and_the_cost(mean, sd, under, over):
    for make in (Demand.normal, Demand.gamma):
        once, twice = (newsvendor.optimal(make(k * mean, k * sd), under, over) for k in (1, 2))
        assert twice.quantity == pytest.approx(2 * once.quantity, rel=1e-12, abs=1e-280)
        assert twice.cost == pytest.approx(2 * once.cost, rel=1e-9)


def test_profit_is_price_times_sales_plus_salvage_less_cost():
    demand, outcomes = Demand.poisson(6.0), np.arange(60)
    mass = st.poisson.pmf(outcomes, 6.0)
    for stock in (3, 6, 9):
        sales = np.minimum(outcomes, stock)
        expected = (mass * (5.0 * sales + 0.5 * (stock - sales) - 2.0 * stock)).sum()
        assert newsvendor.profit(demand, stock, 5.0, 2.0, 0.5) == pytest.approx(expected, rel=1e-12)


def test_the_myopic_stock_minimises_veinotts_cost():
    demand = Demand.normal(900, 60)

    def money(y):
        holding, shortage, now, later = 43, 79, 65, 0.9 * 55
        one_period = holding * demand.leftover(y) + shortage * demand.loss(y)
        return float(now * y + one_period - later * (y - 900))

    answer = newsvendor.myopic(demand, 43, 79, 65, 55, 0.9)
    found = scipy.optimize.minimize_scalar(money, bounds=(600, 1200), options={"xatol": 1e-10})
    assert answer.quantity == pytest.approx(found.x, rel=1e-6)
    assert answer.cost == pytest.approx(found.fun, rel=1e-12)
    assert np.isnan(newsvendor.myopic(demand, 43, 79, 165, 55, 0.9).quantity)


def test_scarfs_stock_is_the_best_against_two_point_distributions():
    mean, sd, under, over = 900.0, 122.0, 15.2, 10.1

    def worst(stock):
        """The worst of all two-point distributions with this mean and deviation, by a fine grid of their weights."""
        share = np.linspace(1e-4, 1 - 1e-4, 100_001)
        high, low = mean + sd * np.sqrt((1 - share) / share), mean - sd * np.sqrt(share / (1 - share))
        cost = 0.0
        for value, weight in ((high, share), (low, 1 - share)):
            cost = cost + weight * (under * np.maximum(value - stock, 0) + over * np.maximum(stock - value, 0))
        return cost.max()

    answer = newsvendor.distribution_free(mean, sd, under, over)
    assert worst(answer.quantity) == pytest.approx(answer.cost, rel=1e-6)
    assert answer.cost == pytest.approx(sd * np.sqrt(under * over), rel=1e-12)
    for other in (-5.0, 5.0):
        assert worst(answer.quantity + other) > answer.cost
    # So uncertain and so little to earn that nothing is ordered.
    assert newsvendor.distribution_free(10.0, 100.0, 1.0, 5.0).quantity == 0.0
    assert newsvendor.distribution_free(10.0, 0.0, 1.0, 5.0).quantity == 10.0


def test_yield_orders_minimise_the_simulated_cost():
    rng = np.random.default_rng(11)
    share = rng.uniform(0.4, 0.9, 200_000)
    answer = newsvendor.multiplicative_yield(100.0, 0.4, 0.9, 3.0, 1.0)

    def money(arriving):
        return (3.0 * np.maximum(100 - arriving, 0) + np.maximum(arriving - 100, 0)).mean()

    grid = np.linspace(100, 250, 151)
    best = grid[np.argmin([money(q * share) for q in grid])]
    assert answer.quantity == pytest.approx(best, abs=1.5)
    assert answer.cost == pytest.approx(money(answer.quantity * share), rel=0.01)
    added = rng.normal(-5.0, 9.0, 200_000)
    answer = newsvendor.additive_yield(100.0, Demand.normal(-5.0, 9.0), 3.0, 1.0)
    best = grid[np.argmin([money(q + added) for q in grid])]
    assert answer.quantity == pytest.approx(best, abs=1.0)
    assert answer.cost == pytest.approx(money(answer.quantity + added), rel=0.01)
    assert answer.expected_shortage == pytest.approx(np.maximum(100 - answer.quantity - added, 0).mean(), rel=0.02)


@settings(max_examples=40, deadline=None)
@given(
    samples=some.lists(some.integers(0, 30), min_size=1, max_size=25),
    under=some.integers(0, 20),
    over=some.integers(1, 20),
)
def test_the_empirical_answer_is_the_cheapest_and_the_smallest_of_the_cheapest(samples, under, over):
    values = np.array(samples, dtype=float)
    cost = [(under * np.maximum(values - x, 0) + over * np.maximum(x - values, 0)).mean() for x in range(32)]
    answer = newsvendor.empirical(samples, under, over)
    assert answer.cost == pytest.approx(min(cost), rel=1e-12, abs=1e-12)
    if under > 0:
        assert answer.quantity == np.flatnonzero(np.isclose(cost, min(cost), rtol=1e-12, atol=1e-12))[0]


def test_samples_of_different_length_are_padded_with_unknown():
    rows = np.array([[3.0, 1.0, 2.0, np.nan], [np.nan, 5.0, np.nan, np.nan], [np.nan] * 4])
    answer = newsvendor.empirical(rows, [1.0, 1.0, 1.0], 1.0)
    np.testing.assert_array_equal(answer.quantity, [2.0, 5.0, np.nan])
    assert newsvendor.empirical(rows[0], [1.0, 9.0], 1.0).quantity.tolist() == [2.0, 3.0]
    with pytest.raises(ValueError, match="at least one axis"):
        newsvendor.empirical(3.0, 1.0, 1.0)


def test_quantiles_of_a_distribution_give_nearly_its_answer():
    levels = np.array([0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99])
    mean = np.array([40.0, 90.0])
    demand = Demand.gamma(mean, 20.0)
    quantiles = demand.quantile(levels[:, None]).T
    for under in (0.5, 3.0, 19.0, 150.0):
        whole, given = newsvendor.optimal(demand, under, 1.0), newsvendor.quantile_grid(levels, quantiles, under, 1.0)
        np.testing.assert_allclose(given.quantity, whole.quantity, rtol=0.03)
        np.testing.assert_allclose(given.cost, whole.cost, rtol=0.05)
        np.testing.assert_allclose(given.cost, under * given.expected_shortage + given.expected_leftover)
    threaded = newsvendor.quantile_grid(levels, quantiles, 3.0, [[1.0], [2.0]], parallel=True)
    assert threaded.quantity.shape == (2, 2)
    assert (threaded.quantity[0] > threaded.quantity[1]).all()


def test_quantiles_that_cannot_be_read_answer_no_number_or_say_why():
    rows = [[1.0, 2.0], [np.nan, 2.0], [1.0, 2.0], [1.0, 2.0]]
    answer = newsvendor.quantile_grid([0.4, 0.6], rows, [1.0, 1.0, -1.0, 0.0], [1.0, 1.0, 1.0, 0.0])
    np.testing.assert_array_equal(answer.quantity, [1.5, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(np.isnan(answer.cost), np.isnan(answer.quantity))
    with pytest.raises(ValueError, match="rise strictly"):
        newsvendor.quantile_grid([0.6, 0.4], [1.0, 2.0], 1.0, 1.0)
    with pytest.raises(ValueError, match="axis of 2 levels"):
        newsvendor.quantile_grid([0.4, 0.6], [1.0, 2.0, 3.0], 1.0, 1.0)


def test_discrete_demand_needs_probabilities():
    shuffled = newsvendor.discrete([4, 1, 2], [0.5, 0.25, 0.25], [1.0, 9.0], 1.0)
    assert shuffled.quantity.tolist() == [2.0, 4.0]
    answer = newsvendor.discrete([1, 2], [[0.5, 0.4], [0.5, 0.5], [1.5, -0.5]], 1.0, 1.0)
    np.testing.assert_array_equal(answer.quantity, [np.nan, 1.0, np.nan])
    with pytest.raises(ValueError, match=r"same outcomes.*\(3,\) and \(2,\)"):
        newsvendor.discrete([1, 2, 3], [0.5, 0.5], 1.0, 1.0)


def test_many_threads_give_the_same_bits():
    rng = np.random.default_rng(4)
    mean, under = rng.gamma(0.5, 80.0, 80_000), rng.uniform(1, 50, 80_000)
    for demand in (Demand.normal(mean, 5.0), Demand.poisson(mean), Demand.gamma(mean, 20.0)):
        serial, threaded = (newsvendor.optimal(demand, under, 1.0, parallel=parallel) for parallel in (False, True))
        np.testing.assert_array_equal(serial.quantity, threaded.quantity)
        np.testing.assert_array_equal(serial.cost, threaded.cost)


INFINITE_OR_WRONG = [(np.inf, 1.0), (1.0, np.inf), (1e308, 1e308), (-1.0, 2.0), (0.0, 0.0), (np.nan, 1.0)]


@pytest.mark.parametrize("costs", INFINITE_OR_WRONG)
def test_costs_without_an_answer_give_nan_whatever_the_demand(costs):
    demands = [Demand.normal(50, 8), Demand.poisson(5), Demand.poisson(500), Demand.negative_binomial(5, 15)]
    demands += [Demand.gamma(5, 2), Demand.lognormal(1, 1), Demand.uniform(0, 10)]
    answers = [newsvendor.optimal(demand, *costs) for demand in demands]
    answers += [newsvendor.empirical([1, 2, 3], *costs), newsvendor.quantile_grid([0.1, 0.9], [1, 2], *costs)]
    answers += [newsvendor.distribution_free(50, 8, *costs)]
    for answer in answers:
        found = [
            answer.quantity,
            answer.critical_ratio,
            answer.cost,
            answer.expected_shortage,
            answer.expected_leftover,
        ]
        assert np.isnan(found).all()


def test_a_normal_demand_that_is_none_has_nan_in_all_results_and_a_certain_one_no_cost():
    bad = newsvendor.normal([np.nan, np.inf, 5, 5], [8, 8, -1, np.nan], 3, 1)
    for values in (bad.quantity, bad.cost, bad.expected_shortage, bad.expected_leftover):
        assert np.isnan(values).all()
    for costs in [(1, 0), (0, 1), (3, 1)]:
        sure = newsvendor.normal(50, 0, *costs)
        assert (sure.quantity, sure.cost, sure.expected_shortage, sure.expected_leftover) == (50, 0, 0, 0)
