"""The cheapest setting of a segment: differential evolution (Storn and Price 1997), as SciPy has it.

The cost of past rounds is a staircase, since orders come in whole units and packs: it has no slope to follow, and many
small valleys. The search begins with what is configured among its candidates, so it never ends with anything dearer.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["DEFAULT", "cheapest"]

Array = NDArray[np.float64]

DEFAULT = (1.0, 1.0, math.inf)  # demand, shortage, cap: what is configured
BOUNDS = ((math.log(0.5), math.log(2.0)), (math.log(1 / 8), math.log(8.0)), (-1.0, 1.0))
MEMBERS = 5  # candidates of a generation for each number
NOTHING = 0.005  # share of the cost that a number must save for itself to be set at all
PULL = (
    0.01  # share of the cost that must be saved to go to an end of the box: less demand and dearer shortage say alike
)


def cheapest(cost: Callable[[Array], Array], candidates: int, seed: int) -> Array:
    """Return demand, shortage and cap (3,), rounded as the file shows them.

    Parameters
    ----------
    cost
        Of P settings (P, 3): currency (P,).
    candidates
        How many settings are tried, about.
    """
    from scipy.optimize import differential_evolution  # half a second; `tune` has looked whether it is there

    members = MEMBERS * len(BOUNDS)
    found = differential_evolution(
        lambda x: cost(_factors(x.T)) * (1 + PULL * _distance(x)),
        BOUNDS,
        maxiter=max(candidates // members - 1, 1),
        popsize=MEMBERS,
        x0=[0.0, 0.0, 0.0],
        rng=np.random.default_rng(seed),
        polish=False,
        vectorized=True,
        updating="deferred",
        tol=0.0,
    )
    return _plain(_rounded(_factors(found.x[None])[0]), cost)


def _factors(x: Array) -> Array:
    """Turn points (P, 3) of the searched box into factors: logarithms, and one over the cap, not above 0 for none."""
    cap = np.full(len(x), math.inf)
    np.divide(1.0, x[:, 2], out=cap, where=x[:, 2] > 0)
    return np.column_stack([np.exp(x[:, 0]), np.exp(x[:, 1]), cap])


def _distance(x: Array) -> Array:
    """Return how far points (3, P) lie from what is configured: mean square of the two factors' ways, 1 at an end."""
    way: Array = ((x[:2] / np.array(BOUNDS)[:2, 1:]) ** 2).mean(axis=0)
    return way


def _rounded(factors: Array) -> Array:
    return np.array([round(factors[0], 3), float(f"{factors[1]:.3g}"), round(factors[2], 2)])


def _plain(found: Array, cost: Callable[[Array], Array]) -> Array:
    """Set back each number that hardly saves anything: what is left can be understood, and learns less from luck."""
    kept, worth = found, float(cost(found[None])[0])
    for i in (2, 1, 0):
        plain = kept.copy()
        plain[i] = DEFAULT[i]
        without = float(cost(plain[None])[0])
        if without <= worth * (1 + NOTHING):
            kept, worth = plain, without
    return kept
