"""OrderPlan: the order of every series with the numbers that explain it."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import polars as pl
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class OrderPlan:
    """One value for each of S series: the columns of the contract's table `orders`.

    What is expected refers to the protection interval (lead time + review period) with the order as it is, after packs.
    """

    policy: pl.Series  # newsvendor | order-up-to | reorder-point | learned
    order_quantity: Array  # units
    order_up_to: Array  # units of inventory position: the best level without packs, MOQ and limits
    reorder_point: Array  # units of inventory position at or below which an order is due; below 0: never, even if empty
    safety_stock: Array  # units, order_up_to less the expected demand
    critical_ratio: Array  # underage cost over underage and overage cost, at the shadow price
    expected_demand: Array  # units per protection interval
    expected_shortage: Array  # units short in the protection interval
    expected_leftover: Array  # units on hand at its end
    expected_cost: Array  # currency: shortage, holding and waste of the interval, and this order's fixed cost
    fill_rate: Array  # share of the expected demand that is served
    shadow_price: Array  # currency per unit ordered, what the limits' resources that it uses are worth
    reason: pl.Series
    explanation: pl.DataFrame  # `explanations.COLUMNS`

    def __post_init__(self) -> None:
        S = len(self.policy)
        for field in fields(self):
            value = getattr(self, field.name)
            if len(value) != S:
                raise ValueError(f"OrderPlan.{field.name}: expected {S} values, got {len(value)}")

    def frame(self, keys: pl.DataFrame) -> pl.DataFrame:
        """Return the table `orders`: sku and location of `keys`, then the fields in the contract's order."""
        columns = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "explanation"}
        return keys.select("sku", "location").with_columns(pl.Series(name, values) for name, values in columns.items())
