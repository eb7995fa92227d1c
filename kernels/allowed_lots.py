"""Which orders are allowed where goods come in whole packs, from a least quantity on, into a shelf with little room."""

import math

import numpy as np

from fullshelf.kernels.compile import core

__all__ = ["lots_beside"]


@core
def lots_beside(wanted: float, pack: float, moq: float, room: float) -> tuple[float, float]:
    """Return the allowed orders beside the one that would be best, 0 where there is none or it is the other.

    Examples
    --------
    >>> lots_beside(26.0, 12.0, 0.0, math.inf), lots_beside(26.0, 12.0, 30.0, 40.0), lots_beside(26.0, 0.0, 0.0, 20.0)
    ((24.0, 36.0), (36.0, 0.0), (20.0, 0.0))
    """
    if pack > 0.0:
        least = pack * max(np.ceil(moq / pack), 1.0)
        most = pack * np.floor(room / pack) if room < math.inf else math.inf
        below = pack * np.floor(wanted / pack) if abs(wanted) < math.inf else wanted
    else:
        least, most, below = moq, room, wanted
    first = min(max(below, least), most)
    second = min(max(below + pack, least), most)
    first = first if first >= least and first > 0.0 else 0.0
    second = second if second >= least and second > 0.0 and second != first else 0.0
    return float(first), float(second)
