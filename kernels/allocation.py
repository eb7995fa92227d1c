"""Shadow prices of shared resources: the dual of many small order decisions under a few limits.

Each series answers a price by ordering less, so the use of a resource falls as any price rises, and the prices that
just hold all limits are found from sums alone (Hadley and Whitin 1963 for one limit; here several that may overlap).

Use is counted in whole parts of a limit, `PARTS` to the limit, finer than a double's own rounding. Whole numbers add up
to the same sum in whatever order and grouping, so prices do not depend on how the series are split into shards.

J limits, P price vectors at once.
"""

import math
from collections.abc import Callable, Generator, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "CLOSE",
    "PARTS",
    "ROOM",
    "SLACK",
    "SWEEPS",
    "exact_sum",
    "in_parts",
    "largest_shares",
    "price_search",
    "shadow_prices",
]

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
Parts = NDArray[np.object_]  # whole numbers of any size
Uses = Sequence[int] | Parts

PARTS = 1 << 60  # of a limit's amount
ROOM = PARTS + (PARTS >> 40)  # a limit is used up to 1e-12 of it: 50 packs of 20 fit into 1000
CLOSE = 1e-3  # relative gap of a price at which the search ends; what is left is shared out lot by lot
SLACK = 1.5e-4  # of a limit that may stay unused while others are searched; lots fill it afterwards
SWEEPS = 30


def in_parts(use: Array, amount: float | Array) -> Ints:
    """Count use in whole parts of a limit, up to four limits; of a limit of 0 anything used is more than there is.

    Examples
    --------
    >>> in_parts(np.array([0.0, 5.0]), 10.0).tolist() == [0, PARTS // 2]
    True
    """
    with np.errstate(over="ignore"):
        shares = use / np.where(np.asarray(amount) > 0, amount, 1.0)
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
    use_of: Callable[[Ints, Array], Uses],
    groups: Sequence[Ints],
    room: Sequence[int],
    ceilings: Array,
    guess: Array | None = None,
    *,
    sweeps: int = SWEEPS,
) -> Array:
    """Return prices (J,) at which every limit holds and which a step of `CLOSE` less would break; 0: does not bind.

    Group by group: the limits of a group have no series in common, so each one's price is raised or lowered by itself
    until that limit just holds at the others' prices, all of a group in the same questions; until no price moves. Then
    a last sweep only raises, which cannot break a limit that holds.

    Parameters
    ----------
    use_of
        Limits (n,) of one group and prices (J,), currency per unit of the resource → parts (n,) of those limits used by
        all series; never rising in a limit's own price.
    groups
        Indices of limits; each limit in one group.
    room
        (J,) parts that there are: `ROOM`, or 0 for a limit of 0.
    ceilings
        (J,) prices at which nobody who uses the resource orders.
    guess
        (J,) prices near the answer, which make the search shorter.
    sweeps
        The most that there are before the last.

    Examples
    --------
    Ten series would each order a unit that is worth 1, 2 … 10; there is room for four:

    >>> worth = np.arange(1.0, 11.0)
    >>> def use_of(limits, prices):
    ...     return [exact_sum(in_parts((worth > prices[0]).astype(float), 4.0))]
    >>> shadow_prices(use_of, [np.array([0])], [ROOM], np.array([10.0])).round(2).tolist()
    [6.0]
    """
    J = ceilings.size
    prices = np.zeros(J) if guess is None else guess.copy()
    slack = 0.0 if guess is None or J == 1 else SLACK
    for _ in range(sweeps):
        before = prices.copy()
        for group in groups:
            _search_together(use_of, group, prices, room, ceilings, slack)
        slack = 0.0 if J == 1 else SLACK
        if J == 1 or (np.abs(prices - before) <= CLOSE * prices).all():
            break
    for group in groups:
        use = use_of(group, prices)
        broken = np.array([int(j) for j, used in zip(group, use, strict=True) if used > room[j]], dtype=np.int64)
        if broken.size:
            _search_together(use_of, broken, prices, room, ceilings, 0.0)
    return prices


def _search_together(
    use_of: Callable[[Ints, Array], Uses],
    group: Ints,
    prices: Array,
    room: Sequence[int],
    ceilings: Array,
    slack: float,
) -> None:
    """Set the prices of a group's limits, each by its own search, all asking at once."""
    searches = {int(j): price_search(float(prices[j]), int(room[j]), float(ceilings[j]), slack) for j in group}
    for j, search in searches.items():
        prices[j] = next(search)
    while searches:
        asked = np.array(list(searches), dtype=np.int64)
        for j, use in zip(asked.tolist(), use_of(asked, prices), strict=True):
            try:
                prices[j] = searches[j].send(int(use))
            except StopIteration as found:
                prices[j] = found.value
                del searches[j]


def price_search(guess: float, room: int, ceiling: float, slack: float = 0.0) -> Generator[float, int, float]:
    """Ask for the use at one price after another; return the price that is just high enough.

    Parameters
    ----------
    guess
        Where the search begins, 0 where nothing is known.
    room, ceiling
        Of the limit.
    slack
        Share of the room that a guess may leave unused to be taken as it is.

    Examples
    --------
    >>> search = price_search(0.0, 40, 16.0)
    >>> price = next(search)
    >>> try:
    ...     while True:
    ...         price = search.send(int(100 / (1 + price)))
    ... except StopIteration as found:
    ...     round(found.value, 2)
    1.44
    """

    def over(use: int) -> float:
        """Log of the use in limits: positive = too much."""
        return math.log((float(use) + 0.5) / (room + 0.5))

    known = 0.0 < guess < ceiling
    if not known and over((yield 0.0)) <= 0.0:
        return 0.0
    start = guess if known else ceiling / 8.0
    step = 1.0 / (1.0 - CLOSE) if known else 8.0
    at = over((yield start))
    if known and -slack <= at <= 0.0 and slack > 0.0:
        return start
    if at > 0.0:
        low, at_low = start, at
        high = min(start * step, ceiling)
        at_high = over((yield high))
        while at_high > 0.0 and high < ceiling:
            low, at_low, step = high, at_high, step**3
            high = min(low * step, ceiling)
            at_high = over((yield high))
    else:
        high, at_high = start, at
        low = start / step
        at_low = over((yield low))
        if known and at_low <= 0.0 and over((yield 0.0)) <= 0.0:
            return 0.0
        while at_low <= 0.0 and low > ceiling * 1e-30:
            high, at_high, step = low, at_low, step**3 if known else step * 8.0
            low = high / step
            at_low = over((yield low))
    side = 0
    for _ in range(60):
        if high - low <= CLOSE * high * (1.0 + 1e-9):
            break
        share = min(max(at_low / (at_low - at_high), 0.02), 0.98) if at_high < 0.0 else 0.5
        middle = float(low * (high / low) ** share)
        at = over((yield middle))
        if at > 0:
            low, at_low = middle, at
            at_high = at_high / 2 if side == 1 else at_high  # Illinois: halve the end that stays, or it stays for ever
            side = 1
        else:
            high, at_high = middle, at
            at_low = at_low / 2 if side == -1 else at_low
            side = -1
    return high


def largest_shares(
    use_of: Callable[[Array], Uses], groups: Sequence[Ints], room: Sequence[int], J: int, halvings: int = 10
) -> Array:
    """Return shares (J,) of series' jumps that fit into every limit: as large as they can be, one group after another.

    Parameters
    ----------
    use_of
        Shares (J,) → parts (J,) of all limits used where a series takes the higher of its two orders when its place
        among the jumps, 0…1, is below the shares of all limits that it uses; never falling in a share. At shares of 0
        every limit holds.
    groups, room
        As of `shadow_prices`.
    J
        Number of limits.
    halvings
        Of the distance between a share that fits and one that does not.
    """
    shares = np.ones(J)
    for group in groups:
        use = use_of(shares)
        broken = np.array([int(j) for j in group if use[j] > room[j]], dtype=np.int64)
        if not broken.size:
            continue
        fits, not_fits = np.zeros(broken.size), np.ones(broken.size)
        for _ in range(halvings):
            shares[broken] = 0.5 * (fits + not_fits)
            use = use_of(shares)
            good = np.array([use[j] <= room[j] for j in broken])
            fits, not_fits = np.where(good, shares[broken], fits), np.where(good, not_fits, shares[broken])
        shares[broken] = fits
    return shares
