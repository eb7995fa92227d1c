"""The textbook's level and orders beside the formula written out."""

from statistics import NormalDist

import numpy as np
import pytest

from fullshelf.kernels.textbook import newest_moments, smaller_lots, textbook_level, textbook_orders


@pytest.mark.parametrize("ratio", [0.01, 0.5, 0.9, 0.999])
def test_the_level_is_mean_plus_safety(ratio: float) -> None:
    expected = max(3.0 * 5 + NormalDist().inv_cdf(ratio) * 2.0 * 5**0.5, 0.0)
    assert textbook_level(3.0, 2.0, 5.0, ratio) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("ratio", [0.0, 1.0])
def test_a_ratio_without_a_quantile_still_has_a_level(ratio: float) -> None:
    assert np.isfinite(textbook_level(3.0, 2.0, 5.0, ratio))


def test_the_newest_periods_decide_and_a_series_of_one_period_has_no_deviation() -> None:
    units, offsets = np.float32([100, 1, 4, 7, 5]), np.array([0, 4, 5])
    mean, sd = np.empty(2), np.empty(2)
    newest_moments(units, offsets, 3, mean, sd)
    np.testing.assert_allclose(mean, [4.0, 5.0])
    np.testing.assert_allclose(sd, [np.std([1, 4, 7], ddof=1), 0.0])


@pytest.mark.parametrize(
    ("level", "position", "pack", "moq", "most", "order"),
    [
        (10, 10, 1, 0, np.inf, 0),
        (10, 12, 1, 0, np.inf, 0),
        (10, 7.6, 1, 0, np.inf, 2),
        (10, 7, 4, 0, np.inf, 4),
        (10, 7, 4, 9, np.inf, 12),
        (30, 7, 4, 0, 21, 20),
        (30, 7, 4, 9, 8, 0),
    ],
)
def test_an_order_is_whole_packs_at_least_the_moq_and_fits(level, position, pack, moq, most, order) -> None:  # type: ignore[no-untyped-def]
    out = np.empty(1)
    textbook_orders(*(np.array([float(x)]) for x in (level, position, pack, moq, most)), out)
    assert out[0] == order


def test_a_share_of_an_order_is_whole_packs_or_nothing() -> None:
    out = np.empty(3)
    smaller_lots(
        np.array([12.0, 12.0, 7.0]), np.array([0.6, 0.4, 1.0]), np.array([4.0, 4.0, 1.0]), np.full(3, 7.0), out
    )
    assert out.tolist() == [0.0, 0.0, 7.0]
    smaller_lots(np.array([12.0]), np.array([0.7]), np.array([4.0]), np.array([5.0]), out[:1])
    assert out[0] == 8.0
