"""Lost sales with a lead time, exactly: the optimal policy and the average cost of simple ones, one SKU at a time.

At the start of a period the delivery is on the shelf, then z is ordered to arrive L periods later, then demand comes.
Holding cost on what is left at the end of the period, shortage cost on each unit lost, a fixed cost on each order;
long-run average per period. L is also the lead time of an order at the end of a period that is sold from the start of
the L + 1st period after it: in both, the demand of L periods comes before the goods do.

The states grow with the power of the lead time, so this is for slow movers and short lead times, for research and for
judging heuristics; `fullshelf.kernels.lost_sales` has the policies for the million.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fullshelf.kernels.demand_table import checked_table, sum_of_periods
from fullshelf.kernels.lost_sales_states import (
    States,
    average_cost,
    enumerate_states,
    order_by_position,
    order_by_tails,
    order_cheapest,
    order_myopic,
)

__all__ = ["LostSales", "Optimum", "myopic_cost", "optimum", "policy_cost", "vector_base_stock_cost"]

Array = NDArray[np.float64]

_SWEEPS = 5_000
_STATES = 5_000_000


@dataclass(frozen=True, slots=True)
class LostSales:
    """One SKU's problem.

    Raises
    ------
    ValueError
        If the table is no distribution, a cost is negative or not finite, the holding or shortage cost is 0, demand is
        certainly 0, or the lead time is not a whole number of at least 1 (with 0 it is the newsvendor's problem).
    """

    table: ArrayLike  # (K,) P(D = k units in a period)
    holding_cost: float  # currency per unit left at the end of a period
    shortage_cost: float  # currency per unit lost
    lead_time: int  # L >= 1 periods from the order to its delivery, both at the start of a period
    order_cost: float = 0.0  # currency per order

    def __post_init__(self) -> None:
        object.__setattr__(self, "table", checked_table(self.table))
        costs = (self.holding_cost, self.shortage_cost, self.order_cost)
        if not all(np.isfinite(cost) and cost >= 0 for cost in costs) or min(costs[:2]) == 0:
            raise ValueError(f"holding and shortage cost must be above 0, the order cost at least 0, got {costs}")
        if self.lead_time != int(self.lead_time) or self.lead_time < 1:
            raise ValueError(f"lead_time must be a whole number of at least 1, got {self.lead_time}")
        if self.mean == 0:
            raise ValueError("demand is certainly 0")

    @property
    def mean(self) -> float:
        """E[D], units per period.

        >>> from fullshelf.kernels.demand_table import tabulate
        >>> from fullshelf.kernels.distributions import Demand
        >>> problem = LostSales(tabulate(Demand.poisson(5.0)), 1, 9, lead_time=2)
        >>> round(problem.mean, 9)
        5.0
        """
        table = np.asarray(self.table)
        return float(table @ np.arange(table.size))

    def quantile(self, periods: int, ratio: float | None = None) -> int:
        """Return the smallest total of so many periods whose probability to suffice reaches the critical ratio.

        >>> from fullshelf.kernels.demand_table import tabulate
        >>> from fullshelf.kernels.distributions import Demand
        >>> problem = LostSales(tabulate(Demand.poisson(5.0)), 1, 9, lead_time=2)
        >>> problem.quantile(1), problem.quantile(3, ratio=0.5)
        (8, 15)
        """
        wanted = self.shortage_cost / (self.shortage_cost + self.holding_cost) if ratio is None else ratio
        enough = np.cumsum(sum_of_periods(np.asarray(self.table), periods)) >= min(wanted, 1 - 1e-12)
        return int(np.argmax(enough))

    def period(self, stock: int) -> tuple[Array, Array]:
        """Return P(D >= x) and the expected cost of a period that starts with x on hand, for x = 0 … stock.

        >>> from fullshelf.kernels.demand_table import tabulate
        >>> from fullshelf.kernels.distributions import Demand
        >>> problem = LostSales(tabulate(Demand.poisson(5.0)), 1, 9, lead_time=2)
        >>> [figure.round(3).tolist() for figure in problem.period(2)]
        [[1.0, 0.993, 0.96], [45.0, 36.067, 27.472]]
        """
        table = np.asarray(self.table)
        beyond = np.zeros(stock + 1)
        upper = np.maximum(1.0 - np.concatenate([[0.0], np.cumsum(table)]), 0.0)[: stock + 1]
        beyond[: upper.size] = upper
        left = np.concatenate([[0.0], np.cumsum(1.0 - beyond[1:])])  # E[(x - D)+] rises by P(D < x)
        return beyond, self.holding_cost * left + self.shortage_cost * (self.mean - np.arange(stock + 1) + left)


@dataclass(frozen=True, slots=True)
class Optimum:
    """The optimal policy."""

    cost: float  # currency per period; the middle of bounds that are `tolerance` apart
    states: States
    orders: NDArray[np.int64]  # (states.total,)

    def order(self, on_hand: int, under_way: Sequence[int]) -> int:
        """Return the order where `on_hand` units are there and `under_way[i]` arrive i + 1 periods from now.

        Raises
        ------
        ValueError
            If the state is none that the policy ever comes to.

        Examples
        --------
        >>> from fullshelf.kernels.demand_table import tabulate
        >>> from fullshelf.kernels.distributions import Demand
        >>> optimum(LostSales(tabulate(Demand.poisson(5.0)), 1, 9, lead_time=2)).order(4, [5])
        7
        """
        base = int(self.states.bounds[-1]) + 1
        p: int = sum(units * base**i for i, units in enumerate(under_way))
        fits = len(under_way) == self.states.bounds.size - 2 and all(0 <= units < base for units in under_way)
        if not fits or self.states.first[p] < 0 or not 0 <= on_hand <= self.states.most[p]:
            raise ValueError(f"{on_hand} on hand with {list(under_way)} under way is not among the states")
        return int(self.orders[self.states.first[p] + on_hand])


def optimum(problem: LostSales, tolerance: float = 1e-6, max_states: int = _STATES) -> Optimum:
    """Return the policy of least average cost, by relative value iteration.

    Without order cost the tail sums of the state are bounded by the newsvendor's levels for as many periods (Morton
    1969; Zipkin 2008). With one, by an inventory position that is raised until no order touches it.

    Parameters
    ----------
    problem
        The SKU.
    tolerance
        Relative distance of the bounds of the cost.
    max_states
        Memory: some 40 bytes each.

    Raises
    ------
    ValueError
        If there are more states, or value iteration does not converge.

    Examples
    --------
    Zipkin (2008), Table 3, Poisson demand of mean 5, p = 9, L = 2 (published: 6.09):

    >>> from fullshelf.kernels.demand_table import tabulate
    >>> from fullshelf.kernels.distributions import Demand
    >>> round(optimum(LostSales(tabulate(Demand.poisson(5.0)), 1, 9, lead_time=2)).cost, 4)
    6.0936
    """
    L, table = problem.lead_time, np.asarray(problem.table)
    bounds = np.array([problem.quantile(L + 1 - i) for i in range(L + 1)])
    if problem.order_cost > 0:
        lot = np.sqrt(2 * problem.order_cost * problem.mean / problem.holding_cost)
        bounds = np.full(L + 1, bounds[0] + int(np.ceil(1.5 * lot)))
    while True:
        states = _states(bounds, max_states)
        beyond, cost = problem.period(int(bounds[0]))
        low, high, orders = order_cheapest(states, table, beyond, cost, problem.order_cost, tolerance, _SWEEPS)
        _check(low, high, tolerance)
        if problem.order_cost == 0 or _highest_position(states, orders) < bounds[0]:
            return Optimum(0.5 * (low + high), states, orders)
        bounds = bounds + max(1, int(bounds[0]) // 5)


def policy_cost(
    problem: LostSales,
    reorder_point: int,
    order_up_to: int = 0,
    order_quantity: int = 0,
    most: int | None = None,
    tolerance: float = 1e-6,
    max_states: int = _STATES,
) -> float:
    """Return the average cost of a policy that sees the inventory position alone.

    At or below the reorder point it orders up to a level, at most `most`; or, with an order quantity, as few multiples
    of it as lift the position above the reorder point. A base-stock level S is ``reorder_point=S, order_up_to=S``.

    Raises
    ------
    ValueError
        If there are more than `max_states` states, or the levels are not whole numbers with an order in them.

    Examples
    --------
    Bijvank, Bhulai and Huh (2015), Table 1 (published: 11.62):

    >>> from fullshelf.kernels.demand_table import tabulate
    >>> from fullshelf.kernels.distributions import Demand
    >>> problem = LostSales(tabulate(Demand.poisson(5.0)), 1, 14, lead_time=2, order_cost=5)
    >>> round(policy_cost(problem, reorder_point=17, order_up_to=23), 3)
    11.618
    """
    cap = np.inf if most is None else most
    values = (reorder_point, order_up_to, order_quantity, *(() if most is None else (most,)))
    if any(value != int(value) for value in values) or order_quantity < 0 or cap < 1:
        raise ValueError(f"levels must be whole numbers and orders at least 1 unit, got {values}")
    highest = int(reorder_point + order_quantity if order_quantity else max(reorder_point, order_up_to))
    if highest < 0:
        return problem.shortage_cost * problem.mean  # never anything on hand
    L = problem.lead_time
    bounds = np.array([highest if i == 0 else int(min(highest, cap * (L + 1 - i))) for i in range(L + 1)])
    states = _states(bounds, max_states)
    orders = order_by_position(states, float(reorder_point), float(order_up_to), float(order_quantity), float(cap))
    return _cost(problem, states, orders, tolerance)


def myopic_cost(problem: LostSales, periods: int = 1, tolerance: float = 1e-6, max_states: int = _STATES) -> float:
    """Return the average cost of ordering what is cheapest for the period of arrival (1), or for it and the next (2).

    Zipkin's myopic and myopic2 policies; they do not see the order cost, which is paid all the same.

    Raises
    ------
    ValueError
        If there are more than `max_states` states, or `periods` is not 1 or 2.

    Examples
    --------
    Zipkin (2008), Table 3 (published: 6.22 and 6.10; the optimum is 6.09):

    >>> from fullshelf.kernels.demand_table import tabulate
    >>> from fullshelf.kernels.distributions import Demand
    >>> problem = LostSales(tabulate(Demand.poisson(5.0)), 1, 9, lead_time=2)
    >>> round(myopic_cost(problem), 4), round(myopic_cost(problem, periods=2), 4)
    (6.2231, 6.1037)
    """
    if periods not in (1, 2):
        raise ValueError(f"periods must be 1 or 2, got {periods}")
    L = problem.lead_time
    states = _states(np.array([problem.quantile(L + 1 - i) for i in range(L + 1)]), max_states)
    beyond, cost = problem.period(int(states.bounds[0]))
    return _cost(problem, states, order_myopic(states, np.asarray(problem.table), beyond, cost, periods), tolerance)


def vector_base_stock_cost(
    problem: LostSales, ratio: float | None = None, tolerance: float = 1e-6, max_states: int = _STATES
) -> float:
    """Return the average cost of ordering as much as keeps every tail sum of the state at the newsvendor's level.

    The tail sum of the units that arrive in l and more periods is held at the quantile of the demand of L + 1 - l
    periods, by default at the critical ratio p / (p + h): Zipkin's (2008) standard vector base-stock policy.

    Zipkin (2008), Table 3 (published: 6.45):

    >>> from fullshelf.kernels.demand_table import tabulate
    >>> from fullshelf.kernels.distributions import Demand
    >>> problem = LostSales(tabulate(Demand.poisson(5.0)), 1, 9, lead_time=2)
    >>> round(vector_base_stock_cost(problem), 4)
    6.4525
    """
    L = problem.lead_time
    states = _states(np.array([problem.quantile(L + 1 - i, ratio) for i in range(L + 1)]), max_states)
    return _cost(problem, states, order_by_tails(states), tolerance)


def _states(bounds: NDArray[np.int64], max_states: int) -> States:
    states = States(bounds, *enumerate_states(bounds, max_states))
    if states.total < 0:
        raise ValueError(
            f"more than {max_states:,} states for bounds {bounds.tolist()}: use fullshelf.kernels.lost_sales, "
            "larger units, or a larger max_states"
        )
    return states


def _cost(problem: LostSales, states: States, orders: NDArray[np.int64], tolerance: float) -> float:
    beyond, cost = problem.period(int(states.bounds[0]))
    table = np.asarray(problem.table)
    low, high = average_cost(states, table, beyond, cost, problem.order_cost, orders, tolerance, _SWEEPS)
    _check(low, high, tolerance)
    return 0.5 * (low + high)


def _check(low: float, high: float, tolerance: float) -> None:
    if not high - low <= tolerance * abs(high):
        raise ValueError(f"no convergence: the average cost lies between {low} and {high} after {_SWEEPS} sweeps")


def _highest_position(states: States, orders: NDArray[np.int64]) -> int:
    """Return the highest inventory position that an order leads to."""
    highest = 0
    for p in np.flatnonzero(states.first >= 0):
        first, most = states.first[p], states.most[p]
        placed = orders[first : first + most + 1]
        position = int(states.bounds[0]) - most + np.arange(most + 1) + placed
        highest = max(highest, int(np.max(position[placed > 0], initial=0)))
    return highest
