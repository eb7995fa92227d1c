"""Shops lived a few periods at a time: for callers who decide orders between the steps, from what has happened so far.

The events of a period are those of `fullshelf.kernels.simulation`: goods arrive, backorders and then demand take the
oldest units, units at the end of their shelf life are thrown away, what is left is held. The caller owns the state:

- shelves (S, M + 1) units by remaining life: entry j can be sold in j + 1 more periods, the last entry keeps for ever;
- owed (S,) backorders in units;
- pipeline (S, W) units: column j arrives at the start of the j-th of the coming periods, counted from 0. An order that
  is placed now with lead time L belongs into column L: ordered at the end of t, there for t + L + 1.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from fullshelf.kernels.compile import loop
from fullshelf.kernels.shop import age, issue

__all__ = ["SUMS", "live_on", "put_on_shelf"]

Array = NDArray[np.float64]

SUMS: Final = ("demand", "sold", "short", "wasted", "left", "orders", "stock_outs")  # columns that `live_on` writes


@loop
def put_on_shelf(units: Array, rows: NDArray[np.int64], life: NDArray[np.int64], shelves: Array) -> None:
    """Put units (n,) on the shelves of some rows (n,), as goods that arrived one period before the next."""
    for i in range(rows.size):
        s = rows[i]
        if life[s] == 0:
            shelves[s, shelves.shape[1] - 1] += units[i]
        elif life[s] > 1:
            shelves[s, life[s] - 2] += units[i]


@loop
def live_on(
    demand: Array,
    life: NDArray[np.int64],
    backorder: bool,
    shelves: Array,
    owed: Array,
    pipeline: Array,
    sums: Array,
) -> None:
    """Live E periods of S shops; shelves, owed and pipeline become those after them.

    Parameters
    ----------
    demand
        (S, E) units.
    life
        (S,) shelf life in periods, at most M; 0: keeps for ever.
    backorder
        Whether demand that is not served is owed, or lost.
    shelves, owed, pipeline
        (S, M + 1), (S,), (S, W) with W at least E; see above.
    sums
        (S, 7) receives the sums over the E periods named by `SUMS`: units of demand; sold in their period; short (lost,
        or owed at the end of a period); wasted; left at the end of a period; arrivals; periods with unserved demand.

    Examples
    --------
    Ten on the shelf, four a period, five arriving for the second of three:

    >>> shelves, owed, pipeline = np.array([[0.0, 10.0]]), np.zeros(1), np.array([[0.0, 5.0, 0.0]])
    >>> sums = np.empty((1, 7))
    >>> live_on(np.full((1, 3), 4.0), np.zeros(1, np.int64), False, shelves, owed, pipeline, sums)
    >>> dict(zip(SUMS, sums[0].tolist()))["left"], shelves.tolist()
    (16.0, [[0.0, 3.0]])
    """
    S, E = demand.shape
    W = pipeline.shape[1]
    for s in range(S):
        shelf, keeps = shelves[s], life[s] == 0
        top = shelf.size - 1 if keeps else life[s] - 1
        behind = owed[s]
        sold = short = wasted = held = orders = stock_outs = demanded = 0.0
        for t in range(E):
            shelf[top] += pipeline[s, t]
            orders += pipeline[s, t] > 0.0
            units = demand[s, t]
            need = units + behind
            if keeps:
                taken = min(shelf[top], need)
                shelf[top] -= taken
                need -= taken
                held += shelf[top]
            else:
                need = issue(shelf, life[s], need, False)
                wasted += age(shelf, life[s])
                for j in range(life[s]):
                    held += shelf[j]
            sold += max(units - need, 0.0)
            behind = need if backorder else 0.0
            demanded += units
            short += need
            stock_outs += need > 0.0
        owed[s] = behind
        for j in range(W):
            pipeline[s, j] = pipeline[s, j + E] if j + E < W else 0.0
        sums[s, 0] = demanded
        sums[s, 1] = sold
        sums[s, 2] = short
        sums[s, 3] = wasted
        sums[s, 4] = held
        sums[s, 5] = orders
        sums[s, 6] = stock_outs
