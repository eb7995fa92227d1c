import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fullshelf.kernels.blend import (
    average_forecasts,
    inverse_square_weights,
    member_weights,
    past_losses,
    single_losses,
)

LEVELS = np.array([0.1, 0.5, 0.9])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_losses_are_the_pinball_losses_of_periods_and_totals(seed):
    rng = np.random.default_rng(seed)
    y = rng.poisson(3, (2, 4)).astype(np.float32)
    q, total = (np.sort(rng.poisson(3 * k, (2, 2, 4, 3)), axis=3).astype(np.float32) for k in (1, 2))
    losses = past_losses(y, np.ones_like(y), LEVELS, q, total)

    def pinball(actual, forecast):
        e = actual[..., None] - forecast
        return np.maximum(LEVELS * e, (LEVELS - 1) * e).sum(-1)

    assert losses[:, :, 0] == pytest.approx(pinball(y, q).sum(-1))
    assert losses[:, :, 1] == pytest.approx((pinball(y.cumsum(1), total) / np.sqrt([1, 2, 3, 4])).sum(-1))


def test_a_stocked_out_period_counts_only_where_more_sold_than_forecast():
    y = np.array([[2, 9]], dtype=np.float32)
    stocked = np.array([[0, 0.5]], dtype=np.float32)
    q = np.full((1, 1, 2, 1), 5, dtype=np.float32)
    total = np.array([5, 10], dtype=np.float32).reshape(1, 1, 2, 1)
    losses = past_losses(y, stocked, np.array([0.5]), q, total)
    assert losses.ravel() == pytest.approx([0.5 * 4, 0.5 * 1 / np.sqrt(2)])


def test_without_evidence_the_prior_speaks():
    weights = member_weights(np.zeros((2, 1, 2)), np.array([0]), np.array([3.0, 1.0]), 1.0)
    assert weights.ravel().tolist() == [0.75, 0.25]
    perfect = member_weights(np.zeros((2, 1, 2)), np.array([3]), np.array([3.0, 1.0]), 1.0)
    assert perfect.ravel().tolist() == [0.75, 0.25]


def test_more_origins_decide_more():
    losses = np.array([[[1.0, 1.0]], [[2.0, 2.0]]])
    ratios = []
    for origins in (1, 2, 3):
        weights = member_weights(losses, np.array([origins]), np.ones(2), 1.0).ravel()
        ratios.append(weights[0] / weights[1])
    assert ratios == pytest.approx([2, 4, 8])


def test_weights_do_not_depend_on_the_unit_of_sales():
    losses = np.random.default_rng(0).uniform(1, 2, (3, 4, 2))
    origins, prior = np.full(4, 2), np.ones(3)
    assert member_weights(losses, origins, prior, 1.0) == pytest.approx(
        member_weights(losses * 1000, origins, prior, 1.0)
    )


def test_quantiles_are_averaged_and_whole_ones_rounded_with_ties_down():
    forecasts = np.array([[[[0, 2]]], [[[1, 3]]]], dtype=np.float32)
    half = np.full((2, 1), 0.5)
    assert average_forecasts(half, np.array([False]), forecasts).ravel().tolist() == [0.5, 2.5]
    assert average_forecasts(half, np.array([True]), forecasts).ravel().tolist() == [0.0, 2.0]
    assert average_forecasts(np.array([[0.4], [0.6]]), np.array([True]), forecasts).ravel().tolist() == [1.0, 3.0]


def test_a_period_not_in_stock_throughout_says_nothing_of_a_single_loss():
    y = np.array([[2, 9, 4], [1, 1, 1]], dtype=np.float32)
    stocked = np.array([[1, 0.5, 1], [0, 0, 0.9]], dtype=np.float32)
    q = np.full((2, 2, 3, 1), 3, dtype=np.float32)
    q[1] += 2
    losses = single_losses(y, stocked, np.array([0.8]), q)
    assert losses.tolist() == [pytest.approx([(0.2 * 1 + 0.8 * 1) / 2, 0]), pytest.approx([(0.2 * 3 + 0.2 * 1) / 2, 0])]


def test_inverse_square_weights_sum_to_one_and_stay_in_bounds_of_a_pair():
    losses = np.random.default_rng(1).exponential(size=(3, 50)) ** 3
    assert inverse_square_weights(losses, 0.1, 0.9).sum(axis=0) == pytest.approx(1)
    pair = inverse_square_weights(losses[:2], 0.1, 0.9)
    assert pair.min() == pytest.approx(0.1)
    assert pair.max() == pytest.approx(0.9)
    assert pair == pytest.approx(inverse_square_weights(losses[:2] * 1e-6, 0.1, 0.9))
    assert inverse_square_weights(np.zeros((3, 1)), 0.1, 0.9).ravel() == pytest.approx(1 / 3)
