"""A shop through which gradients pass: what orders cost, period by period, as `kernels.simulation` counts it.

One period: what was ordered at the end of t arrives at the start of t + L + 1; demand takes what is there, the rest is
lost or owed; each unit left costs its holding, each unit lost or still owed its shortage; then the next order. The
first order is placed before the first period. All is piecewise linear in the orders, so the derivative of the cost is
exact almost everywhere; orders in whole units hand their gradient on as if they had not been rounded.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from fullshelf.engine.models.learned_policy.network import hinge

Policy = Callable[[Tensor, Tensor, Tensor], Tensor]


def whole_units(order: Tensor, whole: Tensor) -> Tensor:
    """Round orders (B,) to the nearest unit where `whole` (B,) says so; the gradient is that of the order."""
    rounded = torch.floor(order.detach() + 0.5)
    return torch.where(whole, order + (rounded - order.detach()), order)


def simulated_costs(
    policy: Policy,
    demand: Tensor,
    scale: Tensor,
    holding: Tensor,
    shortage: Tensor,
    lead: int,
    *,
    on_hand: Tensor | None = None,
    coming: Tensor | None = None,
    whole: Tensor | None = None,
    backorders: bool = False,
    orders: list[Tensor] | None = None,
) -> Tensor:
    """Return the cost (B, T) of each period.

    Parameters
    ----------
    policy
        Called with stock (B,), what is on its way (B, L) by period of arrival, and the forecast's scale (B,); returns
        orders (B,) in units.
    demand, scale
        (B, T) units; scale of the forecast that each order sees.
    holding, shortage
        (B,) currency per unit left, per unit short, and period.
    lead
        L, periods.
    on_hand, coming
        (B,), (B, L) at the start; default nothing. With backorders, stock below 0 is owed.
    whole
        (B,) orders are whole units; default none.
    backorders
        Demand without stock is owed, not lost.
    orders
        A list that takes the orders (B,) of each period.
    """
    B, T = demand.shape
    stock = torch.zeros_like(holding) if on_hand is None else on_hand
    way = torch.zeros(B, lead, dtype=stock.dtype) if coming is None else coming
    costs = []
    for t in range(T):
        order = policy(stock, way, scale[:, t])
        if whole is not None:
            order = whole_units(order, whole)
        if orders is not None:
            orders.append(order)
        way = torch.cat([way, order[:, None]], dim=1)
        after = stock + way[:, 0] - demand[:, t]
        way = way[:, 1:]
        left, short = hinge(after), hinge(-after)
        stock = after if backorders else left
        costs.append(holding * left + shortage * short)
    return torch.stack(costs, dim=1)
