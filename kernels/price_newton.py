"""Shadow prices of hundreds of limits at once: Newton's steps on the dual of an allocation.

The dual is concave, its slope in a price the use of the limit less what there is, its curvature the sum over series of
how fast the order falls with what a unit pays, times what it claims of two limits. Each step maximises the quadratic
model under prices >= 0 (Bertsekas 1982, projected Newton; coordinate by coordinate, for the model costs nothing beside
asking the series). Limit by limit, as `fullshelf.kernels.allocation` searches, took 2,700 questions for 1,500 limits
of 100,000 series; this takes some dozens.

J limits. Use in shares of what there is; curvature in whole numbers, so it does not depend on how series are grouped.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from fullshelf.kernels.compile import core, loop

__all__ = ["CURVATURE", "add_curvature", "newton_prices"]

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

CURVATURE = 2.0**44  # whole numbers to one, of a curvature in scaled prices
STEPS = 20
SWEEPS = 400  # of the quadratic model
NEAR = 1.5e-3  # distance of uses from what there is, as a share, that is good enough


@loop
def add_curvature(
    limit: NDArray[np.int32], claim: Array, scale: Array, rows: Ints, slope: Array, curvature: Ints
) -> None:
    """Add the curvature (J + 1, J + 1) of series whose orders fall by `slope` for each currency unit a unit pays more.

    Parameters
    ----------
    limit, claim
        (S, G) limits and units of the resource per unit ordered; index J stands for none.
    scale
        (J + 1,) of the prices: prices are `scale` times those in which the curvature is.
    rows, slope
        (n,) series, and units per currency.

    Examples
    --------
    >>> out = np.zeros((2, 2), dtype=np.int64)
    >>> add_curvature(np.int32([[0]]), np.array([[0.5]]), np.array([2.0, 0.0]), np.array([0]), np.array([0.1]), out)
    >>> round(float(out[0, 0] / CURVATURE), 9)
    0.1
    """
    G = limit.shape[1]
    for n in range(rows.size):
        s = rows[n]
        if not slope[n] > 0.0:
            continue
        for g in range(G):
            j = limit[s, g]
            mine = slope[n] * claim[s, g] * scale[j]
            for h in range(G):
                k = limit[s, h]
                curvature[j, k] += np.int64(np.rint(min(mine * claim[s, h] * scale[k], 1.0) * CURVATURE))


@core
def _climb(curvature: Array, slope: Array, x: Array, highest: Array, step: Array) -> None:
    """Fill the step (J,) that maximises slope · d - d · curvature · d / 2 with 0 <= x + d <= highest."""
    J = x.size
    bent = np.zeros(J)  # curvature · step
    for j in range(J):
        step[j] = 0.0
    for _ in range(SWEEPS):
        largest = 0.0
        for j in range(J):
            if not curvature[j, j] > 0.0:
                continue
            wish = step[j] + (slope[j] - bent[j]) / curvature[j, j]
            wish = min(max(wish, -x[j]), highest[j] - x[j])
            change = wish - step[j]
            if change != 0.0:
                step[j] = wish
                for k in range(J):
                    bent[k] += change * curvature[j, k]
                largest = max(largest, abs(change) / (x[j] + abs(wish)))
        if largest < 1e-5:
            break


@loop
def _step(curvature: Array, slope: Array, x: Array, highest: Array) -> Array:
    step = np.empty(x.size)
    _climb(curvature, slope, x, highest, step)
    return step


def newton_prices(
    use_of: Callable[[Array], Array],
    curvature_of: Callable[[Array, Array], Array],
    amounts: Array,
    ceilings: Array,
    guess: Array,
    tell: Callable[[float], None] = lambda distance: None,
) -> Array:
    """Return prices (J,) near those at which every limit just holds; 0 where it does not bind.

    Parameters
    ----------
    use_of
        Prices (J,) → use (J,) of each limit, as a share of what there is.
    curvature_of
        Prices (J,) and scales (J,) → curvature (J, J) in prices over scales.
    amounts
        (J,) what there is of each limit, above 0.
    ceilings
        (J,) prices at which nobody who uses the resource orders.
    guess
        (J,) where to begin.
    tell
        Is told the distance of uses from what there is, as a share, after each step.

    Examples
    --------
    A thousand units of falling worth, room for 600:

    >>> use = lambda prices: (1.0 - prices / 10.0) * 1000.0 / 600.0
    >>> bent = lambda prices, scale: np.array([[100.0]]) * scale**2
    >>> newton_prices(use, bent, np.array([600.0]), np.array([10.0]), np.zeros(1)).round(6).tolist()
    [4.0]
    """
    scale = np.sqrt(np.where(ceilings > 0.0, ceilings, 1.0) / amounts)
    x, best, best_distance = guess / scale, guess / scale, np.inf
    before, reach = x, 1.0
    for _ in range(STEPS):
        share = use_of(x * scale)
        distance = _distance(share, x * scale * amounts)
        tell(distance)
        if distance < best_distance:
            best, best_distance = x, distance
            reach = min(1.0, 2.0 * reach)
        elif reach > 0.2:  # too far: half-way back
            reach *= 0.5
            x = 0.5 * (before + x)
            continue
        if best_distance <= NEAR:
            break
        highest = np.minimum(np.maximum(8.0 * x, 0.25 * ceilings / scale), ceilings / scale)
        slope = (share - 1.0) * amounts * scale
        before, x = x, x + reach * _step(curvature_of(x * scale, scale), slope, x, highest)
        x = np.where(x > 1e-9 * ceilings / scale, x, 0.0)
    prices: Array = best * scale
    return prices


def _distance(share: Array, worth: Array) -> float:
    """Return how far use is from what there is, on both sides where a limit has a price, else above.

    The mean over limits, weighed by what each is worth at its price, (J,) currency; the smallest worth counts as a
    hundredth of the mean one, so that limits without a price count as well.
    """
    away = np.where(worth > 0.0, np.abs(share - 1.0), np.maximum(share - 1.0, 0.0))
    weight = np.maximum(worth, 0.01 * worth.mean() + 1e-300)
    return float(np.minimum(away, 10.0) @ weight / weight.sum())
