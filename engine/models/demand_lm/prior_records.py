"""From demand to what was recorded: stock-outs, records lost or wrong, lives that begin and end."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fullshelf.engine.calendar import Period
from fullshelf.engine.models.demand_lm.prior_plans import DAYS
from fullshelf.engine.models.demand_lm.prior_random import Grid, Rows, between, chance, decades, spells

REPORTED = {Period.DAY: 0.35, Period.WEEK: 0.2, Period.MONTH: 0.1}  # share of series with stock-outs


def life(rng: np.random.Generator, b: int, C: int, T: int, days: float) -> tuple[Grid, NDArray[np.intp]]:
    """Draw beginnings and ends.

    40 % of the histories are shorter than the context, evenly in the logarithm of their length; half of these begin
    with a launch: a slow rise, or a rush that fades. 9 % of the series die, at once or over years; 8 % pause.

    Returns
    -------
    effect
        (b, T) log of a factor on demand.
    first
        (b,) first period that exists.
    """
    effect = np.zeros((b, T), dtype=np.float32)
    first = np.zeros(b, dtype=np.intp)
    time = np.arange(T, dtype=np.float32)
    short = chance(rng, 0.4, b)
    first[short] = C - np.clip(np.rint(decades(rng, 0.6, C, short.size)), 1, C).astype(np.intp)
    launched = short[rng.random(short.size) < 0.5]
    age = np.maximum(time - first[launched, None], 0)
    pace = np.maximum(decades(rng, 5, 200, launched.size) / days, 0.5)[:, None]
    rise = rng.random((launched.size, 1)) < 0.6
    size = between(rng, 0.2, 3.0, launched.size)[:, None]
    effect[launched] += np.where(rise, -size, 0.5 * size) * np.exp(-age / pace)
    dying = chance(rng, 0.09, b)
    at = rng.integers(0, T, dying.size)[:, None]
    speed = np.maximum(decades(rng, 0.3, 500, dying.size) / days, 0.05)[:, None]
    effect[dying] -= np.minimum(np.maximum(time - at, 0) / speed, 30)
    pausing = chance(rng, 0.08, b)
    gap, length = decades(rng, 100, 900, pausing.size) / days, decades(rng, 14, 200, pausing.size) / days
    effect[pausing] -= 30 * np.minimum(spells(rng, gap, length, T).paint(pausing.size, T), 1)
    return effect, first


def sold(rng: np.random.Generator, demand: Grid, period: Period, C: int, whole: NDArray[np.bool_]) -> tuple[Grid, Grid]:
    """Draw stock-outs in the C periods of the past; return what was sold, and the share in stock as it was reported.

    Half the series with stock-outs lose single days, mostly those with many buyers, and only a part of the day; the
    other half are out for 1…20 days on end. In a quarter of the series nobody reports it.
    """
    b = demand.shape[0]
    past = demand[:, :C].copy()
    observed = np.ones((b, C), dtype=np.float32)
    rows = chance(rng, REPORTED[period], b)
    n = rows.size
    if n == 0:
        return past, observed
    days = DAYS[period]
    single = rng.random(n) < 0.5
    share = np.ones((n, C), dtype=np.float32)

    k = np.flatnonzero(single)
    typical = past[rows[k]].mean(axis=1, keepdims=True) + 1e-6
    pull = np.clip(past[rows[k]] / typical, 0.2, 4) ** between(rng, 0.0, 1.5, k.size)[:, None]
    hit = rng.random((k.size, C), dtype=np.float32) < decades(rng, 0.01, 0.6, k.size)[:, None] * pull
    left = rng.random((k.size, C), dtype=np.float32) ** decades(rng, 0.3, 3.0, k.size)[:, None]
    share[k] = np.where(hit, np.rint(left * 24) / 24, 1)

    k = np.flatnonzero(~single)
    length = (decades(rng, 1, 20, k.size) / days).astype(np.float32)
    found = spells(rng, (decades(rng, 20, 400, k.size) / days).astype(np.float32), np.maximum(length, 0.6), C)
    loss = between(rng, 0.3, 1.0, found.count) if period is not Period.DAY else 1.0
    share[k] = 1 - np.clip(found.paint(k.size, C, loss), 0, 1)

    # Below 1 most of the day's demand comes early: who sells out an hour before closing loses next to nothing.
    rush = decades(rng, 0.15, 1.7, n)[:, None]
    kept = past[rows] * share**rush
    dither = rng.random((n, C), dtype=np.float32)
    kept = np.where(whole[rows, None], np.minimum(np.floor(kept + dither), past[rows]), kept)
    past[rows] = kept
    observed[rows] = np.where((rng.random(n) < 0.75)[:, None], share, 1)
    return past, observed


def errors(rng: np.random.Generator, units: Grid, first: NDArray[np.intp]) -> None:
    """Draw wrong records into the past, in place: 6 % of series with single absurd numbers, 4 % with lost stretches."""
    b, C = units.shape
    wrong = chance(rng, 0.06, b)
    at = rng.random((wrong.size, C), dtype=np.float32) < decades(rng, 0.002, 0.02, wrong.size)[:, None]
    units[wrong] *= np.where(at, decades(rng, 2.5, 30, wrong.size)[:, None], 1)
    lost = chance(rng, 0.04, b)
    gone = spells(rng, decades(rng, 40, 400, lost.size), decades(rng, 1, 15, lost.size), C).paint(lost.size, C)
    units[lost] *= gone == 0
    units *= np.arange(C) >= first[:, None]


def returned(rng: np.random.Generator, demand: Grid, whole: NDArray[np.bool_]) -> None:
    """Take returns of earlier periods off the demand of 4 % of the series, in place; the net is at least 0."""
    rows = chance(rng, 0.04, demand.shape[0])
    if rows.size == 0:
        return
    back = np.zeros((rows.size, demand.shape[1]), dtype=np.float32)
    share: Rows = between(rng, 0.02, 0.3, rows.size)
    lag = int(rng.integers(1, 8))
    back[:, lag:] = demand[rows, :-lag] * share[:, None] * (rng.random(back[:, lag:].shape) < 0.6)
    back = np.where(whole[rows, None], np.floor(back + rng.random(back.shape)), back)
    demand[rows] = np.maximum(demand[rows] - back, 0)
