"""Prices and promotions of the prior: what was done, what it did to demand, and what of it is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fullshelf.engine.calendar import Period
from fullshelf.engine.models.demand_lm.prior_random import Grid, between, chance, decades, normal, spells

DAYS = {Period.DAY: 1.0, Period.WEEK: 7.0, Period.MONTH: 30.4}  # days in a period


@dataclass(frozen=True, slots=True)
class Plans:
    """Prices and promotions of b series over T periods."""

    effect: Grid  # (b, T) log of the factor on demand
    price: Grid  # (b, T) log of price / median of the series' past prices, 0 where not known
    promo: Grid  # (b, T) share of the period on promotion, 0 where not known
    known: Grid  # (b, T) 1 where the price or the promotion of the period is known


def plans(rng: np.random.Generator, period: Period, b: int, C: int, T: int) -> Plans:
    """Draw promotions (elasticity, pull-forward), steps of the price, rivals' promotions, and what is known of them.

    Half of the daily and weekly series have promotions, 20 % of the monthly ones. In 60 % of the series with plans the
    coming ones are known: who records them mostly plans them. A tenth of the promotions do nothing; some series are
    bought on promotion almost alone.
    """
    effect = np.zeros((b, T), dtype=np.float32)
    log_price = np.zeros((b, T), dtype=np.float32)
    share = np.zeros((b, T), dtype=np.float32)
    days = DAYS[period]

    rows = chance(rng, 0.2 if period is Period.MONTH else 0.5, b)
    n = rows.size
    if n:
        length = np.maximum(decades(rng, 2.0, 21.0, n) / days, 0.6).astype(np.float32)
        gap = np.maximum(decades(rng, 10.0, 200.0, n) / days, 1.0).astype(np.float32)
        found = spells(rng, gap, length, T, regular=between(rng, 0, 1, n) * (rng.random(n) < 0.5))
        depth = between(rng, 0.05, 0.5, n)[found.row] * between(rng, 0.6, 1.2, found.count)
        part = 1.0 if period is Period.DAY else between(rng, 0.25 if period is Period.WEEK else 0.1, 1.0, found.count)
        cut = -np.log1p(-np.clip(depth, 0.02, 0.7)).astype(np.float32)
        elasticity = np.where(rng.random(n) < 0.8, between(rng, 0.5, 4.5, n), between(rng, 0.0, 0.5, n))
        shown = between(rng, 0.0, 0.8, n) * (rng.random(n) < 0.7)
        shown = np.where(rng.random(n) < 0.07, between(rng, 1.5, 3.5, n), shown)  # bought on promotion almost alone
        silent = rng.random(n) < 0.1
        lift = np.where(silent[found.row], 0, elasticity[found.row] * cut + shown[found.row])
        lift = lift * between(rng, 0.7, 1.3, found.count) * part
        effect[rows] += np.minimum(found.paint(n, T, lift.astype(np.float32)), 4.5)
        share[rows] = np.clip(found.paint(n, T, part), 0, 1)
        log_price[rows] -= found.paint(n, T, (cut * part).astype(np.float32))
        pantry = between(rng, 0.0, 0.8, n) * (rng.random(n) < 0.4)  # what was bought ahead is missing afterwards
        later = found.after(np.maximum(found.end - found.start, 1), T)
        effect[rows] -= np.minimum(later.paint(n, T, pantry[found.row] * np.minimum(lift, 1.0)), 1.5)

    rows = chance(rng, 0.35, b)  # steps of the price
    n = rows.size
    gap = (decades(rng, 60.0, 700.0, n) / days).astype(np.float32)
    found = spells(rng, np.ones(n, np.float32), gap, T)
    step = found.paint(n, T, 0.1 * normal(rng, found.count))
    log_price[rows] += step
    effect[rows] -= step * between(rng, 0.0, 3.0, n)[:, None]

    rows = chance(rng, 0.12, b)  # promotions of rival products, of which nothing is known
    n = rows.size
    found = spells(
        rng, (decades(rng, 20, 200, n) / days).astype(np.float32), (decades(rng, 3, 20, n) / days).astype(np.float32), T
    )
    effect[rows] -= np.minimum(found.paint(n, T, between(rng, 0.05, 0.8, found.count)), 1.5)

    knows_price, knows_promo = rng.random(b) < 0.6, rng.random(b) < 0.65
    ahead = rng.random(b) < 0.6
    past = np.arange(T) < C
    seen = past | ahead[:, None]
    sampled = log_price[:, : C : max(1, C // 64)]
    log_price -= np.median(sampled, axis=1, keepdims=True)
    return Plans(
        effect,
        log_price * (seen & knows_price[:, None]),
        share * (seen & knows_promo[:, None]),
        (seen & (knows_price | knows_promo)[:, None]).astype(np.float32),
    )
