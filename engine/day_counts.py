"""The rows of a sales file, counted by day while they are read."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from fullshelf.engine.generations import DayCount
from fullshelf.engine.shard_files import DAY_ZERO
from fullshelf.kernels.partition import DAY_BITS

__all__ = ["DayCounts", "added"]

DAYS = 1 << DAY_BITS


class DayCounts:
    """Counts the rows of one file by day."""

    def __init__(self) -> None:
        self.read = self.used = 0
        self._rows, self._returned = np.zeros(DAYS, np.int64), np.zeros(DAYS, np.int64)
        self._units = np.zeros(DAYS)

    def take(self, read: int, days: NDArray[np.int64], units: NDArray[np.float32]) -> None:
        """Count a batch: rows read, and days (from DAY_ZERO) and units of the good ones."""
        self.read += read
        self.used += days.size
        if days.size:
            first = int(days.min())
            counts = np.bincount(days - first)
            self._rows[first : first + counts.size] += counts
        returned = np.flatnonzero(units < 0)
        np.add.at(self._returned, days[returned], 1)
        np.add.at(self._units, days[returned], units[returned])  # one by one: the sum does not depend on the batches

    def counts(self) -> tuple[DayCount, ...]:
        """Return the days that have rows."""
        days = np.flatnonzero(self._rows)
        columns = (days + DAY_ZERO, self._rows[days], self._returned[days], self._units[days])
        return tuple(DayCount(*row) for row in zip(*(column.tolist() for column in columns), strict=True))


def added(parts: Iterable[Iterable[DayCount]]) -> tuple[DayCount, ...]:
    """Add up the counts of the parts of a file.

    Examples
    --------
    >>> added([[DayCount(3, 2, 1, -0.5)], [DayCount(2, 1, 0, 0.0), DayCount(3, 1, 1, -1.0)]])
    (DayCount(day=2, rows=1, returned_rows=0, returned_units=0.0), \
DayCount(day=3, rows=3, returned_rows=2, returned_units=-1.5))
    """
    by_day: dict[int, list[DayCount]] = defaultdict(list)
    for part in parts:
        for count in part:
            by_day[count.day].append(count)
    return tuple(
        DayCount(
            day,
            sum(count.rows for count in counts),
            sum(count.returned_rows for count in counts),
            math.fsum(count.returned_units for count in counts),
        )
        for day, counts in sorted(by_day.items())
    )
