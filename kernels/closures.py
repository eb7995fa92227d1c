"""Days on which the shop is closed every year, found from each series' own sales on the same dates."""

import numpy as np
from numpy.typing import NDArray

from fullshelf.kernels.compile import loop

__all__ = ["open_periods"]

Single = NDArray[np.float32]

PRIOR = 0.01  # share of days on which a shop is closed, before any evidence
AROUND = 14  # days before and after the date that show how often an open day sells nothing


@loop
def open_periods(
    units: Single,
    observed: Single,
    offsets: NDArray[np.int64],
    anniversaries: NDArray[np.int64],
) -> Single:
    """Return 0 where a series is expected to be closed, otherwise 1; (S, H).

    If nothing was sold on the same date of any earlier year, the shop was closed with the probability
    p / (p + (1 - p) z₁ z₂ …), for the prior p = 0.01 and the shares z of days without sales around those dates; above
    one half it counts as closed. So it takes two years of a series that sells daily, and one that seldom sells never
    shows it.

    Parameters
    ----------
    units, observed
        (N,) units and share of the period in stock of all series, one after the other, oldest first.
    offsets
        (S + 1,) series s owns positions offsets[s] … offsets[s + 1] - 1.
    anniversaries
        (H, Y) how many periods before the last known one the same date of each earlier year lies.

    Examples
    --------
    >>> import numpy as np
    >>> units = np.full(800, 5, dtype=np.float32)
    >>> units[[799 - 360, 799 - 725]] = 0
    >>> dates = np.array([[360, 725], [361, 726]])
    >>> open_periods(units, np.ones_like(units), np.array([0, 800]), dates).tolist()
    [[0.0, 1.0]]
    """
    S, H, Y = offsets.size - 1, anniversaries.shape[0], anniversaries.shape[1]
    is_open = np.ones((S, H), dtype=np.float32)
    for s in range(S):
        start, last = offsets[s], offsets[s + 1] - 1
        for h in range(H):
            by_chance = 1.0
            years = 0
            for i in range(Y):
                date = last - anniversaries[h, i]
                if date < start or observed[date] < 1.0:
                    continue
                if units[date] > 0.0:
                    years = 0
                    break
                years += 1
                zeros, days = 0.5, 1.0
                for t in range(max(start, date - AROUND), min(last, date + AROUND) + 1):
                    if t != date:
                        zeros += 1.0 if units[t] <= 0.0 else 0.0
                        days += 1.0
                by_chance *= zeros / days
            if years > 0 and (1.0 - PRIOR) * by_chance < PRIOR:
                is_open[s, h] = 0.0
    return is_open
