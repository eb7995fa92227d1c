"""Sums of errors beside the definitions written out."""

import numpy as np

from fullshelf.kernels.forecast_errors import forecast_errors


def test_sums_are_those_of_the_definitions_and_leave_out_what_is_not_known() -> None:
    random = np.random.default_rng(0)
    S, H, levels = 3, 5, np.array([0.1, 0.5, 0.95])
    q = np.sort(random.gamma(2, 3, (S, H, 3)), axis=2).astype(np.float32)
    mean, truth, known = q.mean(axis=2).astype(float), random.poisson(6, (S, H)) * 1.0, random.random((S, H)) < 0.7
    sums, covered = np.empty((S, 5)), np.empty((S, 3), np.int64)
    forecast_errors(levels, np.array([True, True, False]), 1, q, mean, truth, known, sums, covered)
    error = truth[:, :, None] - q
    pinball = np.maximum(levels * error, (levels - 1) * error)
    expected = [
        known.sum(1),
        (truth * known).sum(1),
        2 * (pinball[:, :, :2].mean(2) * known).sum(1),
        (np.abs(error[:, :, 1]) * known).sum(1),
        ((mean - truth) * known).sum(1),
    ]
    np.testing.assert_allclose(sums, np.column_stack(expected), rtol=1e-6)
    np.testing.assert_array_equal(covered, ((error <= 0) & known[:, :, None]).sum(1))


def test_without_a_median_and_without_weighed_levels_nothing_is_claimed() -> None:
    sums, covered = np.empty((1, 5)), np.empty((1, 1), np.int64)
    one = np.ones((1, 1))
    forecast_errors(
        np.array([0.9]), np.array([False]), -1, np.ones((1, 1, 1), np.float32), one, one, one > 0, sums, covered
    )
    assert np.isnan(sums[0, [2, 3]]).all()
