"""When to order and how much: the policies that `fullshelf.kernels.simulation` runs, as levels over SKUs.

A policy looks at the inventory position: on hand + on order - backorders. What it asks for becomes whole packs and at
least the least order in `whole_lots`.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fullshelf.kernels.compile import core
from fullshelf.kernels.threads import writeable

__all__ = [
    "Policy",
    "PolicyRows",
    "given_orders",
    "least_order",
    "order_up_to",
    "reorder_quantity",
    "reorder_up_to",
    "wanted",
    "waste_aware",
    "whole_lots",
]

Array = NDArray[np.float64]

_ROW = np.dtype([("given", "?"), ("order_quantity", "f8"), ("most", "f8"), ("expected_demand", "f8")])
_NONE = 0.0  # an order quantity that is not used: the policy orders up to a level


@dataclass(frozen=True, slots=True)
class PolicyRows:
    """A policy as the compiled loop takes it."""

    rows: NDArray[Any]  # (S,) records: given, order_quantity, most, expected_demand
    levels: Array  # (S, 2, W) reorder points and order-up-to levels, or (S, 1, W) orders; W = 1, or one for each period


@dataclass(frozen=True, slots=True)
class Policy:
    """Levels of a policy; made by the functions of this file. Each a scalar, (S,), or (S, T) where it changes."""

    reorder_point: ArrayLike  # order when the inventory position is at or below it; units
    order_up_to: ArrayLike  # … up to this level; units
    order_quantity: ArrayLike = (
        _NONE  # scalar or (S,): if above 0, whole multiples of it instead, until above the point
    )
    most: ArrayLike = np.inf  # scalar or (S,): greatest order; units
    expected_demand: ArrayLike = 0.0  # scalar or (S,): above 0, units that it will not take in time do not count
    orders: ArrayLike | None = None  # (S, T): these orders and no others

    def rows(self, S: int, T: int) -> PolicyRows:
        """Lay the policy out for S SKUs and T periods.

        Raises
        ------
        ValueError
            If a level has another shape, or is NaN.

        Examples
        --------
        >>> plan = order_up_to([20, 30]).rows(2, 5)
        >>> plan.levels.tolist()
        [[[20.0], [20.0]], [[30.0], [30.0]]]
        """
        rows = np.zeros(S, dtype=_ROW)
        rows["given"] = self.orders is not None
        for name in ("order_quantity", "most", "expected_demand"):
            rows[name] = _checked(name, getattr(self, name), (S,))
            if (rows[name] < 0).any():
                raise ValueError(f"{name} must be at least 0")
        if self.orders is not None:
            orders = _checked("orders", self.orders, (S, T))
            if not (np.isfinite(orders) & (orders >= 0)).all():
                raise ValueError("orders must be finite and at least 0")
            return PolicyRows(rows, writeable(orders[:, None, :]))
        given = {"reorder_point": np.asarray(self.reorder_point), "order_up_to": np.asarray(self.order_up_to)}
        changes = any(value.ndim == 2 and value.shape[1] > 1 for value in given.values())
        levels = np.empty((S, 2, T if changes else 1))
        for i, (name, value) in enumerate(given.items()):
            levels[:, i] = _checked(name, value[:, None] if value.ndim == 1 else value, (S, levels.shape[2]))
        return PolicyRows(rows, levels)


def order_up_to(level: ArrayLike, most: ArrayLike = np.inf) -> Policy:
    """Order up to the level at each review: (R, S), base stock; with `most` the capped base-stock policy.

    Examples
    --------
    >>> order_up_to([20, 30]).reorder_point
    [20, 30]
    """
    return Policy(reorder_point=level, order_up_to=level, most=most)


def reorder_up_to(reorder_point: ArrayLike, order_up_to: ArrayLike, most: ArrayLike = np.inf) -> Policy:
    """Order up to the level once the position is at or below the reorder point: (s, S); with `most` (s, S, q).

    >>> reorder_up_to(reorder_point=4, order_up_to=10).order_up_to
    10
    """
    return Policy(reorder_point=reorder_point, order_up_to=order_up_to, most=most)


def reorder_quantity(reorder_point: ArrayLike, order_quantity: ArrayLike) -> Policy:
    """Order the fewest whole multiples of the quantity that lift the position above the reorder point: (r, nQ).

    >>> reorder_quantity(reorder_point=4, order_quantity=6).order_quantity
    6
    """
    return Policy(reorder_point=reorder_point, order_up_to=reorder_point, order_quantity=order_quantity)


def waste_aware(level: ArrayLike, expected_demand: ArrayLike, most: ArrayLike = np.inf) -> Policy:
    """Order up to the level, not counting the units that will be thrown away before the next order arrives.

    EWA of Broekmeulen and van Donselaar, A heuristic to manage perishable inventory with batch ordering, positive
    lead-times, and time-varying demand (2009): the waste of the next L + R - 1 periods is estimated with demand at its
    expectation, `expected_demand` units a period.

    >>> waste_aware(level=13, expected_demand=5.0).expected_demand
    5.0
    """
    return Policy(reorder_point=level, order_up_to=level, most=most, expected_demand=expected_demand)


def given_orders(orders: ArrayLike) -> Policy:
    """Place these orders (S, T): column t at the end of period t, where period 0 is before the first.

    They are taken as they are, whatever the review period, packs and least order: what was ordered was ordered.

    >>> given_orders([[4.0, 0.0, 3.0]]).rows(1, 3).levels.tolist()
    [[[4.0, 0.0, 3.0]]]
    """
    return Policy(reorder_point=0.0, order_up_to=0.0, orders=orders)


def _checked(name: str, value: ArrayLike, shape: tuple[int, ...]) -> Array:
    array = np.asarray(value, dtype=np.float64)
    try:
        full = np.broadcast_to(array, shape)
    except ValueError:
        raise ValueError(f"{name} must be a scalar or broadcast to {shape}, got shape {array.shape}") from None
    if np.isnan(full).any():
        raise ValueError(f"{name} has NaN")
    return full


@core
def wanted(position: float, reorder_point: float, order_up_to: float, order_quantity: float, most: float) -> float:
    """Return the units that a policy asks for at an inventory position, before packs and least order.

    Examples
    --------
    >>> wanted(7.0, 10.0, 25.0, 0.0, np.inf), wanted(7.0, 10.0, 0.0, 2.0, np.inf)
    (18.0, 4.0)
    """
    if not position <= reorder_point:
        return 0.0
    if order_quantity > 0.0:
        quantity = (np.floor((reorder_point - position) / order_quantity) + 1.0) * order_quantity
    else:
        quantity = order_up_to - position
    return float(max(min(quantity, most), 0.0))


@core
def least_order(pack_size: float, moq: float) -> float:
    """Return the smallest order there can be: whole packs, at least one unit and the least order.

    >>> least_order(6.0, 10.0), least_order(1.0, 0.0), least_order(0.0, 2.5)
    (12.0, 1.0, 2.5)
    """
    return float(np.ceil(max(moq, 1.0) / pack_size - 1e-9) * pack_size) if pack_size > 0.0 else moq


@core
def whole_lots(quantity: float, pack_size: float, least: float) -> float:
    """Return the nearest whole unit, then up to whole packs and `least_order`; a pack size of 0 takes any amount.

    Examples
    --------
    >>> [whole_lots(q, 6.0, least_order(6.0, 10.0)) for q in (0.4, 0.5, 12.4, 12.6)]
    [0.0, 12.0, 12.0, 18.0]
    """
    if pack_size == 1.0:  # the common case without a division
        quantity = np.floor(quantity + 0.5)
    elif pack_size > 0.0:
        if pack_size == np.floor(pack_size):
            quantity = np.floor(quantity + 0.5)
        quantity = np.ceil(quantity / pack_size - 1e-9) * pack_size
    return float(max(quantity, least)) if quantity > 0.0 else 0.0
