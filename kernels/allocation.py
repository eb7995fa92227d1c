"""Shadow prices of shared resources: the dual of many small order decisions under a few limits.

Each series answers a price by ordering less, so the use of a resource falls as any price rises, and the prices that
just hold all limits are found from sums alone (Hadley and Whitin 1963 for one limit; here several that may overlap).

Use is counted in whole parts of a limit, `PARTS` to the limit, finer than a double's own rounding. Whole numbers add up
to the same sum in whatever order and grouping, so prices do not depend on how the series are split into shards.

J limits, P price vectors at once.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["CLOSE", "PARTS", "ROOM", "exact_sum", "in_parts", "shadow_prices"]

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
Parts = NDArray[np.object_]  # whole numbers of any size

PARTS = 1 << 60  # of a limit's amount
ROOM = PARTS + (PARTS >> 40)  # a limit is used up to 1e-12 of it: 50 packs of 20 fit into 1000
CLOSE = 1e-3  # relative gap of a price at which the search ends; what is left is shared out lot by lot
SWEEPS = 30


def in_parts(use: Array, amount: float) -> Ints:
    """Count use in whole parts of a limit, up to four limits; of a limit of 0 anything used is more than there is.

    Examples
    --------
    >>> in_parts(np.array([0.0, 5.0]), 10.0).tolist() == [0, PARTS // 2]
    True
    """
    with np.errstate(over="ignore"):
        shares = use / amount if amount > 0 else use
        parts: Ints = np.rint(np.minimum(shares, 4.0) * PARTS).astype(np.int64)
    return parts


def exact_sum(parts: Ints) -> int:
    """Add up parts exactly, however many and large.

    Examples
    --------
    >>> exact_sum(np.full(4, 1 << 61)) == 1 << 63
    True
    """
    return (int((parts >> 32).sum()) << 32) + int((parts & 0xFFFFFFFF).sum())


def shadow_prices(
    use_of: Callable[[int, Array], int], room: Ints, ceilings: Array, guess: Array | None = None
) -> Array:
    """Return prices (J,) at which every limit holds and which a step of `CLOSE` less would break; 0: does not bind.

    Coordinate by coordinate: each limit's price is raised or lowered until that limit just holds at the others' prices,
    until no price moves; then a last sweep only raises, which cannot break a limit that holds.

    Parameters
    ----------
    use_of
        Limit j and prices (J,), currency per unit of the resource → parts of that limit used by all series; never
        rising in the limit's own price.
    room
        (J,) parts that there are: `ROOM`, or 0 for a limit of 0.
    ceilings
        (J,) prices at which nobody who uses the resource orders.
    guess
        (J,) prices near the answer, which make the search shorter.
    """
    prices = np.zeros(room.size) if guess is None else guess.copy()
    for _ in range(SWEEPS):
        before = prices.copy()
        for j in range(room.size):
            prices[j] = _price_of(use_of, prices, j, int(room[j]), float(ceilings[j]))
        if room.size == 1 or (np.abs(prices - before) <= CLOSE * prices).all():
            break
    for j in range(room.size):
        if use_of(j, prices) > room[j]:
            prices[j] = _price_of(use_of, prices, j, int(room[j]), float(ceilings[j]))
    return prices


def _price_of(use_of: Callable[[int, Array], int], prices: Array, j: int, room: int, ceiling: float) -> float:
    """Return the price of limit j that is just high enough at the others' prices; the search begins at its own."""

    def over(price: float) -> float:
        """Log of the use in limits: positive = too much."""
        trial = prices.copy()
        trial[j] = price
        return float(np.log((float(use_of(j, trial)) + 0.5) / (room + 0.5)))

    known = 0.0 < prices[j] < ceiling
    start = float(prices[j]) if known else ceiling / 8.0
    step = 1.0 + 4.0 * CLOSE if known else 8.0
    at = over(start)
    if at > 0.0:
        low, at_low = start, at
        high = min(start * step, ceiling)
        at_high = over(high)
        while at_high > 0.0 and high < ceiling:
            low, at_low, step = high, at_high, step**3
            high = min(low * step, ceiling)
            at_high = over(high)
    else:
        high, at_high = start, at
        if over(0.0) <= 0.0:
            return 0.0
        low = start / step
        at_low = over(low)
        while at_low <= 0.0 and low > ceiling * 1e-30:
            high, at_high, step = low, at_low, step**3 if known else step * 8.0
            low = high / step
            at_low = over(low)
    side = 0
    for _ in range(60):
        if high - low <= CLOSE * high:
            break
        share = min(max(at_low / (at_low - at_high), 0.02), 0.98) if at_high < at_low else 0.5
        middle = float(low * (high / low) ** share)
        at = over(middle)
        if at > 0:
            low, at_low = middle, at
            at_high = at_high / 2 if side == 1 else at_high  # Illinois: halve the end that stays, or it stays for ever
            side = 1
        else:
            high, at_high = middle, at
            at_low = at_low / 2 if side == -1 else at_low
            side = -1
    return high
