"""ABC by revenue and XYZ by variability: the classes in which planners think."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

ABC_SHARES = (0.8, 0.95)  # of the revenue: A, then B, the rest C
XYZ_VARIATION = (0.5, 1.0)  # coefficient of variation of a period's sales: up to it X, then Y, the rest Z


def abc(revenue: Array) -> NDArray[np.str_]:
    """Return A, B or C for each of S series, by its place among all: the best sellers that make 80 % of revenue are A.

    Series of the same revenue stand in the order given.

    Examples
    --------
    >>> abc(np.array([5.0, 80.0, 12.0, 3.0])).tolist()
    ['B', 'A', 'B', 'C']
    """
    order = np.argsort(-revenue, kind="stable")
    ranked = revenue[order]
    before = np.cumsum(ranked) - ranked  # a series is A where those before it have not yet made the share
    total = before[-1] + ranked[-1] if ranked.size else 0.0
    edges = np.array(ABC_SHARES) * total
    found = np.empty(revenue.size, "<U1")
    found[order] = np.array(["A", "B", "C"])[np.searchsorted(edges, before * (1 + 1e-12), side="right")]
    return np.where(revenue > 0, found, "C")


def xyz(mean: Array, sd: Array) -> NDArray[np.str_]:
    """Return X (steady), Y or Z (erratic, or without sales) for each of S series.

    Examples
    --------
    >>> xyz(np.array([10.0, 10.0, 10.0, 0.0]), np.array([4.0, 9.0, 20.0, 0.0])).tolist()
    ['X', 'Y', 'Z', 'Z']
    """
    variation = np.full(mean.size, np.inf)
    np.divide(sd, mean, out=variation, where=mean > 0)
    return np.array(["X", "Y", "Z"])[np.searchsorted(XYZ_VARIATION, variation, side="left")]
