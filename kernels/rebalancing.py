"""Moving stock between two locations before demand is known: as much as its own cost lets it pay."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from fullshelf.kernels.blocks import FloatArray, over_blocks
from fullshelf.kernels.compile import core, loop
from fullshelf.kernels.distributions import Demand
from fullshelf.kernels.families import NEGATIVE_BINOMIAL, POISSON, losses, tails

__all__ = ["Transfer", "rebalance"]


@dataclass(frozen=True, slots=True)
class Transfer:
    """A transfer between two locations, one entry for each SKU.

    Attributes
    ----------
    units
        From the first location to the second; negative: from the second to the first.
    cost
        Expected underage and overage cost of both locations afterwards, and of the transfer; currency.
    saving
        Against moving nothing, currency.
    """

    units: FloatArray
    cost: FloatArray
    saving: FloatArray


@core
def one_more(family: int, a: float, b: float, stock: float, under: float, over: float, whole: bool) -> float:
    """Return what more stock adds to the expected cost of a location: one whole unit, or the slope."""
    if not whole:
        below, above = tails(family, a, b, stock)
        return over * below - under * above
    short, left = losses(family, a, b, stock)
    shorter, longer = losses(family, a, b, stock + 1.0)
    return over * (longer - left) - under * (short - shorter)


@loop
def _transfers(
    here: int,
    there: int,
    a1: FloatArray,
    b1: FloatArray,
    a2: FloatArray,
    b2: FloatArray,
    stock1: FloatArray,
    stock2: FloatArray,
    under1: FloatArray,
    over1: FloatArray,
    under2: FloatArray,
    over2: FloatArray,
    price: FloatArray,
    units: FloatArray,
    cost: FloatArray,
    saving: FloatArray,
) -> None:
    whole = here in (POISSON, NEGATIVE_BINOMIAL) and there in (POISSON, NEGATIVE_BINOMIAL)
    for i in range(price.size):
        units[i] = cost[i] = saving[i] = math.nan
        least = min(min(under1[i], over1[i]), min(under2[i], over2[i]))
        if not (least >= 0.0 and price[i] >= 0.0 and abs(stock1[i]) + abs(stock2[i]) < math.inf):
            continue
        moved = 0.0
        for direction in range(2):
            # From `giver` to `taker`; the gain of each further unit falls, so bisect for where it equals the price.
            if direction == 0:
                f1, p1, q1, s1, cu1, co1 = here, a1[i], b1[i], stock1[i], under1[i], over1[i]
                f2, p2, q2, s2, cu2, co2 = there, a2[i], b2[i], stock2[i], under2[i], over2[i]
            else:
                f1, p1, q1, s1, cu1, co1 = there, a2[i], b2[i], stock2[i], under2[i], over2[i]
                f2, p2, q2, s2, cu2, co2 = here, a1[i], b1[i], stock1[i], under1[i], over1[i]
            low = 0.0
            high = max(np.floor(s1) if whole else s1, 0.0)
            rounds = 0
            while high > low and rounds < 200:
                rounds += 1
                middle = np.ceil(0.5 * (low + high)) if whole else 0.5 * (low + high)
                if not whole and (middle <= low or middle >= high):
                    break
                # Whole units: does the middle-th unit pay? Else: does moving more than the middle pay?
                giver = one_more(f1, p1, q1, s1 - middle, cu1, co1, whole)
                taker = one_more(f2, p2, q2, s2 + middle - (1.0 if whole else 0.0), cu2, co2, whole)
                if giver - taker > price[i]:
                    low = middle
                else:
                    high = middle - 1.0 if whole else middle
            if low > moved:
                moved = low
                units[i] = low if direction == 0 else -low
        if moved == 0.0:
            units[i] = 0.0
        short1, left1 = losses(here, a1[i], b1[i], stock1[i] - units[i])
        short2, left2 = losses(there, a2[i], b2[i], stock2[i] + units[i])
        after = under1[i] * short1 + over1[i] * left1 + under2[i] * short2 + over2[i] * left2
        short1, left1 = losses(here, a1[i], b1[i], stock1[i])
        short2, left2 = losses(there, a2[i], b2[i], stock2[i])
        cost[i] = after + price[i] * abs(units[i])
        saving[i] = under1[i] * short1 + over1[i] * left1 + under2[i] * short2 + over2[i] * left2 - cost[i]
        if cost[i] != cost[i]:
            units[i] = math.nan


def rebalance(
    on_hand: tuple[ArrayLike, ArrayLike],
    demand: tuple[Demand, Demand],
    underage_cost: tuple[ArrayLike, ArrayLike] | float,
    overage_cost: tuple[ArrayLike, ArrayLike] | float,
    transfer_cost: ArrayLike,
    *,
    parallel: bool = False,
) -> Transfer:
    """Return the transfer between two locations that minimises the expected cost of both and of the transfer.

    At the optimum the last unit moved saves exactly its transfer cost: G2'(stock 2 + x) - G1'(stock 1 - x) = -t, where
    G' = overage P(X <= y) - underage P(X > y); without such an x nothing is moved. Nobody gives more than there is.

    Parameters
    ----------
    on_hand
        Units at the first and at the second location, each a scalar or an array over SKUs.
    demand
        Of both locations. Two discrete distributions: whole units are moved.
    underage_cost, overage_cost
        Currency per unit short and left over, of both locations or one number for both.
    transfer_cost
        Currency per unit moved, not below 0.
    parallel
        Use all of numba's threads.

    Returns
    -------
    Transfer
        NaN for a SKU with a negative cost or demand that makes no sense.

    Examples
    --------
    >>> answer = rebalance((150, 40), (Demand.normal(80, 20), Demand.normal(80, 20)), 5.0, 1.0, transfer_cost=1.0)
    >>> float(answer.units.round(4)), float(answer.cost.round(4))
    (49.434, 113.705)
    """
    first, second = demand
    under = underage_cost if isinstance(underage_cost, tuple) else (underage_cost, underage_cost)
    over = overage_cost if isinstance(overage_cost, tuple) else (overage_cost, overage_cost)
    arguments = [first.a, first.b, second.a, second.b, *on_hand, under[0], over[0], under[1], over[1], transfer_cost]
    units, cost, saving = over_blocks(_transfers, arguments, 3, fixed=(first.family, second.family), parallel=parallel)
    return Transfer(units, cost, saving)
