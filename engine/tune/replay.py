"""Many settings of the plan lived side by side over the same rounds, from forecasts that were made once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fullshelf.engine.backtest.costs import COSTS, MEASURES
from fullshelf.engine.backtest.shelf import Shelf
from fullshelf.engine.planning import order_problem
from fullshelf.engine.service_targets import ServiceTargets
from fullshelf.engine.tune.rehearsal import Rehearsal, some
from fullshelf.engine.tuned_factors import TunedFactors

__all__ = ["replayed"]

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

_COSTS = [MEASURES.index(name) for name in COSTS]


def replayed(play: Rehearsal, rows: Ints, factors: Array, rounds: int) -> Array:
    """Return what P settings would have cost: (P, n, rounds) currency, for n series over the first rounds.

    A round in which a series was not in stock throughout is lived, with what was forecast where that is more than what
    was sold, but costs it nothing under any setting: orders tuned to sales that lacked goods would lack goods again.

    Parameters
    ----------
    rows
        (n,) series of the rehearsal.
    factors
        (P, 3) demand, shortage and cap of each setting; see `tuned_settings`.
    """
    P, n, every = len(factors), rows.size, play.rounds.every
    tiled = np.tile(rows, P)
    costs = play.costs.some(tiled)
    demand, shortage, cap = (np.repeat(column, n) for column in factors.T)
    shelf = Shelf(costs, every, play.settings.stockout == "backorder")
    met = np.zeros(P * n, np.bool_)  # known by now
    found = np.empty((P, n, rounds))
    for k in range(rounds):
        scene = play.scenes[k]
        place = scene.place[tiled]
        live = np.flatnonzero(place >= 0)
        at = place[live]
        new = ~met[live] & costs.planned[live]
        met[live] = True
        first = np.floor(np.minimum(scene.level[at], costs.max_stock[live]) + 0.5)
        shelf.put(live[new], first[new])
        ordered = np.zeros(P * n)
        if live.size:
            problem = order_problem(
                some(scene.demand, at), scene.supply[at], shelf.stock(live), play.settings,
                ServiceTargets(scene.targets.cycle[at], scene.targets.fill[at]),
                tuned=TunedFactors(demand[live], shortage[live], cap[live]),
            )  # fmt: skip
            ordered[live] = problem.orders(np.zeros(live.size))[1]
            shelf.order(live, ordered[live])
        wanted = play.demand[tiled, k * every : (k + 1) * every]
        sums = shelf.live(np.where((met & costs.planned)[:, None], wanted, 0.0))
        seen = play.in_stock[tiled, k * every : (k + 1) * every].all(axis=1)
        found[:, :, k] = np.where(seen, costs.money(sums, ordered)[:, _COSTS].sum(axis=1), 0.0).reshape(P, n)
    return found
