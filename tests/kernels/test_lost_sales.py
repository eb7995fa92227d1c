import numpy as np
import pytest
from scipy import stats

from fullshelf.kernels.demand_table import tabulate
from fullshelf.kernels.distributions import Demand
from fullshelf.kernels.lost_sales import lost_sales_levels, lost_sales_order
from fullshelf.kernels.lost_sales_exact import LostSales, optimum, policy_cost


def myopic(on_hand: int, arrivals: list[int], table: np.ndarray, ratio: float) -> int:
    """Follow every outcome by name."""
    stock = {on_hand: 1.0}
    for come in arrivals:
        after: dict[int, float] = {}
        for units, share in stock.items():
            for d, probability in enumerate(table):
                left = max(units + come - d, 0)
                after[left] = after.get(left, 0.0) + share * probability
        stock = after
    z = 0
    while sum(share * table[: units + z + 1].sum() for units, share in stock.items()) < ratio:
        z += 1
    return z


def test_the_order_is_the_newsvendors_on_the_stock_that_will_be_there() -> None:
    draw = np.random.default_rng(1)
    S, L = 40, 3
    mean = draw.uniform(0.3, 5, S)
    on_hand, arrivals, shortage = draw.integers(0, 9, S), draw.integers(0, 6, (S, L)), draw.uniform(1, 40, S)
    found = lost_sales_order(on_hand, arrivals, Demand.poisson(mean), 1.0, shortage)
    for s in range(S):
        table = tabulate(Demand.poisson(mean[s]), 1e-9)
        assert found[s] == myopic(on_hand[s], list(arrivals[s]), table, shortage[s] / (1 + shortage[s]))


def test_without_lead_time_it_is_the_newsvendor_with_stock() -> None:
    found = lost_sales_order([0, 3, 50], np.empty((3, 0)), Demand.poisson(6.0), 1, 9)
    assert found.tolist() == [stats.poisson.ppf(0.9, 6), stats.poisson.ppf(0.9, 6) - 3, 0]


def test_orders_do_not_depend_on_neighbours_or_threads() -> None:
    draw = np.random.default_rng(2)
    S = 200
    mean, on_hand, arrivals = draw.gamma(1, 4, S) + 0.1, draw.integers(0, 9, S), draw.integers(0, 6, (S, 2))
    together = lost_sales_order(on_hand, arrivals, Demand.poisson(mean), 1, 9, parallel=True)
    alone = [lost_sales_order(on_hand[s], arrivals[s], Demand.poisson(mean[s]), 1, 9) for s in range(20)]
    np.testing.assert_array_equal(together[:20], alone)
    levels = lost_sales_levels(Demand.poisson(mean), 1, 9, 2, parallel=True)
    one = lost_sales_levels(Demand.poisson(mean[7]), 1, 9, 2)
    assert (levels.order_up_to[7], levels.most[7], levels.cost[7]) == (one.order_up_to, one.most, one.cost)


def test_an_order_never_falls_when_the_shortage_cost_rises() -> None:
    shortage = np.geomspace(0.1, 1e6, 60)
    assert (np.diff(lost_sales_order(3, [2, 4], Demand.poisson(5.0), 1, shortage)) >= 0).all()


@pytest.mark.parametrize(
    ("demand", "lead_time", "p"),
    [(Demand.poisson(5.0), 2, 9), (Demand.poisson(5.0), 3, 4), (Demand.negative_binomial(5.0, 30.0), 2, 19)],
)
def test_the_levels_cost_little_more_than_the_optimum(demand: Demand, lead_time: int, p: float) -> None:
    problem = LostSales(tabulate(demand), 1, p, lead_time)
    least = optimum(problem, 1e-5).cost
    base = lost_sales_levels(demand, 1, p, lead_time, capped=False)
    level = int(base.order_up_to)
    near = [policy_cost(problem, k, k, tolerance=1e-5) for k in range(level - 3, level + 4)]
    assert near[3] <= 1.01 * min(near)
    assert np.isinf(base.most)
    capped = lost_sales_levels(demand, 1, p, lead_time)
    most = None if np.isinf(capped.most) else int(capped.most)
    level = int(capped.order_up_to)
    assert policy_cost(problem, level, level, most=most, tolerance=1e-5) <= 1.03 * least
    assert capped.cost <= base.cost


def test_the_level_without_lead_time_is_the_newsvendors() -> None:
    levels = lost_sales_levels(Demand.poisson([2.0, 20.0]), 1, 9, 0)
    assert levels.order_up_to.tolist() == stats.poisson.ppf(0.9, [2, 20]).tolist()


def test_what_has_no_answer_is_nan_and_harms_no_other() -> None:
    assert np.isnan(lost_sales_order([1, -1, np.nan], np.zeros((3, 1)), Demand.poisson(2.0), 1, 9)).tolist() == [
        False,
        True,
        True,
    ]
    levels = lost_sales_levels(Demand.poisson(2.0), [1, 0, 1, 1], 9, [1, 1, 1.5, -1])
    assert np.isnan(levels.order_up_to).tolist() == [False, True, True, True]


def test_no_demand_needs_no_stock() -> None:
    assert lost_sales_levels(Demand.poisson(0.0), 1, 9, 2).order_up_to == 0
    assert lost_sales_order(0, [0], Demand.poisson(0.0), 1, 9) == 0


def test_calls_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="one column for each period"):
        lost_sales_order(1, 2, Demand.poisson(1.0), 1, 9)
    with pytest.raises(ValueError, match="do not broadcast"):
        lost_sales_order([1, 2, 3], np.zeros((2, 1)), Demand.poisson(1.0), 1, 9)
    with pytest.raises(ValueError, match="at least 16 periods"):
        lost_sales_levels(Demand.poisson(1.0), 1, 9, 1, periods=3)
