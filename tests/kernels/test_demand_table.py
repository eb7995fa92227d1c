import numpy as np
import pytest
from scipy import stats

from fullshelf.kernels.demand_table import checked_table, sum_of_periods, tabulate
from fullshelf.kernels.distributions import Demand


def test_a_table_is_the_distribution_with_its_tail_in_the_last_entry() -> None:
    table = tabulate(Demand.poisson([3.0, 8.0]), tail=1e-4)
    assert table.shape == (2, int(stats.poisson.isf(1e-4, 8)) + 1)
    np.testing.assert_allclose(table.sum(1), 1, rtol=1e-14)
    np.testing.assert_allclose(table[1, :-1], stats.poisson.pmf(np.arange(table.shape[1] - 1), 8), rtol=1e-10)


def test_continuous_demand_is_rounded_to_the_nearest_unit() -> None:
    table = tabulate(Demand.gamma(4.0, 2.0))
    edges = stats.gamma.cdf(np.arange(table.size) + 0.5, 4, scale=1)
    np.testing.assert_allclose(table[:-1], np.diff(edges, prepend=0)[:-1], rtol=1e-8, atol=1e-15)


def test_the_total_of_periods_is_their_convolution() -> None:
    table = tabulate(Demand.poisson(2.0))
    three = sum_of_periods(table, 3)
    np.testing.assert_allclose(three[:20], stats.poisson.pmf(np.arange(20), 6), rtol=1e-9, atol=1e-12)
    assert sum_of_periods(table, 0).tolist() == [1.0]


def test_what_is_no_distribution_is_refused() -> None:
    with pytest.raises(ValueError, match="has no demand distribution"):
        tabulate(Demand.poisson([1.0, -1.0]))
    with pytest.raises(ValueError, match="can be negative"):
        tabulate(Demand.normal(1.0, 1.0))
    with pytest.raises(ValueError, match="more than 4194304"):
        tabulate(Demand.poisson(1e9))
    with pytest.raises(ValueError, match="sum to 1"):
        checked_table([0.5, 0.4])
    with pytest.raises(ValueError, match="inside"):
        tabulate(Demand.poisson(1.0), tail=0)
