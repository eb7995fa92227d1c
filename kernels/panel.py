"""From the rows of a shard to a panel: one cell for each series and period, without a sort.

Several rows may fall into one cell. Their sum must not depend on their order (files arrive in any order, and a night's
rows lie in another part than last year's), so sums carry their rounding error along: with float32 terms they are exact.
"""

import math

import numpy as np
from numpy.typing import NDArray

from fullshelf.kernels.compile import core, loop

__all__ = ["NEVER", "add", "fill", "first_periods", "mean"]

NEVER = np.int32(2**31 - 1)  # the period of a row that does not count
_UNITS = 0  # places in a cell: a sum and its rounding error, for means also how many terms
_STOCK = 2
_VALUES = 5
_FIELDS = 3


@core
def add(sums: NDArray[np.float64], at: int, term: float) -> None:
    """Add a term to the pair (sum, rounding error) at sums[at], sums[at + 1] (Knuth's TwoSum)."""
    before = sums[at]
    after = before + term
    part = after - before
    sums[at] = after
    sums[at + 1] += (before - (after - part)) + (term - part)


@core
def mean(sums: NDArray[np.float64], at: int) -> float:
    """Return (sum + rounding error) / number of terms, from sums[at], sums[at + 1], sums[at + 2]."""
    result: float = (sums[at] + sums[at + 1]) / sums[at + 2]
    return result


@loop
def first_periods(
    periods: NDArray[np.int32], begin: NDArray[np.int64], end: NDArray[np.int64], last: int
) -> NDArray[np.int32]:
    """Return the first period of each series, NEVER where it has no row up to `last`.

    Parameters
    ----------
    periods
        (n,) of the rows.
    begin, end
        (G, S) where the rows of each series begin and end, in each of G parts.
    """
    G, S = begin.shape
    out = np.full(S, NEVER, np.int32)
    for g in range(G):
        for s in range(S):
            for i in range(begin[g, s], end[g, s]):
                if periods[i] <= last and periods[i] < out[s]:
                    out[s] = periods[i]
    return out


@loop
def fill(
    periods: NDArray[np.int32],
    units: NDArray[np.float32],
    in_stock: NDArray[np.float32],
    values: NDArray[np.float32],
    begin: NDArray[np.int64],
    end: NDArray[np.int64],
    first: NDArray[np.int32],
    offsets: NDArray[np.int64],
    priced: int,
    gap: NDArray[np.float32],
    out_units: NDArray[np.float32],
    out_observed: NDArray[np.float32],
    out_values: NDArray[np.float32],
) -> None:
    """Fill the cells of S series.

    Units of a cell are the sum of its positive rows; returns are left out. The share in stock and each value are the
    mean over the rows that know it, the price weighted with units where there are any. Without a row a period sold
    nothing and was in stock; its price, like that of a row without one, is the last known; other values are `gap`.

    Parameters
    ----------
    periods
        (n,) of the rows; those outside a series' cells are passed over.
    units, in_stock
        (n,) of the rows; a share in stock of NaN is unknown.
    values
        (K, n) covariates of the rows, NaN = unknown.
    begin, end
        (G, S) where the rows of each series begin and end, in each of G parts.
    first
        (S,) first period of each series.
    offsets
        (S + 1,) cells of each series.
    priced
        Which covariate is the price; -1 if none.
    gap
        (K,) value of a period without a row.
    out_units, out_observed, out_values
        (N,), (N,) and (N, K) receive the cells.
    """
    G, S = begin.shape
    K = values.shape[0]
    weighted = _VALUES + _FIELDS * K  # price times units, and the units
    has_row = weighted + 4
    longest = 0
    for s in range(S):
        longest = max(longest, offsets[s + 1] - offsets[s])
    cells = np.empty((longest, has_row + 1))
    for s in range(S):
        T = offsets[s + 1] - offsets[s]
        cells[:T] = 0.0
        for g in range(G):
            for i in range(begin[g, s], end[g, s]):
                t = np.int64(periods[i]) - first[s]
                if t < 0 or t >= T:
                    continue
                cell = cells[t]
                cell[has_row] = 1.0
                if units[i] > 0:
                    add(cell, _UNITS, units[i])
                if not math.isnan(in_stock[i]):
                    add(cell, _STOCK, in_stock[i])
                    cell[_STOCK + 2] += 1.0
                for k in range(K):
                    value = values[k, i]
                    if not math.isnan(value):
                        add(cell, _VALUES + _FIELDS * k, value)
                        cell[_VALUES + _FIELDS * k + 2] += 1.0
                        if k == priced and units[i] > 0:
                            add(cell, weighted, np.float64(units[i]) * np.float64(value))
                            add(cell, weighted + 2, units[i])
        price = np.float32(np.nan)
        for t in range(T):
            cell, at = cells[t], offsets[s] + t
            out_units[at] = cell[_UNITS] + cell[_UNITS + 1]
            share = mean(cell, _STOCK) if cell[_STOCK + 2] > 0 else 1.0
            out_observed[at] = min(max(share, 0.0), 1.0)
            for k in range(K):
                place = _VALUES + _FIELDS * k
                known = cell[place + 2] > 0
                if k == priced:
                    if cell[weighted + 2] > 0:
                        total = cell[weighted] + cell[weighted + 1]
                        price = np.float32(total / (cell[weighted + 2] + cell[weighted + 3]))
                    elif known:
                        price = np.float32(mean(cell, place))
                    out_values[at, k] = price
                elif known:
                    out_values[at, k] = mean(cell, place)
                else:
                    out_values[at, k] = np.float32(np.nan) if cell[has_row] > 0 else gap[k]
