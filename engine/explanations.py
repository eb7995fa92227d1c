"""What each order is made of, in numbers: the table beside `orders`, for programs and for the curious.

`reason` says it in a sentence; these columns let one add up: best_quantity = level - covered, and order_quantity =
max(best_quantity, 0) + lot_units, where lot_because names what adds or takes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

if TYPE_CHECKING:
    from fullshelf.engine.planning import OrderProblem

Array = NDArray[np.float64]

COLUMNS = {
    "expected_demand": "units in the protection interval",
    "cycle_demand": "units in the periods from the arrival to the next order's arrival",
    "safety_units": "units that the best level holds above the expected demand",
    "covered": "units on hand and on their way, less what is owed",
    "lost_before": "units of sales expected to be lost before the order can arrive",
    "best_quantity": "units without packs, minimum, stock limit and persons; negative: too much is there",
    "lot_units": "units that packs, minimum, lots, limits or persons add, or take",
    "lot_because": "pack, minimum, economic lot, stock limit, tuned cap, limit, person, waits, or none",
    "underage_cost": "currency per unit short that decides",
    "overage_cost": "currency per unit left over that decides",
    "decided_by": "costs, cycle service, fill rate, or person",
    "promised": "the cycle service or fill rate that is promised; null: none",
    "shadow_price": "currency per unit ordered, for the limits that it uses",
    "limit": "the limit that asks most of it; null: no limit binds",
    "limit_cost": "currency: shadow price of all units ordered",
    "tuned_demand": "what tuning multiplied the forecast demand by; 1: nothing",
    "tuned_shortage": "what tuning multiplied the cost of a unit short by; 1: nothing",
}


def explanations(
    problem: OrderProblem, free: Array, price: Array, quantity: Array, limit: pl.Series | None = None
) -> pl.DataFrame:
    """Return `COLUMNS` for each of S series.

    Parameters
    ----------
    free
        (S,) best order without packs, minimum and stock limit, units.
    price
        (S,) shadow price, currency per unit ordered.
    quantity
        (S,) the order, units.
    limit
        (S,) name of the limit whose price weighs most; null or None: none.
    """
    terms, position = problem.terms, problem.position.inventory_position
    best = np.where(problem.underage - price > 0, free, np.minimum(free, 0.0))
    wanted, pack, smallest = np.maximum(best, 0.0), terms.pack, problem.smallest
    lot = quantity - wanted
    by_hand, by_fill = ~np.isnan(problem.fixed), ~np.isnan(problem.fill)
    promised = ~np.isnan(problem.target)
    some, more = quantity > 0, lot > 0
    capped = np.isfinite(problem.tuned.cap) & (problem.most < terms.max_stock - position)
    because = np.select(
        [
            by_hand,
            np.abs(lot) < 1e-9,
            some & capped & (problem.most < wanted) & (quantity > problem.most - pack),
            (problem.most < wanted) & (quantity > problem.most - pack) | ~some & (problem.most < smallest),
            ~some & (price > 0) | some & ~more & (price > 0) & (-lot >= pack),
            ~some,
            more & (quantity == smallest) & (problem.policy == 2),
            more & (quantity == smallest) & (smallest > pack),
            (price > 0) & (np.abs(lot) >= pack),
        ],
        ["person", "none", "tuned cap", "stock limit", "limit", "waits", "economic lot", "minimum", "limit"],
        "pack",
    )
    promise = np.where(by_fill, problem.fill, problem.target)
    return pl.DataFrame(
        {
            "expected_demand": problem.mean,
            "cycle_demand": problem.mean * (problem.review / problem.periods),
            "safety_units": position + best - problem.mean,
            "covered": position,
            "lost_before": problem.lost_before,
            "best_quantity": best,
            "lot_units": lot,
            "lot_because": because,
            "underage_cost": problem.underage,
            "overage_cost": problem.deciding,
            "decided_by": np.select([by_hand, by_fill, promised], ["person", "fill rate", "cycle service"], "costs"),
            "promised": pl.Series(promise, dtype=pl.Float64).fill_nan(None),
            "shadow_price": price,
            "limit": pl.Series([None] * quantity.size, dtype=pl.String) if limit is None else limit,
            "limit_cost": price * quantity,
            "tuned_demand": problem.tuned.demand,
            "tuned_shortage": problem.tuned.shortage,
        }
    )
