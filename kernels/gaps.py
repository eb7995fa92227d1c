"""Gaps: runs of zeros in which an item was not for sale, told by its own sales on both sides.

Out of the shop's range for a season, without a supplier, delisted by mistake: the table of sales shows zeros and no
`in_stock`. Read as low demand they pull the level down for months after the item is back, when shelves are emptied
faster than they are filled. Once the item has sold again, such a run counts as not observed. A run that still lasts
stays what it is: nobody knows whether the item will be back.

A run of r zeros is a gap if n p^r < 0.001, for a history of n periods and p the largest of three shares of zeros: of
the eight periods before it, of the eight after it, and of the whole history without this run and earlier gaps. So a
slow mover, and an item in decline that still sells now and then, keep all their zeros.

A gap is left out for as many periods as it lasted, and eight at least. Later its zeros are again what they were: part
of how often the item could not be had, which will happen again. Measured, weighted quantile loss of M5's days over 28
days and cost of a replay of its weeks: all zeros read 0.5896 and 100 %, all gaps left out 0.5920 and 95.4 %, so 0.5885
and 96 %.
"""

import math

import numpy as np
from numpy.typing import NDArray

from fullshelf.kernels.compile import core, loop

__all__ = ["leave_out_gaps"]

Single = NDArray[np.float32]
Ints = NDArray[np.int64]

CHANCE = 1e-3  # of a run that is none among all places of a history
BESIDE = 8  # periods on each side that show how often the item sells nothing


@core
def zero_share(units: Single, seen: Single, begin: int, step: int, stop: int) -> float:
    """Share of zeros among the next `BESIDE` periods that count, from `begin` on; half a zero is known before."""
    zeros, periods = 0.5, 1.0
    t = begin
    while t != stop and periods <= BESIDE:
        if seen[t] > 0.0:
            periods += 1.0
            zeros += 1.0 if units[t] <= 0.0 else 0.0
        t += step
    return zeros / periods


@loop
def leave_out_gaps(units: Single, observed: Single, offsets: Ints, longest: int) -> Single:
    """Return the shares in stock (N,) with 0 in gaps.

    Parameters
    ----------
    units, observed
        (N,) units and share of the period in stock of all series, oldest first.
    offsets
        (S + 1,) series s owns positions offsets[s] … offsets[s + 1] - 1.
    longest
        Newest periods that are looked at; earlier ones stay as they are.

    Examples
    --------
    >>> units = np.float32([5, 7, 4, 6, 5, 0, 0, 0, 0, 0, 0, 6, 5, 7, 4, 5])
    >>> seen = leave_out_gaps(units, np.ones_like(units), np.array([0, 16]), 728)
    >>> seen.astype(int).tolist()
    [1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1]
    """
    seen = observed.copy()
    for s in range(offsets.size - 1):
        stop = offsets[s + 1]
        start = max(offsets[s], stop - longest)
        t = start
        while t < stop and units[t] <= 0.0:
            t += 1
        counted, zeros = 1.0, 0.5
        for k in range(t, stop):
            counted += 1.0
            zeros += 1.0 if units[k] <= 0.0 else 0.0
        while t < stop:
            if units[t] > 0.0 or observed[t] < 1.0:
                t += 1
                continue
            begin = t
            while t < stop and units[t] <= 0.0 and observed[t] >= 1.0:
                t += 1
            run = t - begin
            if t == stop:
                break
            if stop - t > max(run, BESIDE):
                continue
            share = (zeros - run) / (counted - run)
            share = max(share, zero_share(units, seen, begin - 1, -1, start - 1), zero_share(units, seen, t, 1, stop))
            if math.log(stop - start) + run * math.log(share) < math.log(CHANCE):
                seen[begin:t] = 0.0
                zeros -= run
                counted -= run
    return seen
