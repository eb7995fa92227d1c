"""Perishable goods exactly: the optimal order and what simple policies cost, one SKU with a small shelf at a time.

At the start of a period the delivery is on the shelf, then the order is placed, then demand is served, oldest units
first (or newest first), what cannot be served is lost, what is at its end is thrown away. Shortage cost on each unit
lost, waste cost on each thrown away, holding cost on what is left, unit cost on each ordered. The order is on the shelf
at the start of the L-th period after; goods have m periods in which they can be sold.

The instances of De Moor, Gijsbrechts and Boute (2022), Reward shaping to improve the performance of deep reinforcement
learning in perishable inventory management, and of Hendrix, Ortega, Haijema, Buisman and García (2019), On computing
optimal policies in perishable inventory control using value iteration, are of this kind (a price is a shortage cost).
States grow as (largest order + 1)^(m + L - 1); `fullshelf.kernels.perishables` has the policies for the million.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fullshelf.kernels.demand_table import checked_table
from fullshelf.kernels.perishables_states import order_cheapest, order_up_to, policy_costs, shelf_outcomes

__all__ = ["BestLevel", "Perishable", "PerishablePolicy", "base_stock", "best_base_stock", "optimum"]

Array = NDArray[np.float64]

_SWEEPS = 20_000
_PERIODS = 20_000


@dataclass(frozen=True, slots=True)
class Perishable:
    """One SKU's problem.

    Raises
    ------
    ValueError
        If the table is no distribution, a cost is NaN or infinite, a time or the largest order is not a whole number of
        at least 1, or there are more than `max_states` states (some 60 bytes each).
    """

    table: ArrayLike  # (K,) P(D = k units in a period)
    shelf_life: int  # m periods in which a unit can be sold
    lead_time: int  # L >= 1 periods: ordered at the start of a period, on the shelf at the start of the L-th after it
    max_order: int  # units
    shortage_cost: float  # currency per unit lost
    waste_cost: float = 0.0  # currency per unit thrown away
    holding_cost: float = 0.0  # currency per unit left at the end of a period
    unit_cost: float = 0.0  # currency per unit ordered
    issuing: Literal["fifo", "lifo"] = "fifo"  # customers get the oldest or the newest
    max_states: int = 4_000_000

    def __post_init__(self) -> None:
        object.__setattr__(self, "table", checked_table(self.table))
        whole = (self.shelf_life, self.lead_time, self.max_order)
        if any(number != int(number) or number < 1 for number in whole):
            raise ValueError(f"shelf_life, lead_time and max_order must be whole numbers of at least 1, got {whole}")
        if not np.isfinite([self.shortage_cost, self.waste_cost, self.holding_cost, self.unit_cost]).all():
            raise ValueError("costs must be finite")
        if self.issuing not in ("fifo", "lifo"):
            raise ValueError(f'issuing is "fifo" or "lifo", got {self.issuing!r}')
        if (states := (self.max_order + 1) ** (self.shelf_life + self.lead_time - 1)) > self.max_states:
            raise ValueError(f"{states:,} states are more than {self.max_states:,}: use larger units")

    @property
    def mean(self) -> float:
        """E[D], units per period.

        >>> from fullshelf.kernels.demand_table import tabulate
        >>> from fullshelf.kernels.distributions import Demand
        >>> table = tabulate(Demand.poisson(5.0))
        >>> problem = Perishable(table, 2, 1, max_order=10, shortage_cost=1, unit_cost=0.5)
        >>> round(problem.mean, 9)
        5.0
        """
        table = np.asarray(self.table)
        return float(table @ np.arange(table.size))

    @property
    def ways(self) -> int:
        """Combinations of orders under way.

        With a lead time of one period no order is under way when the next is placed:

        >>> from fullshelf.kernels.demand_table import tabulate
        >>> from fullshelf.kernels.distributions import Demand
        >>> table = tabulate(Demand.poisson(5.0))
        >>> problem = Perishable(table, 2, 1, max_order=10, shortage_cost=1, unit_cost=0.5)
        >>> problem.ways
        1
        """
        return int((self.max_order + 1) ** (self.lead_time - 1))

    def outcomes(self) -> tuple[NDArray[np.int32], Array]:
        """Return the shelf after each demand and the expected cost of each shelf, as `shelf_outcomes` does.

        >>> from fullshelf.kernels.demand_table import tabulate
        >>> from fullshelf.kernels.distributions import Demand
        >>> table = tabulate(Demand.poisson(5.0))
        >>> problem = Perishable(table, 2, 1, max_order=10, shortage_cost=1, unit_cost=0.5)
        >>> [figure.shape for figure in problem.outcomes()]
        [(121, 28), (121,)]
        """
        return shelf_outcomes(
            np.asarray(self.table),
            self.shelf_life,
            self.max_order + 1,
            self.issuing == "lifo",
            self.holding_cost,
            self.shortage_cost,
            self.waste_cost,
        )


@dataclass(frozen=True, slots=True)
class PerishablePolicy:
    """An order for each state."""

    problem: Perishable
    orders: NDArray[np.int16]  # (states,), numbered as in `perishables_states`

    def table(self) -> NDArray[np.int16]:
        """Return the orders by what is there.

        One axis for each order under way, the next to arrive first, then one for each remaining life, the shortest
        first: with m = 2 and L = 1 ``table()[old, fresh]``.

        >>> from fullshelf.kernels.demand_table import tabulate
        >>> from fullshelf.kernels.distributions import Demand
        >>> table = tabulate(Demand.poisson(5.0))
        >>> problem = Perishable(table, 2, 1, max_order=10, shortage_cost=1, unit_cost=0.5)
        >>> base_stock(problem, 13).table()[0, :6].tolist()
        [10, 10, 10, 10, 9, 8]
        """
        B, m, L = self.problem.max_order + 1, self.problem.shelf_life, self.problem.lead_time
        by_shelf = self.orders.reshape((B,) * (m + L - 1))
        return np.ascontiguousarray(np.moveaxis(by_shelf, range(m), range(L - 1, m + L - 1)))

    def costs(self, periods: int, tolerance: float = 1e-12) -> Array:
        """Return the expected cost of each period (periods,), starting with nothing there and nothing under way.

        >>> from fullshelf.kernels.demand_table import tabulate
        >>> from fullshelf.kernels.distributions import Demand
        >>> table = tabulate(Demand.poisson(5.0))
        >>> problem = Perishable(table, 2, 1, max_order=10, shortage_cost=1, unit_cost=0.5)
        >>> policy = base_stock(problem, 13, waste_aware=True)
        >>> policy.costs(3).round(4).tolist()
        [10.0, 1.5222, 3.2298]
        """
        return _costs(self, self.problem.outcomes(), periods, tolerance)[0]

    def average_cost(self, tolerance: float = 1e-9) -> float:
        """Return the long-run average cost per period.

        Raises
        ------
        ValueError
            If the distribution over states still changes after 20,000 periods.

        Examples
        --------
        >>> from fullshelf.kernels.demand_table import tabulate
        >>> from fullshelf.kernels.distributions import Demand
        >>> table = tabulate(Demand.poisson(5.0))
        >>> problem = Perishable(table, 2, 1, max_order=10, shortage_cost=1, unit_cost=0.5)
        >>> policy = base_stock(problem, 13, waste_aware=True)
        >>> round(policy.average_cost(), 4)
        2.8023
        """
        return _average(self, self.problem.outcomes(), tolerance)

    def discounted_cost(self, discount: float, periods: int, warm_up: int = 0) -> float:
        """Return the expected sum of discount^t x cost of period t = 0 …, counted after the warm-up.

        >>> from fullshelf.kernels.demand_table import tabulate
        >>> from fullshelf.kernels.distributions import Demand
        >>> table = tabulate(Demand.poisson(5.0))
        >>> problem = Perishable(table, 2, 1, max_order=10, shortage_cost=1, unit_cost=0.5)
        >>> policy = base_stock(problem, 13, waste_aware=True)
        >>> round(policy.discounted_cost(0.9, periods=5), 4)
        17.7784
        """
        return float(self.costs(warm_up + periods)[warm_up:] @ discount ** np.arange(periods))


@dataclass(frozen=True, slots=True)
class BestLevel:
    """The cheapest base-stock level."""

    level: int  # units of inventory position
    cost: float  # currency: average per period, or discounted sum


def optimum(problem: Perishable, discount: float = 1.0, tolerance: float = 1e-5) -> PerishablePolicy:
    """Return the policy of least discounted cost, with discount 1 of least average cost, by value iteration.

    Of equally cheap orders the smallest. `tolerance` is a share of what losing all demand would cost in a period.

    Raises
    ------
    ValueError
        If the discount is outside (0, 1], or value iteration does not converge.

    Examples
    --------
    Hendrix et al. (2019), price 1, cost 0.5, Poisson demand of mean 5, shelf life 2 (published: 2.22):

    >>> from fullshelf.kernels.demand_table import tabulate
    >>> from fullshelf.kernels.distributions import Demand
    >>> problem = Perishable(tabulate(Demand.poisson(5.0)), 2, 1, max_order=10, shortage_cost=1, unit_cost=0.5)
    >>> round(1 * problem.mean - optimum(problem).average_cost(), 4)
    2.2151
    """
    if not 0 < discount <= 1:
        raise ValueError(f"discount must be inside (0, 1], got {discount}")
    precision = tolerance * problem.mean * (abs(problem.shortage_cost) + abs(problem.unit_cost) + 1e-300)
    then, cost = problem.outcomes()
    low, high, _, orders = order_cheapest(
        np.asarray(problem.table),
        then,
        cost,
        problem.max_order + 1,
        problem.ways,
        problem.unit_cost,
        discount,
        precision,
        _SWEEPS,
    )
    if not high - low <= precision:
        raise ValueError(f"no convergence after {_SWEEPS} sweeps: values still change by {low} to {high}")
    return PerishablePolicy(problem, orders)


def base_stock(problem: Perishable, level: float, waste_aware: bool = False) -> PerishablePolicy:
    """Return the policy that orders up to a level of the inventory position, at most `max_order`.

    `waste_aware` leaves out the units that will be thrown away before the order arrives when demand is at its mean: EWA
    of Broekmeulen and van Donselaar (2009), for L = 1 the rule of Hendrix et al. (2019).

    Hendrix et al. (2019), Poisson demand of mean 5; per period it earns 5 less its cost:

    >>> from fullshelf.kernels.demand_table import tabulate
    >>> from fullshelf.kernels.distributions import Demand
    >>> table = tabulate(Demand.poisson(5.0))
    >>> problem = Perishable(table, 2, 1, max_order=10, shortage_cost=1, unit_cost=0.5)
    >>> round(5 - base_stock(problem, 13, waste_aware=True).average_cost(), 4)
    2.1977
    """
    expected = problem.mean if waste_aware else 0.0
    lifo = problem.issuing == "lifo"
    sizes = problem.shelf_life, problem.max_order + 1, problem.lead_time
    return PerishablePolicy(problem, order_up_to(*sizes, float(level), expected, lifo))


def best_base_stock(
    problem: Perishable,
    discount: float = 1.0,
    periods: int = 365,
    warm_up: int = 100,
    waste_aware: bool = False,
    highest: int | None = None,
) -> BestLevel:
    """Return the best base-stock level: from the mean demand of L + 1 periods downhill, two levels beyond a rise.

    Parameters
    ----------
    problem
        The SKU.
    discount, periods, warm_up
        With a discount below 1 the discounted cost of so many periods counts, else the average cost.
    waste_aware
        As in `base_stock`.
    highest
        Highest level to try.

    Examples
    --------
    The published level of this instance is 13:

    >>> from fullshelf.kernels.demand_table import tabulate
    >>> from fullshelf.kernels.distributions import Demand
    >>> problem = Perishable(tabulate(Demand.poisson(5.0)), 2, 1, max_order=10, shortage_cost=1, unit_cost=0.5)
    >>> best_base_stock(problem, waste_aware=True).level
    13
    """
    outcomes = problem.outcomes()
    top = (problem.max_order + 1) * (problem.shelf_life + problem.lead_time)
    top = top if highest is None else min(top, highest)
    known: dict[int, float] = {}

    def cost_at(level: int) -> float:
        if not 0 <= level <= top:
            return np.inf
        if level not in known:
            policy = base_stock(problem, level, waste_aware)
            if discount == 1:
                known[level] = _average(policy, outcomes, 1e-9)
            else:
                costs = _costs(policy, outcomes, warm_up + periods, 1e-12)[0]
                known[level] = float(costs[warm_up:] @ discount ** np.arange(periods))
        return known[level]

    level = min(round(problem.mean * (problem.lead_time + 1)), top)
    while True:
        best = min(range(level - 2, level + 3), key=cost_at)
        if not cost_at(best) < cost_at(level):
            return BestLevel(level, cost_at(level))
        level = best


def _costs(
    policy: PerishablePolicy,
    outcomes: tuple[NDArray[np.int32], Array],
    periods: int,
    tolerance: float,
    stay: float = 0.0,
) -> tuple[Array, int]:
    problem, (then, cost) = policy.problem, outcomes
    return policy_costs(
        np.asarray(problem.table),
        then,
        cost,
        problem.max_order + 1,
        problem.ways,
        problem.unit_cost,
        policy.orders,
        periods,
        tolerance,
        stay,
    )


def _average(policy: PerishablePolicy, outcomes: tuple[NDArray[np.int32], Array], tolerance: float) -> float:
    costs, settled = _costs(policy, outcomes, _PERIODS, tolerance, stay=0.1)
    if settled == _PERIODS:
        raise ValueError("the policy does not settle: its states keep changing with the period")
    return float(costs[-1])
