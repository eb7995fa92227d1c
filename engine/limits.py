"""Limits: how much capital, volume or units one order round may use, and what each series claims of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Limit:
    """One row of the table `limits`."""

    resource: str  # capital | volume | units
    scope: str  # all, or location=X, supplier=X, category=X
    amount: float  # per order round: currency, m³, units

    def claims(self, values: pl.DataFrame) -> Array:
        """Return what one unit of each series uses (S,); 0 outside the scope or where it is not known.

        Parameters
        ----------
        values
            S rows: location, unit_cost, unit_price, volume, supplier, category.
        """
        each = {
            "capital": pl.coalesce("unit_cost", "unit_price"),
            "volume": pl.col("volume"),
            "units": pl.lit(1.0),
        }[self.resource]
        field, _, value = self.scope.partition("=")
        inside = pl.lit(True)
        if field != "all":
            name = pl.col(field)
            inside = (name == value) | (name.str.starts_with(value + "/") if field == "category" else pl.lit(False))
        claim = pl.when(inside).then(each).otherwise(0.0).fill_null(0.0).cast(pl.Float64)
        return values.with_columns(claim=claim)["claim"].to_numpy()


def read_limits(table: pl.DataFrame) -> list[Limit]:
    """Return the limits of a checked table, in the order of resource and scope."""
    rows = table.select("resource", "scope", "amount").sort("resource", "scope", "amount").iter_rows()
    return [Limit(*row) for row in rows]
