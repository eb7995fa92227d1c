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

    @property
    def name(self) -> str:
        """Resource and scope, as a person says them.

        Examples
        --------
        >>> Limit("capital", "all", 100.0).name, Limit("volume", "location=Berlin", 9.0).name
        ('capital', 'volume of location Berlin')
        """
        field, _, value = self.scope.partition("=")
        return f"{self.resource} of {field} {value}" if value else self.resource

    def claims(self, values: pl.DataFrame) -> Array:
        """Return what one unit of each series uses (S,); 0 outside the scope or where it is not known.

        Parameters
        ----------
        values
            S rows: location, unit_cost, unit_price, volume, supplier, category.
        """
        field, _, value = self.scope.partition("=")
        inside = pl.lit(True)
        if field != "all":
            name = pl.col(field)
            inside = (name == value) | (name.str.starts_with(value + "/") if field == "category" else pl.lit(False))
        within = values.select(pl.when(inside).then(1.0).otherwise(0.0).alias("share"))["share"].to_numpy()
        return np.where(np.broadcast_to(within, values.height) > 0.0, claim_of(self.resource, values), 0.0)


def claim_of(resource: str, values: pl.DataFrame) -> Array:
    """Return what one unit of each series uses of a resource (S,), whatever the scope; 0 where it is not known."""
    each = {
        "capital": pl.coalesce("unit_cost", "unit_price"),
        "volume": pl.col("volume"),
        "units": pl.lit(1.0),
    }[resource]
    return values.with_columns(claim=each.cast(pl.Float64).fill_null(0.0))["claim"].to_numpy()


def read_limits(table: pl.DataFrame) -> list[Limit]:
    """Return the limits of a checked table, in the order of resource and scope."""
    rows = table.select("resource", "scope", "amount").sort("resource", "scope", "amount").iter_rows()
    return [Limit(*row) for row in rows]
