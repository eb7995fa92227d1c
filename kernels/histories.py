"""Taking parts of ragged histories: some of the series, cut some periods before their end."""

import numpy as np
from numpy.typing import NDArray

from fullshelf.kernels.compile import loop

__all__ = ["actual_after", "take_histories"]

Single = NDArray[np.float32]
Offsets = NDArray[np.int64]


@loop
def take_histories(values: Single, offsets: Offsets, rows: Offsets, back: int, longest: int) -> tuple[Single, Offsets]:
    """Return the histories of the series `rows`, without their last `back` periods and at most `longest` long.

    Examples
    --------
    >>> import numpy as np
    >>> values, offsets = np.arange(9, dtype=np.float32), np.array([0, 4, 9])
    >>> part, at = take_histories(values, offsets, np.array([1]), 2, 2)
    >>> part.tolist(), at.tolist()
    ([5.0, 6.0], [0, 2])
    """
    taken = np.zeros(rows.size + 1, dtype=np.int64)
    for i in range(rows.size):
        length = offsets[rows[i] + 1] - offsets[rows[i]] - back
        taken[i + 1] = taken[i] + max(0, min(longest, length))
    part = np.empty(taken[rows.size], dtype=np.float32)
    for i in range(rows.size):
        stop = offsets[rows[i] + 1] - back
        length = taken[i + 1] - taken[i]
        for k in range(length):
            part[taken[i] + k] = values[stop - length + k]
    return part, taken


@loop
def actual_after(values: Single, offsets: Offsets, rows: Offsets, back: int, horizon: int) -> Single:
    """Return the (rows, H) values of the H <= back periods that follow the cut `back` periods before the end."""
    part = np.empty((rows.size, horizon), dtype=np.float32)
    for i in range(rows.size):
        first = offsets[rows[i] + 1] - back
        for h in range(horizon):
            part[i, h] = values[first + h]
    return part
