"""Number the series of a stream of batches, and place each in its shard.

Polars hashes the texts while it reads; a compiled table turns hashes into numbers. A text itself is looked at once,
when its series is new. Measured on 20 M rows of a million SKUs in random order, seconds of processor time: hashes 2.8,
Polars' categories 12.5.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fullshelf.kernels.hashing import hash_pairs
from fullshelf.kernels.numbering import grow, number_rows

__all__ = ["SeriesNumbers", "key_columns", "key_hashes"]

FIRST_SLOTS = 1 << 16
KEY_A, KEY_B = "#a", "#b"


class SeriesNumbers:
    """Series by number, in the order in which they first appear."""

    def __init__(self, shards: int) -> None:
        self.shard_of: NDArray[np.uint16] = np.empty(FIRST_SLOTS, np.uint16)  # by number; longer than needed
        self._shards = shards
        self._slots = np.zeros((FIRST_SLOTS, 2), np.uint64)
        self._count = 0
        self._new: list[pl.DataFrame] = []

    def number(self, batch: pl.DataFrame) -> NDArray[np.uint32]:
        """Return the series number of each row of a batch with sku, location and `key_columns`."""
        a, b = batch[KEY_A].to_numpy(), batch[KEY_B].to_numpy()
        out, first_row = np.empty(a.size, np.uint32), np.empty(a.size, np.int64)
        at, known = 0, self._count
        while True:
            before = self._count
            at, self._count = number_rows(a, b, at, self._slots, before, out, first_row[before - known :])
            if at == a.size:
                break
            self._double()
        if self._count > known:
            self._welcome(batch.select("sku", "location")[first_row[: self._count - known]])
        return out

    def keys(self) -> tuple[pl.DataFrame, NDArray[np.uint32]]:
        """Return sku, location, shard sorted by shard and key; and by number the place inside the shard."""
        new = pl.concat(self._new) if self._new else pl.DataFrame(schema={"sku": pl.String, "location": pl.String})
        shard = pl.Series(self.shard_of[: self._count])
        named = new.with_columns(shard=shard, number=pl.int_range(pl.len(), dtype=pl.UInt32))
        keys = named.sort("shard", "sku", "location")
        shards = keys["shard"].to_numpy()
        rank = np.empty(keys.height, np.uint32)
        rank[keys["number"].to_numpy()] = np.arange(keys.height) - np.searchsorted(shards, shards)
        return keys.drop("number"), rank

    def _double(self) -> None:
        slots = np.zeros((2 * self._slots.shape[0], 2), np.uint64)
        grow(self._slots, slots)
        self._slots = slots

    def _welcome(self, names: pl.DataFrame) -> None:
        """Place new series in their shards."""
        self._new.append(names.select(pl.all().str.slice(0)))  # a copy: the views would keep the batch's text alive
        if self._count > self.shard_of.size:  # a new array, for a thread may still read the old one
            longer = np.empty(2 * self._count, np.uint16)
            longer[: self.shard_of.size] = self.shard_of
            self.shard_of = longer
        hashes = key_hashes(names["sku"], names["location"])
        self.shard_of[self._count - names.height : self._count] = hashes % np.uint64(self._shards)


def key_columns(sku: pl.Expr, location: pl.Expr) -> list[pl.Expr]:
    """Return two columns that together name a series; they mean nothing in another process."""
    return [(sku.hash(1) ^ location.hash(2)).alias(KEY_A), (sku.hash(3) ^ location.hash(4)).alias(KEY_B)]


def key_hashes(sku: pl.Series, location: pl.Series) -> NDArray[np.uint64]:
    """Hash pairs of texts; the same on every machine, for ever.

    Examples
    --------
    >>> hex(key_hashes(pl.Series(["tea"]), pl.Series(["all"]))[0])
    '0x46bfb5d18e9800f'
    """
    return hash_pairs(*_bytes(sku), *_bytes(location))


def _bytes(texts: pl.Series) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    data = np.frombuffer(texts.str.join("").item().encode(), np.uint8)
    return data, texts.str.len_bytes().to_numpy().astype(np.int64).cumsum()
