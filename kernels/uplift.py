"""How promotions and prices move each series' demand: factors of the past, and of the periods ahead that are planned.

Demand is level x exp(a promo + b log(price / usual price)). Each series estimates its own a and b, drawn towards what
is usual in retail by how little its own past says: a promotion adds a third, and demand falls as the price rises, with
elasticity 1. Where the price is known it says most of what a promotion does. The forecasters divide the past by these
factors and multiply the future by them, so a planned promotion is forecast as one and a past one is no level shift.
"""

import math

import numpy as np
from numpy.typing import NDArray

from fullshelf.kernels.compile import core, loop
from fullshelf.kernels.exposure import NOTHING, fill_exposure
from fullshelf.kernels.sorting import sort_together

__all__ = ["uplift_factors"]

Array = NDArray[np.float64]
Single = NDArray[np.float32]

PROMO_ALONE = (0.3, 4.0)  # prior mean of a, and its precision (1 / variance), where no price is known
PROMO_PRICED = (0.1, 8.0)  # the same where the price is known too
PRICE = (-1.0, 8.0)  # prior of b
HALF_LIFE = 14.0  # periods of the level around a promotion, looking both ways
ROUNDS = 3  # of estimating levels, then effects
CONTEXT = 2192  # newest periods that the effects are estimated on
STRONGEST = 5.0  # factors lie between exp(-5) and exp(5)


@core
def _local_sums(values: Array, fade: float, sums: Array) -> None:
    """Write the two-sided exponentially weighted sums of the neighbours, without the value itself."""
    n = values.size
    running = 0.0
    for t in range(n):
        sums[t] = running
        running = (running + values[t]) * fade
    running = 0.0
    for i in range(n):
        t = n - 1 - i
        sums[t] += running
        running = (running + values[t]) * fade


@core
def _effects(
    y: Single, exposure: Array, promo: Array, price: Array, promoted: bool, priced: bool, prior: Array, effect: Array
) -> None:
    """Estimate the (2,) effects of one series by rounds of local levels and one penalised Newton step each.

    prior (2, 2): mean and precision of each effect. Each covariate counts by its difference from its local mean, so
    that slow changes are left to the level.
    """
    n = y.size
    fade = 0.5 ** (1.0 / HALF_LIFE)
    load, sold, units = np.empty(n), np.empty(n), np.empty(n)
    shown, promo_near, price_near, product = np.empty(n), np.zeros(n), np.zeros(n), np.empty(n)
    effect[0], effect[1] = prior[0, 0], prior[1, 0]
    for t in range(n):
        units[t] = y[t]
    _local_sums(units, fade, sold)
    for _ in range(ROUNDS):
        for t in range(n):
            load[t] = exposure[t] * math.exp(effect[0] * promo[t] + effect[1] * price[t])
        _local_sums(load, fade, shown)
        if promoted:
            for t in range(n):
                product[t] = load[t] * promo[t]
            _local_sums(product, fade, promo_near)
        if priced:
            for t in range(n):
                product[t] = load[t] * price[t]
            _local_sums(product, fade, price_near)
        g0 = g1 = h00 = h01 = h11 = squares = 0.0
        count = 0
        for t in range(n):
            if load[t] <= 0.0 or shown[t] <= 0.0:
                continue
            around = shown[t] + load[t]
            level = max(sold[t] / shown[t], 0.02 * (sold[t] + y[t]) / around)
            mean = level * load[t]
            if mean <= 0.0:
                continue
            e = y[t] - mean
            x0 = promo[t] - (promo_near[t] + load[t] * promo[t]) / around
            x1 = price[t] - (price_near[t] + load[t] * price[t]) / around
            g0 += x0 * e
            g1 += x1 * e
            h00 += x0 * x0 * mean
            h01 += x0 * x1 * mean
            h11 += x1 * x1 * mean
            squares += e * e / mean
            count += 1
        if count == 0 or squares <= 0.0:
            return
        dispersion = squares / count
        g0 = g0 / dispersion - prior[0, 1] * (effect[0] - prior[0, 0])
        g1 = g1 / dispersion - prior[1, 1] * (effect[1] - prior[1, 0])
        h00 = h00 / dispersion + prior[0, 1]
        h11 = h11 / dispersion + prior[1, 1]
        h01 /= dispersion
        determinant = h00 * h11 - h01 * h01
        effect[0] += max(-1.0, min(1.0, (g0 * h11 - h01 * g1) / determinant))
        effect[1] += max(-1.0, min(1.0, (h00 * g1 - h01 * g0) / determinant))


@core
def _covariate(past: Single, future: Single, relative: bool, x: Array, x_ahead: Array) -> bool:
    """Write promo shares, or logarithms of prices relative to the median one; return whether anything is to be learnt.

    Unknown periods, past or future, have no promotion, and the price of the last one known before. Nothing is to be
    learnt where the whole future is unknown, or past and future are one value.
    """
    n, H = x.size, x_ahead.size
    for t in range(n):
        x[t] = 0.0
    for h in range(H):
        x_ahead[h] = 0.0
    if past.size == 0 or future.size == 0:
        return False
    usual = 1.0
    if relative:
        known = np.empty(n)
        count = 0
        for t in range(n):
            if past[t] > 0.0:
                known[count] = past[t]
                count += 1
        if count == 0:
            return False
        sort_together(known[:count], known[:count])
        usual = 0.5 * (known[(count - 1) // 2] + known[count // 2])
    least, most = np.inf, -np.inf
    planned = 0
    value = 0.0
    for i in range(n + H):
        given = past[i] if i < n else future[i - n]
        if relative and given > 0.0:
            value = math.log(given / usual)
        elif not relative:
            value = given if given == given else 0.0
        if i < n:
            x[i] = value
        else:
            x_ahead[i - n] = value
            planned += given == given
        least, most = min(least, value), max(most, value)
    if planned == 0 or most - least < 1e-3:
        for t in range(n):
            x[t] = 0.0
        for h in range(H):
            x_ahead[h] = 0.0
        return False
    return True


@loop
def _all_series(
    units: Single,
    observed: Single,
    offsets: NDArray[np.int64],
    horizon: int,
    promo: Single,
    price: Single,
    promo_ahead: Single,
    price_ahead: Single,
) -> tuple[Single, Single]:
    S, H = offsets.size - 1, horizon
    factor = np.ones(units.size, dtype=np.float32)
    ahead = np.ones(S * H, dtype=np.float32)
    effect, prior = np.empty(2), np.empty((2, 2))
    promo_next, price_next = np.empty(H), np.empty(H)
    for s in range(S):
        stop = offsets[s + 1]
        start = max(offsets[s], stop - CONTEXT)
        n = stop - start
        promos, prices, exposure = np.empty(n), np.empty(n), np.empty(n)
        first = s * H
        promoted = _covariate(
            promo[start:stop] if promo.size else promo,
            promo_ahead[first : first + H] if promo_ahead.size else promo_ahead,
            False,
            promos,
            promo_next,
        )
        priced = _covariate(
            price[start:stop] if price.size else price,
            price_ahead[first : first + H] if price_ahead.size else price_ahead,
            True,
            prices,
            price_next,
        )
        if not promoted and not priced:
            continue
        y = units[start:stop]
        if fill_exposure(y, observed[start:stop], promo[:0], exposure) <= 0.0:
            continue
        prior[0, 0], prior[0, 1] = PROMO_PRICED if priced else PROMO_ALONE
        prior[1, 0], prior[1, 1] = PRICE
        _effects(y, exposure, promos, prices, promoted, priced, prior, effect)
        for t in range(n):
            power = effect[0] * promos[t] + effect[1] * prices[t]
            factor[start + t] = math.exp(max(-STRONGEST, min(STRONGEST, power)))
        for h in range(H):
            power = effect[0] * promo_next[h] + effect[1] * price_next[h]
            ahead[first + h] = math.exp(max(-STRONGEST, min(STRONGEST, power)))
    return factor, ahead


def uplift_factors(
    units: Single,
    observed: Single,
    offsets: NDArray[np.int64],
    horizon: int,
    promo: Single | None = None,
    price: Single | None = None,
    promo_ahead: Single | None = None,
    price_ahead: Single | None = None,
) -> tuple[Single, Single]:
    """Estimate the factors by which promotions and prices move the demand of S series.

    Parameters
    ----------
    units, observed
        (N,) units and share of the period in stock of all series, one after the other, oldest first.
    offsets
        (S + 1,) series s owns positions offsets[s] … offsets[s + 1] - 1.
    horizon
        Periods, H.
    promo, price
        (N,) share of the period on promotion, 0…1, and price in currency per unit; NaN where unknown, None for none.
    promo_ahead, price_ahead
        (S, H) the same as planned. A covariate whose future is unknown throughout is not used.

    Returns
    -------
    factor (N,), ahead (S, H): demand expected relative to that of an ordinary period.

    Examples
    --------
    >>> import numpy as np
    >>> promo = np.tile(np.array([0, 0, 0, 0, 1], dtype=np.float32), 40)
    >>> units = np.where(promo > 0, 20, 10).astype(np.float32)
    >>> factor, ahead = uplift_factors(
    ...     units, np.ones_like(units), np.array([0, 200]), 2, promo, None, np.array([[0, 1]], dtype=np.float32)
    ... )
    >>> ahead.round(1).ravel().tolist()
    [1.0, 2.0]
    """
    parts = [
        NOTHING if p is None else np.ascontiguousarray(p).ravel() for p in (promo, price, promo_ahead, price_ahead)
    ]
    factor, ahead = _all_series(units, observed, offsets, horizon, parts[0], parts[1], parts[2], parts[3])
    return factor, ahead.reshape(-1, horizon)
