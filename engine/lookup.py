"""Find the rows of a table by sku and location, a few thousand keys at a time, without scanning the table."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fullshelf.engine.series_numbers import key_hashes

__all__ = ["KeyIndex"]

NOWHERE = "\x00"  # stands for no location in the hash; no location has this name


class KeyIndex:
    """An index over the unique keys of a table. Built in n log n, a look-up costs log n.

    Parameters
    ----------
    table
        Columns sku and location; a null location is a key of its own.
    """

    def __init__(self, table: pl.DataFrame) -> None:
        self._sku, self._location = table["sku"], table["location"].fill_null(NOWHERE)
        hashes = key_hashes(self._sku, self._location)
        self._order = np.argsort(hashes, kind="stable")
        self._hashes = hashes[self._order]

    def find(self, sku: pl.Series, location: pl.Series | None) -> NDArray[np.int64]:
        """Return the table's row for each key, -1 where it has none. `location` None: rows without location."""
        rows = np.full(sku.len(), -1, np.int64)
        if self._hashes.size == 0 or sku.len() == 0:
            return rows
        where = pl.Series([NOWHERE]).new_from_index(0, sku.len()) if location is None else location
        wanted = key_hashes(sku, where)
        at = np.searchsorted(self._hashes, wanted)
        open_ = np.arange(sku.len())
        while open_.size:  # once, but for two keys with one hash
            inside = at[open_] < self._hashes.size
            open_ = open_[inside]
            open_ = open_[self._hashes[at[open_]] == wanted[open_]]
            candidate = self._order[at[open_]]
            same = (self._sku.gather(candidate) == sku.gather(open_)) & (
                self._location.gather(candidate) == where.gather(open_)
            )
            hit = same.to_numpy()
            rows[open_[hit]] = candidate[hit]
            open_ = open_[~hit]
            at[open_] += 1
        return rows
