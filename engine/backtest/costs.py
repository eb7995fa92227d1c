"""Costs and rules of supply by which the shops live, the same for every contender."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fullshelf.kernels.shop_steps import SUMS

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

SLACK = 1e-9
ORDERED = ("ordered", "spend")  # units and currency of the orders placed in a round
COSTS = ("holding_cost", "shortage_cost", "order_cost", "waste_cost")
MEASURES = (*SUMS, *ORDERED, *COSTS, "capital")  # what is summed up for each series and round


@dataclass(frozen=True, slots=True)
class Costs:
    """(S,) each, completed; a series that is not planned has costs of 0."""

    planned: NDArray[np.bool_]
    unit: Array  # currency per unit
    holding: Array  # currency per unit left at the end of a period
    shortage: Array  # currency per unit lost, or owed at the end of a period
    order: Array  # currency per order, booked on arrival
    waste: Array  # currency per unit thrown away
    lead: Ints  # periods
    review: Ints  # periods: never shorter than the time between rounds
    life: Ints  # periods; 0: keeps, or longer than the backtest
    pack: Array  # units
    moq: Array  # units
    max_stock: Array  # units; inf: none

    def some(self, rows: Ints) -> Costs:
        """Return the costs of some series (n,), which may come more than once."""
        return Costs(*(getattr(self, f.name)[rows] for f in fields(self)))

    @property
    def ratio(self) -> Array:
        """Critical ratio (S,): shortage over shortage + holding of a review period + waste of its share of a life."""
        share = np.where(self.life > self.review, self.review / np.maximum(self.life, 1), 1.0)
        waste = np.where(self.life > 0, share * self.waste, 0.0)
        ratio: Array = self.shortage / np.maximum(self.shortage + self.holding * self.review + waste, 1e-12)
        return ratio

    def money(self, sums: Array, ordered: Array) -> Array:
        """Turn sums (S, 7) of `live_on` and orders (S,) into `MEASURES` (S, M)."""
        _, _, short, wasted, left, orders, _ = sums.T
        columns = (
            ordered,
            ordered * self.unit,
            self.holding * left,
            self.shortage * short,
            self.order * orders,
            self.waste * wasted,
            self.unit * left,
        )
        return np.column_stack([sums, *columns])


def costs_of(supply: pl.DataFrame, every: int, periods: int) -> Costs:
    """Read a supply frame; `every` periods between rounds, `periods` are lived."""

    def column(name: str, null: float) -> Array:
        return supply[name].fill_null(null).cast(pl.Float64).to_numpy()

    planned = supply["planned"].to_numpy()
    paid = supply.select(pl.coalesce("unit_cost", "unit_price", "shortage_cost").fill_null(0.0)).to_series().to_numpy()
    life = column("shelf_life", np.inf)
    life = np.where(life > periods + 1, 0.0, np.ceil(life - SLACK))  # start stock is one period old
    pack = column("pack_size", 1.0)

    def of_planned(values: Array) -> Array:
        return np.where(planned, np.maximum(values, 0.0), 0.0)

    return Costs(
        planned=planned,
        unit=of_planned(paid),
        holding=of_planned(column("holding_cost", 0.0)),
        shortage=of_planned(column("shortage_cost", 0.0)),
        order=of_planned(column("order_cost", 0.0)),
        waste=of_planned(paid - column("salvage_value", 0.0)),
        lead=np.maximum(np.ceil(column("lead_time", 0.0) - SLACK), 0).astype(np.int64),
        review=np.maximum(np.ceil(column("review_period", 1.0) - SLACK), every).astype(np.int64),
        life=life.astype(np.int64),
        pack=np.where(pack > 0, pack, 1.0),
        moq=column("moq", 0.0),
        max_stock=column("max_stock", np.inf),
    )
