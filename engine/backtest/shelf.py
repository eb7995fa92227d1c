"""What the series of a shard have, owe and await under one contender."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fullshelf.engine.backtest.costs import Costs
from fullshelf.kernels.shop_steps import SUMS, live_on, put_on_shelf

Array = NDArray[np.float64]
Ints = NDArray[np.int64]


class Shelf:
    """S series at the end of a period; see `fullshelf.kernels.shop_steps` for what the arrays mean."""

    def __init__(self, costs: Costs, every: int, backorder: bool) -> None:
        S = costs.lead.size
        self._costs, self._backorder = costs, backorder
        self._shelves = np.zeros((S, int(costs.life.max(initial=0)) + 1))
        self._owed = np.zeros(S)
        self._coming = np.zeros((S, max(int(costs.lead.max(initial=0)) + 1, every)))

    def put(self, rows: Ints, units: Array) -> None:
        """Begin with units (n,) on the shelves of some series."""
        put_on_shelf(units, rows, self._costs.life, self._shelves)

    def position(self, rows: Ints) -> Array:
        """Inventory position (n,): on hand + on order - backorders."""
        found: Array = self._shelves[rows].sum(axis=1) + self._coming[rows].sum(axis=1) - self._owed[rows]
        return found

    def stock(self, rows: Ints) -> pl.DataFrame:
        """Return what a refresh would read as `stock`: on_hand, on_order, backorders, arrivals, known."""
        coming = self._coming[rows]
        row, column = np.nonzero(coming)
        arrivals = (
            pl.DataFrame({"row": row, "step": (column + 1).astype(np.int32), "units": coming[row, column]})
            .group_by("row", maintain_order=True)
            .agg(arrivals=pl.struct("step", "units"))
        )
        return (
            pl.DataFrame(
                {
                    "row": np.arange(rows.size),
                    "on_hand": self._shelves[rows].sum(axis=1),
                    "on_order": coming.sum(axis=1),
                    "backorders": self._owed[rows],
                }
            )
            .join(arrivals, on="row", how="left", maintain_order="left")
            .with_columns(pl.col("arrivals").fill_null([]), known=pl.lit(True))
            .drop("row")
        )

    def order(self, rows: Ints, quantity: Array) -> None:
        """Order quantities (n,) now: ordered at the end of t, there for t + L + 1."""
        self._coming[rows, self._costs.lead[rows]] += quantity

    def live(self, demand: Array) -> Array:
        """Live the periods of a demand (S, E); return the sums (S, 7) that `live_on` writes."""
        sums = np.empty((demand.shape[0], len(SUMS)))
        live_on(
            np.ascontiguousarray(demand), self._costs.life, self._backorder, self._shelves, self._owed, self._coming,
            sums,
        )  # fmt: skip
        return sums
