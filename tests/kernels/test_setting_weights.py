import numpy as np
import pytest

from fullshelf.kernels.setting_weights import LOOK_AHEAD, horizons, weigh_settings


def weights(error, count, penalty, floor=0.0):
    weight = np.empty(error.shape[1])
    best = weigh_settings(np.array(error, float), np.array(count, float), floor, np.array(penalty, float), weight)
    return weight, best


def test_weights_are_those_of_a_slow_reference():
    rng = np.random.default_rng(0)
    error, count, penalty = rng.uniform(50, 60, (3, 8)), np.array([40.0, 38.0, 30.0]), rng.uniform(0, 8, 8)
    criterion = [count[0] * np.mean([np.log(error[k, g] / count[k]) for k in range(3)]) + penalty[g] for g in range(8)]
    expected = np.exp(-0.5 * (np.array(criterion) - min(criterion)))
    expected[expected <= 1e-3] = 0
    got, best = weights(error, count, penalty)
    np.testing.assert_allclose(got, expected / expected.sum(), rtol=1e-12)
    assert best == np.argmin(criterion)


def test_settings_that_fit_alike_share_the_weight_and_a_penalty_takes_from_it():
    got, _ = weights(np.ones((2, 3)), [10, 9], [0, 0, 2])
    np.testing.assert_allclose(got[:2], got[0])
    assert got[2] == pytest.approx(got[0] * np.exp(-1))


def test_a_perfect_fit_of_all_leaves_equal_weights():
    got, _ = weights(np.zeros((1, 4)), [10], np.zeros(4), floor=1e-300)
    np.testing.assert_allclose(got, 0.25)


def test_without_any_error_known_only_the_penalty_speaks():
    got, best = weights(np.zeros((2, 2)), [0, 0], [4, 0])
    assert best == 1
    assert got[1] > got[0] > 0


def test_the_horizons_that_count_reach_to_a_third_of_the_history():
    for n in range(1, 60):
        assert horizons(n) == 1 + sum(ahead <= n // 3 for ahead in LOOK_AHEAD[1:])
