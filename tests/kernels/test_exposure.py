import numpy as np
import pytest

from fullshelf.kernels.exposure import NOTHING, fill_exposure


def exposure_of(units: list[float], observed: list[float], factor: np.ndarray = NOTHING) -> tuple[float, list[float]]:
    out = np.empty(len(units))
    total = fill_exposure(np.array(units, dtype=np.float32), np.array(observed, dtype=np.float32), factor, out)
    return total, out.tolist()


def test_a_period_in_stock_shows_all_and_a_stocked_out_one_nothing() -> None:
    assert exposure_of([5, 5, 0], [1.0, 0.25, 0.0]) == (1.5, [1.0, 0.5, 0.0])


def test_a_promotion_shows_more_than_an_ordinary_period() -> None:
    total, exposure = exposure_of([5, 20], [1.0, 0.25], np.array([1, 4], dtype=np.float32))
    assert exposure == [1.0, 2.0]
    assert total == 3.0


def test_sales_that_were_never_in_stock_are_taken_as_they_are() -> None:
    assert exposure_of([3, 0], [0.0, 0.0]) == (2.0, [1.0, 1.0])


@pytest.mark.parametrize("units", [[], [0.0, 0.0]])
def test_nothing_sold_shows_nothing(units: list[float]) -> None:
    assert exposure_of(units, [1.0] * len(units))[0] == 0.0
