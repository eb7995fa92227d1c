"""The probability levels at which demand is forecast."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["LEVELS", "level_array"]

LEVELS: tuple[float, ...] = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)


def level_array(levels: tuple[float, ...] = LEVELS) -> NDArray[np.float64]:
    """Return the levels as a strictly rising (Q,) array.

    Raises
    ------
    ValueError
        If a level is outside (0, 1) or the levels do not rise.

    Examples
    --------
    >>> level_array((0.1, 0.5)).tolist()
    [0.1, 0.5]
    """
    array = np.asarray(levels, dtype=np.float64)
    if array.ndim != 1 or array.size == 0 or array.min() <= 0 or array.max() >= 1 or (np.diff(array) <= 0).any():
        raise ValueError(f"levels must rise strictly inside (0, 1), got {levels}")
    return array
