"""What every newsvendor answers: a quantity, and what it costs to be wrong on either side."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from fullshelf.kernels.blocks import FloatArray, floats
from fullshelf.kernels.compile import core

__all__ = ["Newsvendor", "critical_ratio", "from_prices", "mismatch_cost"]


@dataclass(frozen=True, slots=True)
class Newsvendor:
    """The best stock for one period and what to expect of it, one entry for each SKU.

    Attributes
    ----------
    quantity
        Stock that minimises the expected cost, units.
    critical_ratio
        underage / (underage + overage): the probability with which the stock should suffice.
    cost
        Expected underage and overage cost, currency.
    expected_shortage, expected_leftover
        E[(X - quantity)+] and E[(quantity - X)+], units.
    """

    quantity: FloatArray
    critical_ratio: FloatArray
    cost: FloatArray
    expected_shortage: FloatArray
    expected_leftover: FloatArray


@core
def mismatch_cost(under: float, over: float, short: float, left: float) -> float:
    """Return under x shortage + over x leftover, where an endless leftover that costs nothing costs nothing.

    >>> mismatch_cost(9.0, 1.0, 0.5, 2.0), mismatch_cost(9.0, 0.0, 0.0, np.inf)
    (6.5, 0.0)
    """
    return under * short + (over * left if over > 0.0 else 0.0)


def critical_ratio(underage_cost: ArrayLike, overage_cost: ArrayLike) -> FloatArray:
    """Return underage / (underage + overage); NaN where a cost is negative or infinite, or both are 0.

    >>> float(critical_ratio(0.7, 0.18).round(4))
    0.7955
    """
    under, over = floats(underage_cost), floats(overage_cost)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        total = under + over
        ratio: FloatArray = np.where((np.minimum(under, over) >= 0.0) & (total < np.inf), under / total, np.nan)
    return ratio[()]


def from_prices(
    price: ArrayLike, unit_cost: ArrayLike, salvage_value: ArrayLike = 0.0, goodwill_cost: ArrayLike = 0.0
) -> tuple[FloatArray, FloatArray]:
    """Return the underage cost price - unit cost + goodwill and the overage cost unit cost - salvage value.

    All in currency per unit. Where they come out negative (sold at a loss, or salvaged at a gain) the newsvendor
    answers NaN, for then the best stock is none or endless.

    >>> under, over = from_prices(price=1.0, unit_cost=0.3, salvage_value=0.12)
    >>> round(float(under), 12), round(float(over), 12)
    (0.7, 0.18)
    """
    price, unit_cost = floats(price), floats(unit_cost)
    return price - unit_cost + floats(goodwill_cost), unit_cost - floats(salvage_value)
