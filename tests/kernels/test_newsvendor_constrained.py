"""Shared limits, priority lists and transfers against general optimisers and enumeration."""

import itertools

import numpy as np
import pytest
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as some

from fullshelf.kernels import newsvendor
from fullshelf.kernels.distributions import Demand
from fullshelf.kernels.empirical_demand import EmpiricalDemand
from fullshelf.kernels.newsvendor_constrained import under_budget, under_limits
from fullshelf.kernels.priority_list import priority_list
from fullshelf.kernels.rebalancing import rebalance

CERTAIN = (Demand.normal, Demand.gamma)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("family", ["normal", "gamma"])
def test_a_general_optimiser_finds_nothing_cheaper(seed, family):
    rng = np.random.default_rng(seed)
    n = 5
    mean = rng.uniform(20, 200, n)
    demand = Demand.normal(mean, 0.3 * mean) if family == "normal" else Demand.gamma(mean, 0.8 * mean)
    under, over = rng.uniform(1, 9, n), rng.uniform(0.5, 3, n)
    usage, limits = rng.uniform(0.5, 8, (3, n)), rng.uniform(0.6, 1.3, 3)
    limits = limits * (usage @ mean)
    stock = under_limits(demand, under, over, usage, limits)
    found = scipy.optimize.minimize(
        lambda q: float(newsvendor.cost(demand, q, under, over).sum()),
        0.5 * mean,
        method="SLSQP",
        bounds=[(0, None)] * n,
        constraints={"type": "ineq", "fun": lambda q: limits - usage @ q},
        options={"maxiter": 300, "ftol": 1e-11},
    )
    assert (stock.usage <= limits * (1 + 1e-12)).all()
    assert stock.cost <= found.fun * (1 + 1e-9)
    assert stock.cost == pytest.approx(found.fun, rel=1e-4)
    assert 0 <= stock.gap < 1e-8
    # A price is above 0 only where nothing of the resource is left.
    assert (np.minimum(stock.shadow_price, (limits - stock.usage) / limits) < 1e-6).all()


def test_the_shadow_price_is_what_more_budget_saves():
    demand = Demand.normal([900.0, 800.0, 1200.0], [122.0, 200.0, 170.0])
    arguments = (demand, [15.0, 15.0, 4.0], [10.0, 12.5, 13.0], [35.0, 25.0, 28.0])
    less, more = (under_budget(*arguments, budget) for budget in (69_999.5, 70_000.5))
    assert less.cost - more.cost == pytest.approx(under_budget(*arguments, 70_000.0).shadow_price[0], rel=1e-5)
    assert (more.quantity >= less.quantity).all()


def test_a_budget_that_is_no_limit_leaves_every_newsvendor_alone():
    demand = Demand.poisson([3.0, 30.0, 0.0])
    stock = under_budget(demand, 9.0, 1.0, [4.0, 2.0, 1.0], 1e6)
    assert stock.shadow_price.tolist() == [0.0]
    np.testing.assert_array_equal(stock.quantity, newsvendor.optimal(demand, 9.0, 1.0).quantity)
    assert under_budget(demand, 9.0, 1.0, 1.0, 0.0).quantity.tolist() == [0.0, 0.0, 0.0]
    endless = under_budget(Demand.normal([10.0, 20.0], 3.0), 5.0, 0.0, 1.0, 50.0)
    assert endless.usage[0] == pytest.approx(50.0)


@pytest.mark.parametrize("seed", range(3))
def test_whole_units_come_close_to_the_best_of_all_combinations(seed):
    rng = np.random.default_rng(seed)
    mean, under = rng.uniform(0.5, 4, 4), rng.uniform(2, 9, 4)
    usage = rng.uniform(1, 5, (2, 4))
    limits = 0.8 * usage @ mean
    demand = Demand.poisson(mean)
    stock = under_limits(demand, under, 1.0, usage, limits)
    costs = newsvendor.cost(demand, np.arange(12.0)[:, None], under, 1.0)
    best = min(
        sum(costs[units, i] for i, units in enumerate(combination))
        for combination in itertools.product(range(12), repeat=4)
        if (usage @ np.array(combination) <= limits).all()
    )
    assert (stock.usage <= limits).all()
    assert stock.bound <= best + 1e-9
    assert stock.cost >= best - 1e-9
    assert stock.cost <= best * 1.10  # four SKUs: the coarsest case there is
    assert stock.cost - stock.bound == pytest.approx(stock.gap * stock.bound)


def test_whole_units_stay_whole_where_prices_of_cents_fill_a_budget_to_its_last_digit():
    for seed in range(60):
        rng = np.random.default_rng(seed)
        n = int(rng.integers(1, 30))
        price = np.round(rng.uniform(0.1, 2, n), 1)
        budget = float(np.round(price @ rng.integers(0, 6, n), 1))
        stock = under_budget(Demand.poisson(rng.uniform(1, 9, n)), 5.0, 1.0, price, budget)
        assert (stock.quantity == np.floor(stock.quantity)).all(), seed
        assert stock.usage[0] <= budget * (1 + 1e-12)


def test_many_whole_units_leave_next_to_no_gap():
    rng = np.random.default_rng(5)
    mean = rng.gamma(1.0, 10.0, 3000) + 0.1
    usage = rng.uniform(1, 9, (2, 3000))
    demand = Demand.negative_binomial(mean, 2 * mean)
    stock = under_limits(demand, 6.0, 1.0, usage, 0.8 * usage @ mean)
    assert stock.gap < 1e-3
    again = under_limits(demand, 6.0, 1.0, usage, 0.8 * usage @ mean, parallel=True)
    np.testing.assert_array_equal(stock.quantity, again.quantity)


def test_problems_without_an_answer_say_what_is_wrong():
    demand = Demand.normal([10.0, 20.0], 3.0)
    with pytest.raises(ValueError, match=r"one row for each of the 2 limits.*\(1, 2\)"):
        under_limits(demand, 5.0, 1.0, [[1.0, 1.0]], [5.0, 6.0])
    with pytest.raises(ValueError, match="not below 0"):
        under_limits(demand, 5.0, 1.0, [[1.0, -1.0]], [5.0])
    with pytest.raises(ValueError, match="1 of 2 SKUs cannot be solved, the first at index 1"):
        under_budget(Demand.normal([10.0, 20.0], [3.0, -3.0]), 5.0, 1.0, 1.0, 10.0)
    with pytest.raises(ValueError, match="1 of 2 SKUs cannot be ranked, the first at index 0"):
        priority_list(Demand.poisson([3.0, 4.0]), 1.0, 1.0, [0.0, 1.0], 10.0)
    with pytest.raises(ValueError, match="budget must not be below 0"):
        priority_list(Demand.poisson([3.0, 4.0]), 1.0, 1.0, 1.0, -1.0)
    with pytest.raises(ValueError, match=r"one row of SKUs.*\(2, 2\)"):
        priority_list(Demand.poisson(np.ones((2, 2))), 1.0, 1.0, 1.0, 1.0)


@settings(max_examples=30, deadline=None)
@given(seed=some.integers(0, 9999), budget=some.floats(0, 150), pack=some.sampled_from([1.0, 3.0]))
def test_the_list_buys_what_is_best_at_each_step(seed, budget, pack):
    rng = np.random.default_rng(seed)
    n = 5
    mean, under, over = rng.uniform(0.2, 9, n), rng.uniform(1, 9, n), rng.uniform(0.1, 1, n)
    price, there = rng.uniform(1, 6, n), rng.integers(0, 4, n).astype(float)
    demand = Demand.poisson(mean)
    bought = priority_list(demand, under, over, price, budget, pack_size=pack, inventory_position=there)
    units, spend, order = np.zeros(n), 0.0, []
    while True:
        before, after = (newsvendor.cost(demand, there + units + more, under, over) for more in (0.0, pack))
        score = np.where((spend + price * pack <= budget) & (before > after), (before - after) / (price * pack), -1.0)
        best = int(np.argmax(score))
        if score[best] <= 0:
            break
        order.append(best)
        units[best] += pack
        spend += price[best] * pack
    assert bought.sku.tolist() == order
    assert bought.units.tolist() == units.tolist()
    assert bought.spend == pytest.approx(spend)
    total = (
        newsvendor.cost(demand, there, under, over).sum() - newsvendor.cost(demand, there + units, under, over).sum()
    )
    assert bought.gain == pytest.approx(total, abs=1e-9)


def test_a_list_without_end_of_money_is_the_newsvendors_answer():
    rng = np.random.default_rng(2)
    mean = rng.uniform(0.1, 60, 200)
    demand = Demand.negative_binomial(mean, 1.7 * mean)
    bought = priority_list(demand, 5.0, 1.0, 2.0, np.inf)
    np.testing.assert_array_equal(bought.units, newsvendor.optimal(demand, 5.0, 1.0).quantity)
    assert (np.diff(bought.score) <= 1e-12).all()
    assert bought.sku.size == bought.units.sum()


@settings(max_examples=30, deadline=None)
@given(
    first=some.integers(0, 60),
    second=some.integers(0, 60),
    means=some.tuples(some.floats(0.5, 40), some.floats(0.5, 40)),
    price=some.floats(0, 4),
)
def test_whole_units_are_moved_as_enumeration_would(first, second, means, price):
    demand = (Demand.poisson(means[0]), Demand.negative_binomial(means[1], 3 * means[1]))
    answer = rebalance((first, second), demand, (5.0, 7.0), (1.0, 0.5), price)
    moves = np.arange(-second, first + 1.0)
    cost = newsvendor.cost(demand[0], first - moves, 5.0, 1.0) + newsvendor.cost(demand[1], second + moves, 7.0, 0.5)
    cost = cost + price * np.abs(moves)
    assert answer.units in moves
    assert answer.cost == pytest.approx(cost.min(), rel=1e-9)
    assert answer.saving == pytest.approx(cost[second] - cost.min(), abs=1e-8)


def test_transfers_go_both_ways_and_never_beyond_what_is_there():
    demand = (Demand.normal(80.0, 20.0), Demand.normal(80.0, 20.0))
    there = rebalance((150.0, 40.0), demand, 5.0, 1.0, 1.0)
    back = rebalance((40.0, 150.0), demand, 5.0, 1.0, 1.0)
    assert back.units == pytest.approx(-there.units)
    assert back.cost == pytest.approx(there.cost)
    found = scipy.optimize.minimize_scalar(
        lambda x: float(
            newsvendor.cost(demand[0], 150 - x, 5.0, 1.0) + newsvendor.cost(demand[1], 40 + x, 5.0, 1.0) + x
        ),
        bounds=(0, 150),
        options={"xatol": 1e-9},
    )
    assert there.units == pytest.approx(found.x, abs=1e-5)
    assert there.cost == pytest.approx(found.fun, rel=1e-10)
    emptied = rebalance((10.0, 0.0), (Demand.normal(0.0, 1.0), Demand.normal(500.0, 1.0)), 5.0, 1.0, 0.1)
    assert emptied.units == pytest.approx(10.0)
    dear = rebalance((150.0, 40.0), demand, 5.0, 1.0, [10.0, -1.0])
    np.testing.assert_array_equal(dear.units, [0.0, np.nan])


def test_certain_demand_shares_a_budget_by_what_it_is_worth():
    stock = under_budget(Demand.normal([5.0, 5.0, 9.0], 0.0), [4.0, 6.0, 5.0], 1.0, [1.0, 1.0, 2.0], 7.0)
    assert stock.quantity == pytest.approx([2.0, 5.0, 0.0])
    assert stock.cost == pytest.approx(4.0 * 3 + 5.0 * 9)
    assert stock.gap == pytest.approx(0.0, abs=1e-9)
    two = under_limits(Demand.normal([5.0, 5.0], 0.0), 4.0, 1.0, [[1.0, 1.0], [2.0, 1.0]], [7.0, 9.0])
    assert (two.usage <= [7.0, 9.0]).all()
    assert two.bound <= 12.0 + 1e-6  # (2, 5) costs 12
    assert two.cost - two.bound == pytest.approx(two.gap * two.bound)
    assert two.gap > 0.0 or two.cost == pytest.approx(12.0)


def test_large_counts_that_tie_at_the_shadow_price_fill_the_budget():
    stock = under_budget(Demand.poisson([1e6, 1e5]), 1 - 1e-9, 1e-9, [1.0, 2.0], 1.1e6)
    assert stock.usage[0] == 1.1e6
    assert stock.gap < 1e-9


def _best_by_linear_programme(samples, under, over, usage, limits):
    """Least cost of stocks for outcomes that are equally likely: stocks, then shortages, then leftovers."""
    n, m = samples.shape
    costs = np.concatenate([np.zeros(n), np.repeat(under / m, m), np.repeat(over / m, m)])
    stock = np.repeat(np.eye(n), m, axis=0)
    eye, none = np.eye(n * m), np.zeros((n * m, n * m))
    balance = np.block([[-stock, -eye, none], [stock, none, -eye]])
    demand = samples.reshape(-1)
    return scipy.optimize.linprog(
        costs,
        A_ub=np.block([[balance], [usage, np.zeros((len(limits), 2 * n * m))]]),
        b_ub=np.concatenate([-demand, demand, limits]),
    ).fun


@pytest.mark.parametrize("seed", range(12))
def test_certain_demand_and_samples_are_shared_out_as_a_linear_programme_does(seed):
    rng = np.random.default_rng(seed)
    n, k = int(rng.integers(2, 9)), int(rng.integers(1, 4))
    samples = np.round(rng.gamma(1.0, 30.0, (n, 1 if seed % 3 == 0 else 9)))
    under, over = rng.uniform(1, 9, n), rng.uniform(0.0, 3, n)
    usage = rng.uniform(0.5, 8, (k, n)) * (rng.uniform(size=(k, n)) < 0.8) + 0.01
    limits = rng.uniform(0.2, 1.1, k) * (usage @ samples.mean(axis=1))
    best = _best_by_linear_programme(samples, under, over, usage, limits)
    answers = [under_limits(EmpiricalDemand.samples(samples), under, over, usage, limits)]
    if samples.shape[1] == 1:
        answers += [under_limits(make(samples[:, 0], 0.0), under, over, usage, limits) for make in CERTAIN]
    for stock in answers:
        assert (stock.usage <= limits * (1 + 1e-12)).all()
        assert stock.cost == pytest.approx(best, rel=1e-8, abs=1e-8)
        assert stock.gap < 1e-8


def test_quantiles_share_a_budget_as_a_general_optimiser_would():
    rng = np.random.default_rng(3)
    levels = np.array([0.05, 0.25, 0.5, 0.75, 0.95])
    demand = EmpiricalDemand.quantiles(levels, np.cumsum(rng.gamma(1.0, 10.0, (6, 5)), axis=1))
    under, over, price = rng.uniform(2, 9, 6), rng.uniform(0.5, 2, 6), rng.uniform(1, 5, 6)
    budget = 0.6 * float(price @ demand.mean)
    stock = under_budget(demand, under, over, price, budget)
    found = scipy.optimize.minimize(
        lambda q: float(newsvendor.cost(demand, q, under, over).sum()),
        0.5 * demand.mean,
        method="SLSQP",
        bounds=[(0, None)] * 6,
        constraints={"type": "ineq", "fun": lambda q: budget - price @ q},
        options={"maxiter": 300, "ftol": 1e-12},
    )
    assert stock.usage[0] == pytest.approx(budget)
    assert stock.cost <= found.fun * (1 + 1e-9)
    assert stock.cost == pytest.approx(found.fun, rel=1e-4)
    assert 0 <= stock.gap < 1e-8


def test_certain_and_uncertain_demand_share_what_there_is():
    demand = Demand.normal([100.0, 80.0, 50.0], [20.0, 0.0, 0.0])
    stock = under_budget(demand, [4.0, 6.0, 5.0], [1.0, 2.0, 1.0], [8.0, 10.0, 9.0], 1500.0)
    assert stock.gap < 1e-9
    assert stock.usage[0] == pytest.approx(1500.0)
    almost = under_budget(
        Demand.normal([100.0, 80.0, 50.0], [20.0, 1e-6, 1e-6]),
        [4.0, 6.0, 5.0],
        [1.0, 2.0, 1.0],
        [8.0, 10.0, 9.0],
        1500.0,
    )
    np.testing.assert_allclose(stock.quantity, almost.quantity, rtol=1e-5)
    assert stock.cost == pytest.approx(almost.cost, rel=1e-6)


@pytest.mark.parametrize("kind", ["normal", "gamma", "uniform", "quantiles", "samples"])
@pytest.mark.parametrize("seed", range(6))
def test_any_demand_is_shared_out_with_next_to_no_gap(kind, seed):
    rng = np.random.default_rng(seed)
    n, k = int(rng.integers(1, 40)), int(rng.integers(1, 6))
    mean, some_certain = rng.gamma(1.0, 30.0, n), rng.uniform(size=n) < 0.5
    demand = {
        "normal": lambda: Demand.normal(mean, mean * rng.uniform(0, 0.5, n) * some_certain),
        "gamma": lambda: Demand.gamma(mean, mean * rng.uniform(0.1, 1.5, n) * some_certain),
        "uniform": lambda: Demand.uniform(mean * rng.uniform(0, 1, n), mean),
        "quantiles": lambda: EmpiricalDemand.quantiles([0.1, 0.5, 0.9], np.sort(rng.gamma(0.5, 30, (n, 3)), axis=1)),
        "samples": lambda: EmpiricalDemand.samples(np.round(rng.gamma(0.3, 10.0, (n, 20)))),
    }[kind]()
    under, over = rng.uniform(0, 9, n), rng.uniform(0.0, 3, n) * (rng.uniform(size=n) < 0.9)
    usage = rng.uniform(0.5, 8, (k, n)) * (rng.uniform(size=(k, n)) < 0.8) + 0.01
    limits = rng.uniform(0.0, 1.5, k) * (usage @ mean)
    stock = under_limits(demand, under, over, usage, limits)
    assert (stock.usage <= limits * (1 + 1e-12)).all()
    assert (stock.quantity >= 0.0).all()
    assert 0.0 <= stock.gap < 1e-6
