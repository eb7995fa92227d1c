import numpy as np
import pytest
from scipy import stats

from fullshelf.kernels.demand_table import tabulate
from fullshelf.kernels.distributions import Demand
from fullshelf.kernels.perishables import perishable_levels
from fullshelf.kernels.perishables_exact import Perishable, base_stock, best_base_stock
from fullshelf.kernels.policies import order_up_to
from fullshelf.kernels.simulation import Supply, simulate


@pytest.mark.parametrize(("life", "issuing"), [(2, "fifo"), (2, "lifo"), (3, "fifo")])
@pytest.mark.parametrize("aware", [False, True])
def test_the_level_costs_little_more_than_the_best(life: int, issuing, aware: bool) -> None:
    demand = Demand.gamma(4.0, 2.0)
    problem = Perishable(tabulate(demand), life, 1, 16, 5, 7, 1, issuing=issuing)
    found = perishable_levels(demand, 1, 5, 7, 1, life, waste_aware=aware, issuing=issuing)
    cost = base_stock(problem, float(found.order_up_to), aware).average_cost()
    assert cost <= 1.01 * best_base_stock(problem, waste_aware=aware).cost


def test_goods_for_one_period_are_the_newsvendors() -> None:
    mean = np.array([1.0, 6.0, 40.0])
    found = perishable_levels(Demand.poisson(mean), 0, 5, 2, lead_time=0, shelf_life=1, periods=4096)
    np.testing.assert_allclose(found.order_up_to, stats.poisson.ppf(5 / 7, mean), atol=1)


def test_the_cost_is_that_of_the_simulation_on_the_same_path() -> None:
    path = np.random.default_rng(1).poisson(5, (1, 3000)).astype(float)
    found = perishable_levels(Demand.poisson(5.0), 1, 9, 4, 1, 4, waste_aware=False, periods=4096)
    run = simulate(path, order_up_to(found.order_up_to), Supply(1, 9, 0, 4, 1, shelf_life=4), score_from=50)
    assert run.cost[0] / run.periods == pytest.approx(found.cost, rel=0.1)


def test_levels_do_not_depend_on_neighbours_or_threads() -> None:
    draw = np.random.default_rng(2)
    mean, life = draw.gamma(1, 4, 150) + 0.1, draw.integers(1, 5, 150)
    together = perishable_levels(Demand.poisson(mean), 1, 9, 3, 1, life, parallel=True, periods=128)
    one = perishable_levels(Demand.poisson(mean[7]), 1, 9, 3, 1, life[7], periods=128)
    assert (together.order_up_to[7], together.cost[7], together.waste[7]) == (one.order_up_to, one.cost, one.waste)


def test_a_longer_life_never_needs_more_waste() -> None:
    found = perishable_levels(Demand.poisson(5.0), 1, 9, 4, 1, np.arange(1, 8), waste_aware=False)
    assert (np.diff(found.waste) <= 1e-12).all()
    assert (np.diff(found.cost) <= 1e-12).all()


def test_what_has_no_answer_is_nan_and_harms_no_other() -> None:
    found = perishable_levels(
        Demand.poisson(2.0), [1, -1, 1, 1, 1], [9, 9, 0, 9, 9], 1, [1, 1, 1, 0.5, 1], [2, 2, 2, 2, 0]
    )
    assert np.isnan(found.order_up_to).tolist() == [False, True, True, True, True]
    with pytest.raises(ValueError, match="issuing"):
        perishable_levels(Demand.poisson(2.0), 1, 1, 1, 1, 1, issuing="any")  # type: ignore[arg-type]
