"""Demand by samples, outcomes and quantiles against plain sums, enumeration and the named distributions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from fullshelf.kernels import newsvendor, service
from fullshelf.kernels.distributions import Demand
from fullshelf.kernels.empirical_demand import EmpiricalDemand
from fullshelf.kernels.priority_list import priority_list

LEVELS = np.array([0.05, 0.2, 0.5, 0.7, 0.9, 0.98])
NUMBERS = some.lists(some.integers(0, 40), min_size=1, max_size=12)


def curve(scale):
    return EmpiricalDemand.quantiles(LEVELS, -scale * np.log1p(-LEVELS))


def plain_cost(samples, stock, under, over):
    gap = np.asarray(samples, float) - np.asarray(stock, float)[..., None]
    return (under * np.maximum(gap, 0) + over * np.maximum(-gap, 0)).mean(axis=-1)


@given(samples=NUMBERS, at=some.floats(-5, 50))
@settings(max_examples=60, deadline=None)
def test_samples_have_the_moments_shares_and_losses_of_plain_sums(samples, at):
    demand, seen = EmpiricalDemand.samples(samples), np.asarray(samples, float)
    assert demand.mean == pytest.approx(seen.mean())
    assert demand.variance == pytest.approx(seen.var(), abs=1e-12)
    assert demand.cdf(at) == pytest.approx((seen <= at).mean())
    assert demand.sf(at) == pytest.approx((seen > at).mean())
    assert demand.loss(at) == pytest.approx(np.maximum(seen - at, 0).mean())
    assert demand.leftover(at) == pytest.approx(np.maximum(at - seen, 0).mean())
    twentieths = np.arange(21)
    rank = np.maximum(-(-twentieths * seen.size // 20), 1)  # exact, also where n times a level is whole
    expected = np.sort(seen)[rank - 1]
    assert demand.quantile(twentieths / 20) == pytest.approx(expected)


def test_outcomes_count_by_their_probabilities_and_missing_samples_not_at_all():
    weighed = EmpiricalDemand.outcomes([5, 1, 2], [0.2, 0.5, 0.3])
    repeated = EmpiricalDemand.samples([1, 1, 1, 1, 1, 2, 2, 2, 5, 5])
    for x in (-1.0, 1.0, 3.0, 9.0):
        assert weighed.loss(x) == pytest.approx(repeated.loss(x))
        assert weighed.cdf(x) == pytest.approx(repeated.cdf(x))
    ragged = EmpiricalDemand.samples([[3.0, np.nan, 1.0], [np.nan, np.nan, np.nan], [2.0, 2.0, 8.0]])
    assert ragged.mean.tolist() == pytest.approx([2.0, np.nan, 4.0], nan_ok=True)
    assert ragged.loss(2.0).tolist() == pytest.approx([0.5, np.nan, 2.0], nan_ok=True)


def test_quantiles_of_a_grid_agree_with_a_fine_sample_of_its_curve():
    demand = curve(10.0)
    draws = demand.quantile((np.arange(400_000) + 0.5) / 400_000)
    fine = EmpiricalDemand.samples(draws)
    assert demand.mean == pytest.approx(fine.mean, rel=1e-4)
    assert demand.variance == pytest.approx(fine.variance, rel=1e-3)
    for x in (0.0, 2.0, 11.0, 60.0):
        assert demand.loss(x) == pytest.approx(fine.loss(x), abs=1e-3)
        assert demand.leftover(x) == pytest.approx(fine.leftover(x), abs=1e-3)
        assert demand.cdf(x) == pytest.approx(fine.cdf(x), abs=1e-5)


@given(
    samples=NUMBERS, under=some.floats(0.1, 20), over=some.floats(0.1, 5), position=some.integers(-5, 30),
    order_cost=some.sampled_from([0.0, 3.0]), pack=some.integers(1, 15), moq=some.integers(0, 40),
    room=some.sampled_from([np.inf, 17.5]), grid=some.booleans(),
)  # fmt: skip
@settings(max_examples=80, deadline=None)
def test_the_order_is_the_cheapest_of_all_that_are_allowed(
    samples, under, over, position, order_cost, pack, moq, room, grid
):
    demand = curve(1.0 + sum(samples)) if grid else EmpiricalDemand.samples(samples)
    allowed = np.array([0, *(n for n in range(pack, 3000, pack) if n >= moq and position + n <= room)], float)
    money = newsvendor.cost(demand, position + allowed, under, over) + np.where(allowed > 0, order_cost, 0.0)
    answer = newsvendor.lot_order(
        demand, under, over, inventory_position=position, order_cost=order_cost, pack_size=pack, moq=moq, max_stock=room
    )
    assert answer.order_quantity in allowed
    assert answer.cost == pytest.approx(money.min(), rel=1e-10, abs=1e-10)
    assert answer.saving == pytest.approx(money[0] - money.min(), rel=1e-9, abs=1e-9)
    assert answer.expected_shortage == pytest.approx(demand.loss(position + answer.order_quantity), abs=1e-12)


@given(samples=NUMBERS, under=some.floats(0.1, 20), over=some.floats(0.1, 5), order_cost=some.floats(0, 60))
@settings(max_examples=80, deadline=None)
def test_below_the_reorder_point_an_order_pays_and_above_it_does_not(samples, under, over, order_cost):
    for demand in (EmpiricalDemand.samples(samples), curve(1.0 + sum(samples))):
        rule = newsvendor.order_levels(demand, under, over, order_cost)
        best = newsvendor.cost(demand, rule.order_up_to, under, over)
        grid = np.linspace(rule.order_up_to - 30, rule.order_up_to + 30, 601)
        assert (newsvendor.cost(demand, grid, under, over) >= best - 1e-9).all()
        pays = newsvendor.cost(demand, grid, under, over) - best - order_cost
        assert (pays[grid < rule.reorder_point - 1e-6] > -1e-8).all()
        assert (pays[(grid > rule.reorder_point + 1e-6) & (grid <= rule.order_up_to)] < 1e-8).all()


def test_an_exact_named_distribution_and_its_table_order_alike():
    named = Demand.poisson([0.3, 4.0, 25.0])
    units = np.arange(120.0)
    table = Demand.poisson(np.array([[0.3], [4.0], [25.0]])).density(units)
    given_by = EmpiricalDemand.outcomes(units, table / table.sum(axis=1, keepdims=True))
    for pack, cost in ((1, 0.0), (6, 2.0)):
        ours = newsvendor.lot_order(given_by, 9, 1, pack_size=pack, order_cost=cost)
        theirs = newsvendor.lot_order(named, 9, 1, pack_size=pack, order_cost=cost)
        assert ours.order_quantity.tolist() == theirs.order_quantity.tolist()
        assert ours.cost == pytest.approx(theirs.cost, rel=1e-9)
    costs, price = ([5.0, 4.0, 6.0], 1.0), [2.0, 3.0, 1.5]
    ours, theirs = (priority_list(demand, *costs, price, 70.0) for demand in (given_by, named))
    assert ours.units.tolist() == theirs.units.tolist()
    assert ours.gain == pytest.approx(theirs.gain, rel=1e-9)


@pytest.mark.parametrize("kind", ["samples", "grid"])
def test_without_a_budget_the_priority_list_buys_until_nothing_pays(kind):
    rng = np.random.default_rng(3)
    demand = EmpiricalDemand.samples(rng.poisson(6, (5, 30))) if kind == "samples" else curve(np.ones((5, 1)) * 6)
    under, over = rng.uniform(2, 9, 5), rng.uniform(0.5, 2, 5)
    bought = priority_list(demand, under, over, 1.0, np.inf, pack_size=2.0)
    stocks = np.arange(0, 200, 2.0)
    best = [newsvendor.cost(demand, np.full(5, x), under, over) for x in stocks]
    assert bought.units.tolist() == stocks[np.argmin(best, axis=0)].tolist()
    assert (np.diff(bought.score) <= 1e-12).all()


@given(samples=NUMBERS, fill=some.floats(0.0, 1.0))
@settings(max_examples=60, deadline=None)
def test_the_stock_for_a_fill_rate_serves_just_that_share(samples, fill):
    if sum(samples) == 0:
        samples = [*samples, 1]
    demand = EmpiricalDemand.samples(samples)
    stock = service.fill_rate_stock(demand, fill)
    assert service.service_levels(demand, stock).fill_rate == pytest.approx(fill, abs=1e-9)
    smooth = curve(3.0)
    if fill < 1.0:
        stock = service.fill_rate_stock(smooth, fill)
        assert service.service_levels(smooth, stock).fill_rate == pytest.approx(fill, abs=1e-9)


def test_impossible_demand_answers_no_number_and_harms_no_neighbour():
    demand = EmpiricalDemand.samples([[1.0, 2.0], [np.nan, np.nan]])
    answer = newsvendor.lot_order(demand, [9.0, 9.0], 1.0)
    assert answer.order_quantity.tolist() == pytest.approx([2.0, np.nan], nan_ok=True)
    rule = newsvendor.order_levels(demand, 9.0, 1.0, [1.0, 1.0])
    assert np.isnan(rule.reorder_point).tolist() == [False, True]
    assert newsvendor.order_levels(EmpiricalDemand.samples([1.0, 2.0]), 0.0, 1.0, 1.0).reorder_point == -np.inf
    broken = EmpiricalDemand.quantiles([0.5, 0.9], [[1.0, np.nan], [1.0, 2.0]])
    assert np.isnan(broken.loss(1.0)).tolist() == [True, False]
    assert np.isnan(EmpiricalDemand.outcomes([1, 2], [0.5, 0.9]).mean)
    for wrong in (lambda: EmpiricalDemand.samples(3.0), lambda: EmpiricalDemand.quantiles([0.9, 0.5], [1.0, 2.0])):
        with pytest.raises(ValueError, match="must"):
            wrong()
    with pytest.raises(ValueError, match="do not broadcast"):
        demand.loss([1.0, 2.0, 3.0])


def test_threads_do_not_change_a_digit():
    demand = EmpiricalDemand.samples(np.random.default_rng(1).poisson(4, (300, 20)))
    one = newsvendor.lot_order(demand, 5, 1, pack_size=3)
    two = newsvendor.lot_order(demand, 5, 1, pack_size=3, parallel=True)
    assert (one.cost == two.cost).all()
