import numpy as np
import pytest

from fullshelf.kernels.demand_paths import TABLE, common_share, draw_demand, fill_table, path_nodes
from fullshelf.kernels.levels import level_array
from fullshelf.kernels.quantile_grid import grid_mean, grid_quantile, grid_sd, knots

L = level_array()


def table(quantiles):
    levels, values = knots(L, np.asarray(quantiles, float)[None])
    out = np.empty(TABLE)
    fill_table(levels, values[0], path_nodes().table, out)
    return out


def draw(singles, total, within, share, begin=0):
    nodes = path_nodes()
    demand = np.empty((len(singles), nodes.score.size))
    sd = grid_sd(*knots(L, np.asarray(singles, float)))[:within]
    draw_demand(np.array([table(q) for q in singles]), table(total), begin, within, sd, share, nodes, demand)
    return demand, nodes.weight


def test_nodes_are_weights_of_a_distribution_and_scores_without_correlation():
    nodes = path_nodes()
    N = nodes.score.size
    assert nodes.weight.sum() == pytest.approx(1)
    assert (np.diff(nodes.score) > 0).all()
    assert nodes.noise @ nodes.noise.T / N == pytest.approx(np.eye(len(nodes.noise)), abs=1e-9)
    assert nodes.noise.mean(axis=1) == pytest.approx(0, abs=0.1)


def test_a_table_holds_the_quantiles_of_its_curve():
    stats = pytest.importorskip("scipy.stats")
    quantiles = stats.gamma.ppf(L, 2, scale=5)
    levels, values = knots(L, quantiles[None])
    at = path_nodes().table
    assert table(quantiles) == pytest.approx([grid_quantile(levels, values, np.array([u]))[0] for u in at])


def test_the_total_of_the_paths_is_the_forecast_total():
    stats = pytest.importorskip("scipy.stats")
    single, total = stats.nbinom.ppf(L, 2, 0.2), stats.nbinom.ppf(L, 6, 0.2)
    demand, weight = draw([single] * 3, total, 3, 0.0)
    sums = demand.sum(axis=0)
    assert (np.diff(sums) >= 0).all()
    reached = np.cumsum(weight)
    for level in (0.1, 0.5, 0.9, 0.95, 0.98, 0.99):
        expected = total[np.isclose(L, level)][0]
        assert np.interp(level, reached - weight / 2, sums) == pytest.approx(expected, rel=0.02)
    assert weight @ sums == pytest.approx(grid_mean(*knots(L, total[None]))[0], rel=0.01)


def test_each_period_keeps_its_own_mean_and_spread():
    stats = pytest.importorskip("scipy.stats")
    singles = [stats.gamma.ppf(L, 4, scale=m / 4) for m in (10, 40, 20)]
    variance = sum(m**2 / 4 for m in (10, 40, 20))
    demand, weight = draw(singles, stats.gamma.ppf(L, 70**2 / variance, scale=variance / 70), 3, 0.0)
    assert demand @ weight == pytest.approx([10, 40, 20], rel=0.05)
    centred = demand - (demand @ weight)[:, None]
    covariance = (centred * weight) @ centred.T
    assert np.sqrt(np.diag(covariance)) == pytest.approx([5, 20, 10], rel=0.12)
    deviations = np.sqrt(np.diag(covariance))
    assert np.abs(covariance / np.outer(deviations, deviations) - np.eye(3)).max() < 0.25


def test_a_common_factor_moves_all_periods_together():
    single = np.linspace(1, 25, 13)
    demand, weight = draw([single] * 4, 4 * single, 4, 1.0)
    assert demand == pytest.approx(np.repeat(demand[:1], 4, axis=0), rel=1e-9)
    assert weight @ demand[0] == pytest.approx(grid_mean(*knots(L, single[None]))[0], rel=0.01)


def test_the_common_share_follows_from_the_variances():
    four = np.ones(4)
    assert common_share(4.0, four) == 0.0
    assert common_share(16.0, four) == 1.0
    assert common_share(10.0, four) == pytest.approx(0.5)
    assert common_share(1.0, four) == 0.0
    assert common_share(9.0, np.array([3.0])) == 0.0


def test_a_total_without_any_single_demand_is_spread_evenly():
    demand, _ = draw([np.zeros(13)] * 2, np.arange(13.0), 2, 0.0)
    assert (demand[0] == demand[1]).all()
    assert demand.sum(axis=0).max() > 11


def test_later_periods_are_drawn_on_but_do_not_change_the_total():
    single, total = np.arange(13.0), 2 * np.arange(13.0)
    two, weight = draw([single] * 2, total, 2, 0.3)
    four, _ = draw([single] * 4, total, 2, 0.3)
    assert (four[:2] == two).all()
    assert four[2:] @ weight == pytest.approx(np.full(2, grid_mean(*knots(L, single[None]))[0]), rel=0.1)


def test_the_stratified_periods_may_begin_later():
    stats = pytest.importorskip("scipy.stats")
    single = stats.gamma.ppf(L, 0.5, scale=20)
    demand, weight = draw([single] * 3, single, 3, 0.0, begin=2)
    reached = np.cumsum(weight) - weight / 2
    assert (np.diff(demand[2]) >= 0).all()
    assert np.interp([0.5, 0.9, 0.99], reached, demand[2]) == pytest.approx(single[[5, 9, 12]], rel=0.02)
    assert demand[:2] @ weight == pytest.approx([10, 10], rel=0.1)
