"""A likely demand for the periods that were not in stock throughout, to start a forecaster with."""

import numpy as np
from numpy.typing import NDArray

from fullshelf.kernels.compile import core

__all__ = ["fill_censored"]


@core
def fill_censored(
    y: NDArray[np.float32], observed: NDArray[np.float32], filled: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Write `y` (n,) into `filled`, with at least the mean of the periods in stock where one was not.

    Return the shares in stock (n,) to go by: those given, or ones where no period was in stock throughout, so that
    something is learned even then.

    Examples
    --------
    >>> import numpy as np
    >>> filled = np.empty(3)
    >>> fill_censored(np.float32([4, 0, 6]), np.float32([1, 0.5, 1]), filled).tolist(), filled.tolist()
    ([1.0, 0.5, 1.0], [4.0, 5.0, 6.0])
    """
    total = count = 0.0
    for t in range(y.size):
        filled[t] = y[t]
        if observed[t] >= 1.0:
            total += y[t]
            count += 1.0
    if count == 0.0:
        return np.ones_like(observed)
    for t in range(y.size):
        if observed[t] < 1.0:
            filled[t] = max(filled[t], total / count)
    return observed
