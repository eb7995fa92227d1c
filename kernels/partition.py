"""Counting sorts over row records: by shard while splitting, by series and day inside a shard.

A record is W words of 32 bits: the number of its series, its day and file packed into one word, then float32 values.
Row-major, so that moving a row touches one cache line, not W.
"""

import numpy as np
from numpy.typing import NDArray

from fullshelf.kernels.compile import loop

__all__ = ["DAY_BITS", "DAY_MASK", "FILES", "FIRST_VALUE", "order", "partition"]

DAY_BITS = 17  # 131,072 days from 1900-01-01 on: until the year 2258
_FILE_BITS = 15
DAY_MASK = (1 << DAY_BITS) - 1
FILES = 1 << _FILE_BITS  # files that one set of shard files can tell apart
FIRST_VALUE = 2  # words before the values


@loop
def partition(
    records: NDArray[np.uint32], shard_of: NDArray[np.uint16], shards: int, out: NDArray[np.uint32]
) -> NDArray[np.int64]:
    """Sort records by shard, keeping their order inside a shard.

    Parameters
    ----------
    records
        (n, W) words.
    shard_of
        The shard of each series number.
    out
        (n, W) receives the sorted records.

    Returns
    -------
    (shards + 1,) offsets: shard k owns out[offsets[k]:offsets[k + 1]].
    """
    offsets = np.zeros(shards + 1, np.int64)
    for i in range(records.shape[0]):
        offsets[shard_of[records[i, 0]] + 1] += 1
    for k in range(shards):
        offsets[k + 1] += offsets[k]
    free = offsets[:-1].copy()
    for i in range(records.shape[0]):
        k = shard_of[records[i, 0]]
        at = free[k]
        free[k] = at + 1
        for w in range(records.shape[1]):
            out[at, w] = records[i, w]
    return offsets


@loop
def order(
    records: NDArray[np.uint32], rank: NDArray[np.uint32], series: int
) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    """Sort the records of a shard by series and day, keeping the order of rows of one day.

    Parameters
    ----------
    records
        (n, W) words.
    rank
        The place in the shard, 0 … series - 1, of each series number.

    Returns
    -------
    (series + 1,) offsets and (W - 1, n) sorted columns: every word but the series number.
    """
    n, W = records.shape
    offsets = np.zeros(series + 1, np.int64)
    for i in range(n):
        offsets[rank[records[i, 0]] + 1] += 1
    for s in range(series):
        offsets[s + 1] += offsets[s]
    free = offsets[:-1].copy()
    rows = np.empty(n, np.int64)
    for i in range(n):
        s = rank[records[i, 0]]
        rows[free[s]] = i
        free[s] += 1
    for s in range(series):
        begin, end = offsets[s], offsets[s + 1]
        rising = True
        for j in range(begin + 1, end):
            if (records[rows[j], 1] & DAY_MASK) < (records[rows[j - 1], 1] & DAY_MASK):
                rising = False
                break
        if not rising:  # rows come by day as a rule, so this sort is seldom needed
            days = np.empty(end - begin, np.int64)
            for j in range(begin, end):
                days[j - begin] = records[rows[j], 1] & DAY_MASK
            rows[begin:end] = rows[begin:end][np.argsort(days, kind="mergesort")]
    out = np.empty((W - 1, n), np.uint32)
    for j in range(n):
        i = rows[j]
        for w in range(1, W):
            out[w - 1, j] = records[i, w]
    return offsets, out
