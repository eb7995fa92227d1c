"""A policy run over given demand, period by period, for many SKUs at once: what it would have cost and served.

One period is, in this order:
1. what was ordered at the end of period t arrives at the start of period t + L + 1;
2. backorders, then demand, take the oldest units (the newest with `issuing="lifo"`); demand that is not served is lost
   or owed;
3. units at the end of their shelf life m are thrown away: arrived at the start of a, they can be sold in a … a + m - 1;
4. holding cost on each unit left; shortage cost on each unit lost, or at each period's end still owed; waste cost on
   each unit thrown away;
5. at the end of every R-th period, the first time before period 1, the policy orders. An order's fixed cost is booked
   in the period in which it arrives, so that the periods that are scored pay for what serves them.

S SKUs, T periods; period p = 1 … T has column p - 1.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fullshelf.kernels.policies import Policy
from fullshelf.kernels.shop import live_through
from fullshelf.kernels.threads import in_threads, writeable

__all__ = ["Simulation", "Start", "Supply", "Trace", "simulate"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Supply:
    """How the goods come and what they cost; each a scalar or (S,)."""

    holding_cost: ArrayLike  # currency per unit left at the end of a period
    shortage_cost: ArrayLike  # currency per unit lost, or owed at the end of a period
    order_cost: ArrayLike = 0.0  # currency per order
    waste_cost: ArrayLike = 0.0  # currency per unit thrown away: unit_cost - salvage_value
    lead_time: ArrayLike = 0  # L, full periods between order and arrival
    review_period: ArrayLike = 1  # R, periods between two orders
    shelf_life: ArrayLike = np.inf  # m, periods in which a unit can be sold; inf: it keeps
    pack_size: ArrayLike = 1.0  # units; orders are whole packs; 0: any amount, fractions included
    moq: ArrayLike = 0.0  # units, least order


@dataclass(frozen=True, slots=True)
class Start:
    """What is there before period 1."""

    on_hand: ArrayLike = 0.0  # (S,) or scalar, units, taken as arrived one period before period 1
    on_hand_by_life: ArrayLike | None = None  # (S, M) instead: units that can be sold in 1 … M more periods
    arrivals: ArrayLike | None = None  # (S, A) units that arrive at the start of periods 1 … A, already paid for
    backorders: ArrayLike = 0.0  # (S,) or scalar, units


@dataclass(frozen=True, slots=True)
class Trace:
    """Each period by itself, (S, T) units."""

    ordered: Array  # at the end of the period before
    on_hand: Array  # left at the end of the period
    sold: Array
    short: Array  # lost, or owed at the end of the period
    wasted: Array


@dataclass(frozen=True, slots=True)
class Simulation:
    """Sums over the scored periods for each SKU, (S,) each."""

    demand: Array  # units
    sold: Array  # units of the scored periods' demand that were served in their period
    short: Array  # units lost, or the sum over periods of the units owed
    wasted: Array  # units thrown away
    arrived: Array  # units
    orders: Array  # that arrived, those under way at the start left out
    stock_outs: Array  # periods with unserved demand
    holding_cost: Array
    shortage_cost: Array
    order_cost: Array
    waste_cost: Array
    mean_on_hand: Array  # units at the end of a period
    end_on_hand: Array  # after period T
    end_on_order: Array
    end_backorders: Array
    periods: int  # scored
    trace: Trace | None  # where it was asked for

    @property
    def cost(self) -> Array:
        """Holding, shortage, ordering and waste cost of the scored periods.

        >>> from fullshelf.kernels.policies import order_up_to
        >>> run = simulate([4, 5, 3, 9], order_up_to(10), Supply(1, 9, lead_time=1), Start(on_hand=6))
        >>> run.cost.tolist()
        [23.0]
        """
        return self.holding_cost + self.shortage_cost + self.order_cost + self.waste_cost

    @property
    def fill_rate(self) -> Array:
        """Share of demand served in its period; NaN without demand.

        >>> from fullshelf.kernels.policies import order_up_to
        >>> run = simulate([4, 5, 3, 9], order_up_to(10), Supply(1, 9, lead_time=1), Start(on_hand=6))
        >>> run.fill_rate.round(3).tolist()
        [0.905]
        """
        share: Array = np.divide(self.sold, self.demand, out=np.full(self.demand.shape, np.nan), where=self.demand > 0)
        return share

    @property
    def cycle_service(self) -> Array:
        """Share of periods without unserved demand.

        >>> from fullshelf.kernels.policies import order_up_to
        >>> run = simulate([4, 5, 3, 9], order_up_to(10), Supply(1, 9, lead_time=1), Start(on_hand=6))
        >>> run.cycle_service.tolist()
        [0.75]
        """
        return 1.0 - self.stock_outs / self.periods


_SUPPLY = np.dtype([
    ("holding_cost", "f8"), ("shortage_cost", "f8"), ("order_cost", "f8"), ("waste_cost", "f8"), ("lead_time", "i8"),
    ("review_period", "i8"), ("shelf_life", "i8"), ("pack_size", "f8"), ("moq", "f8"), ("backorders", "f8"),
])  # fmt: skip
_SUMS = (
    "demand", "sold", "short", "wasted", "arrived", "orders", "stock_outs", "holding_cost", "shortage_cost",
    "order_cost", "waste_cost", "mean_on_hand", "end_on_hand", "end_on_order", "end_backorders",
)  # fmt: skip
_FOREVER = 0  # a shelf life without end, as the core sees it


def simulate(
    demand: ArrayLike,
    policy: Policy,
    supply: Supply,
    start: Start | None = None,
    *,
    stockout: Literal["lost", "backorder"] = "lost",
    issuing: Literal["fifo", "lifo"] = "fifo",
    score_from: int = 1,
    score_to: int | None = None,
    trace: bool = False,
    parallel: bool = False,
) -> Simulation:
    """Run a policy over demand that is given.

    Parameters
    ----------
    demand
        (S, T) units per period, 0 or more; (T,) is one SKU.
    policy
        When and how much to order, from `fullshelf.kernels.policies`.
    supply, start
        Costs and times; stock at the start, nothing by default.
    stockout
        Whether demand that is not served at once is lost or owed.
    issuing
        Whether customers get the oldest or the newest units.
    score_from, score_to
        First and last period that count, 1 … T; the periods before warm up.
    trace
        Also return every period, at the price of five (S, T) arrays.
    parallel
        Use all of numba's threads instead of one.

    Returns
    -------
    Simulation
        A SKU with a NaN, infinite or negative demand anywhere has NaN in every sum.

    Raises
    ------
    ValueError
        If shapes do not fit, the scored range is not inside the periods, or a supply value is impossible: a cost that
        is NaN, a lead time that is not a whole number of periods at or above 0, a review period or shelf life below
        1, a pack size or least order below 0.

    Examples
    --------
    Ordered up to 10 at the end of each period with a lead time of 1 period, so that orders arrive two periods later:

    >>> from fullshelf.kernels.policies import order_up_to
    >>> run = simulate([4, 5, 3, 9], order_up_to(10), Supply(1, 9, lead_time=1), Start(on_hand=6), trace=True)
    >>> run.trace.ordered.tolist(), run.trace.on_hand.tolist(), run.trace.short.tolist()
    ([[4.0, 4.0, 5.0, 3.0]], [[2.0, 1.0, 2.0, 0.0]], [[0.0, 0.0, 0.0, 2.0]])
    >>> run.cost.tolist(), run.fill_rate.round(3).tolist()
    ([23.0], [0.905])
    """
    units = np.asarray(demand)
    units = writeable(np.atleast_2d(units).astype(np.float32 if units.dtype == np.float32 else np.float64, copy=False))
    if units.ndim != 2 or units.shape[1] == 0:
        raise ValueError(f"demand must be (S, T) or (T,) with at least one period, got shape {np.shape(demand)}")
    S, T = units.shape
    last = T if score_to is None else score_to
    if not 1 <= score_from <= last <= T:
        raise ValueError(f"score_from and score_to must lie in 1 … {T} in this order, got {score_from} and {last}")
    if stockout not in ("lost", "backorder") or issuing not in ("fifo", "lifo"):
        raise ValueError(f'stockout is "lost" or "backorder", issuing "fifo" or "lifo"; got {stockout!r}, {issuing!r}')
    begin = start or Start()
    rows = _rows(supply, begin, S)
    hand = _on_hand(begin, rows["shelf_life"], S)
    coming = np.zeros((S, 0)) if begin.arrivals is None else _columns("arrivals", begin.arrivals, S)
    plan = policy.rows(S, T)
    sums = np.empty((S, len(_SUMS)))
    periods = np.empty((S, 5, T if trace else 0))
    in_threads(
        live_through,
        (units, plan.rows, plan.levels, rows, hand, coming, sums, periods),
        stockout == "backorder",
        issuing == "lifo",
        score_from,
        last,
        parallel=parallel,
    )
    columns = {name: np.ascontiguousarray(sums[:, i]) for i, name in enumerate(_SUMS)}
    return Simulation(
        **columns, periods=last - score_from + 1, trace=Trace(*periods.transpose(1, 0, 2)) if trace else None
    )


def _rows(supply: Supply, start: Start, S: int) -> NDArray[Any]:
    rows = np.zeros(S, dtype=_SUPPLY)
    values = {name: getattr(start if name == "backorders" else supply, name) for name in _SUPPLY.names or ()}
    least = {"lead_time": 0, "review_period": 1, "shelf_life": 1, "pack_size": 0, "moq": 0, "backorders": 0}
    for name, value in values.items():
        try:
            array = np.broadcast_to(np.asarray(value, dtype=np.float64), (S,))
        except ValueError:
            raise ValueError(f"{name} must be a scalar or ({S},), got shape {np.shape(value)}") from None
        endless = np.isinf(array) if name == "shelf_life" else np.zeros(S, dtype=bool)
        low = array < least.get(name, -np.inf)
        broken = low | ~(np.isfinite(array) | endless)
        whole = name in ("lead_time", "review_period", "shelf_life")
        if whole:
            broken |= ~endless & (array != np.rint(array))
        if broken.any():
            s = int(np.argmax(broken))
            kind = "whole number" if whole else "finite number"
            raise ValueError(
                f"{name} of SKU {s} is {array[s]}; expected a {kind}"
                + (f" of at least {least[name]}" if name in least else "")
            )
        rows[name] = np.where(endless, _FOREVER, array)
    return rows


def _on_hand(start: Start, life: NDArray[np.int64], S: int) -> Array:
    """(S, M + 1) units: by remaining life, those that keep for ever in the last column."""
    if start.on_hand_by_life is not None:
        given = _columns("on_hand_by_life", start.on_hand_by_life, S)
        M = max(int(life.max(initial=0)), given.shape[1])
        hand = np.zeros((S, M + 1))
        hand[:, : given.shape[1]] = given
        if (too_long := (hand[:, :-1] > 0) & (np.arange(M) >= np.where(life == _FOREVER, 0, life)[:, None])).any():
            s = int(np.argmax(too_long.any(1)))
            raise ValueError(f"on_hand_by_life of SKU {s} has units that live longer than its shelf life")
        return hand
    M = int(life.max(initial=0))
    hand = np.zeros((S, M + 1))
    try:
        units = np.broadcast_to(np.asarray(start.on_hand, dtype=np.float64), (S,))
    except ValueError:
        raise ValueError(f"on_hand must be a scalar or ({S},), got shape {np.shape(start.on_hand)}") from None
    if not (np.isfinite(units) & (units >= 0)).all():
        raise ValueError("on_hand must be finite and at least 0")
    column = np.where(life == _FOREVER, M, np.maximum(life - 2, 0))
    hand[np.arange(S), column] = np.where(life == 1, 0.0, units)
    return hand


def _columns(name: str, value: ArrayLike, S: int) -> Array:
    array = np.atleast_2d(np.asarray(value, dtype=np.float64))
    if array.ndim != 2 or array.shape[0] not in (1, S):
        raise ValueError(f"{name} must be ({S}, n), got shape {np.shape(value)}")
    if not (np.isfinite(array) & (array >= 0)).all():
        raise ValueError(f"{name} must be finite and at least 0")
    return writeable(np.broadcast_to(array, (S, array.shape[1])))
