"""Scalars and arrays over SKUs brought to one shape, as every kernel of inventory mathematics takes them."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["over_skus", "shaped", "writeable"]


def over_skus(*values: ArrayLike) -> tuple[tuple[int, ...], list[NDArray[np.float64]]]:
    """Broadcast the values against each other and lay each out as a flat, contiguous float64 array.

    Parameters
    ----------
    values
        Scalars or arrays; their shapes must broadcast.

    Returns
    -------
    tuple
        The common shape, to which `shaped` brings the answers back, and the flat arrays.

    Raises
    ------
    ValueError
        If the shapes do not broadcast.

    Examples
    --------
    >>> shape, (mean, sd) = over_skus([10, 20], 3)
    >>> shape, sd.tolist()
    ((2,), [3.0, 3.0])
    """
    arrays = [np.asarray(value, dtype=np.float64) for value in values]
    try:
        shape = np.broadcast_shapes(*(array.shape for array in arrays))
    except ValueError:
        found = ", ".join(str(array.shape) for array in arrays)
        raise ValueError(
            f"the arguments have shapes {found}, which do not broadcast: give scalars or one entry for each SKU"
        ) from None
    return shape, [
        writeable(array if array.shape == shape else np.broadcast_to(array, shape)).reshape(-1) for array in arrays
    ]


def writeable(array: NDArray[Any]) -> NDArray[Any]:
    """Return the array contiguous and writeable, a copy where it is not: numba compiles a loop anew for any other kind.

    Examples
    --------
    >>> writeable(np.broadcast_to(1.0, 3)).flags.writeable
    True
    """
    return np.require(array, requirements=("C", "W"))


def shaped(values: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Bring a flat answer back to the shape of the question; a question of scalars gets a scalar.

    Examples
    --------
    >>> float(shaped(np.array([2.5]), ()))
    2.5
    """
    answer: NDArray[np.float64] = values.reshape(shape)[()]
    return answer
