"""Stock as the planning kernels read it: on hand, owed, and arrivals in one ragged array."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class StockPosition:
    """What S series have, owe and await."""

    on_hand: NDArray[np.float64]  # (S,) units
    owed: NDArray[np.float64]  # (S,) units, backorders
    offsets: NDArray[np.int64]  # (S + 1,) into the next two
    steps: NDArray[np.int64]  # (A,) at the start of period as-of + step; rising within a series
    units: NDArray[np.float64]  # (A,)

    @property
    def on_order(self) -> NDArray[np.float64]:
        """Units on their way (S,)."""
        row = np.repeat(np.arange(self.on_hand.size), np.diff(self.offsets))
        return np.bincount(row, weights=self.units, minlength=self.on_hand.size).astype(np.float64)

    @property
    def inventory_position(self) -> NDArray[np.float64]:
        """On hand + on order - backorders (S,)."""
        return self.on_hand + self.on_order - self.owed


def stock_position(stock: pl.DataFrame, lead: NDArray[np.int64]) -> StockPosition:
    """Read the stock frame; `lead` (S,) is the lead time in periods.

    What is on order without dates was ordered within the last lead time, so it will arrive within the next: it is taken
    to come in equal parts at the start of each of the next L periods (all of it for the next period if L = 0). Arrivals
    that are overdue count as arriving for the next period.
    """
    S = stock.height
    numbers = {name: stock[name].fill_null(0.0).to_numpy() for name in ("on_hand", "on_order", "backorders")}
    dated = (
        stock.select(row=pl.int_range(S), arrival=pl.col("arrivals"))
        .filter(pl.col("arrival").list.len() > 0)
        .explode("arrival")
        .unnest("arrival")
        .drop_nulls()
    )
    row, step, units = (dated[name].to_numpy() for name in ("row", "step", "units"))
    undated = numbers["on_order"] > 0
    undated[row] = False
    parts = np.where(undated, np.maximum(lead, 1), 0)
    guessed = np.repeat(np.arange(S), parts)
    row = np.concatenate([row, guessed])
    step = np.concatenate([step, np.arange(guessed.size) - np.repeat(np.cumsum(parts) - parts, parts) + 1])
    units = np.concatenate([units, numbers["on_order"][guessed] / parts[guessed]])
    order = np.lexsort((step, row))
    offsets = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=S))]).astype(np.int64)
    return StockPosition(
        on_hand=np.maximum(numbers["on_hand"], 0.0),
        owed=np.maximum(numbers["backorders"], 0.0),
        offsets=offsets,
        steps=np.maximum(step[order].astype(np.int64), 1),
        units=units[order].astype(np.float64),
    )


def overdue(stock: pl.DataFrame) -> pl.Series:
    """Return the units (S,) whose arrival was due by the end of the as-of period."""
    late = pl.when(pl.element().struct.field("step") <= 0).then(pl.element().struct.field("units"))
    return stock.select(pl.col("arrivals").list.eval(late).list.sum().fill_null(0.0).alias("overdue")).to_series()
