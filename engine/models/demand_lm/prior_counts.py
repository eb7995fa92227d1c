"""From the expected demand of the prior to demand: counts, lumps, spare parts, smooth turnover."""

from __future__ import annotations

import numpy as np

from fullshelf.engine.models.demand_lm.prior_random import (
    Grid,
    autoregression,
    between,
    chance,
    decades,
    normal,
    spells,
)

MOST = np.float32(1e9)  # units in a period


def counts(rng: np.random.Generator, mean: Grid) -> Grid:
    """Draw whole numbers: a quarter Poisson, the rest negative binomial from nearly Poisson to heavy-tailed.

    Variance = mean + mean² / size with size 0.15…30; a fifth of the series has days of very many buyers as well.
    """
    b, T = mean.shape
    mean = np.minimum(mean, MOST / 100)
    spread = chance(rng, 0.75, b)
    size = decades(rng, 0.15, 30.0, spread.size)[:, None]
    rate = mean.copy()
    rate[spread] *= rng.standard_gamma(np.broadcast_to(size, (spread.size, T)), dtype=np.float32) / size
    heavy = chance(rng, 0.2, b)
    jolt = normal(rng, heavy.size, T)
    sd = between(rng, 0.2, 0.9, heavy.size)[:, None]
    rate[heavy] *= np.exp(sd * jolt - 0.5 * sd * sd)
    return _poisson(rng, rate)


def lumps(rng: np.random.Generator, mean: Grid) -> Grid:
    """Draw intermittent demand: in few periods an order, its size 1, geometric, lognormal or in packs; often clumped.

    The chance of an order is 0.01…0.7 a period and follows the course of `mean`; the sizes are their own. In 40 % of
    the series orders come in clumps: on for a while, then off (a Markov chain by its stretches).
    """
    b, T = mean.shape
    course = mean / np.maximum(mean.mean(axis=1, keepdims=True), 1e-9)
    rate = decades(rng, 0.01, 1.2, b)
    clumped = chance(rng, 0.4, b)
    if clumped.size:
        on = decades(rng, 1.5, 30, clumped.size)
        off = on * decades(rng, 0.3, 6, clumped.size)
        state = np.minimum(spells(rng, off, on, T).paint(clumped.size, T), 1)
        faint = between(rng, 0.0, 0.15, clumped.size)[:, None]
        course[clumped] *= (faint + (1 - faint) * state) * ((on + off) / on)[:, None]
    ordered = rng.random((b, T), dtype=np.float32) < -np.expm1(-np.minimum(rate[:, None] * course, 20))
    row, column = np.nonzero(ordered)
    kind = between(rng, 0, 1, b)[row]
    typical = decades(rng, 1.0, 60.0, b)
    mean_size = np.where(kind < 0.6, 1 + decades(rng, 0.05, 6.0, b)[row], typical[row])
    small = rng.geometric(np.clip(1 / mean_size, 1e-6, 1))
    large = mean_size * np.exp(between(rng, 0.3, 1.4, b)[row] * normal(rng, row.size))
    sizes = np.where(kind < 0.3, 1, np.where(kind < 0.75, small, np.ceil(large)))
    packed = between(rng, 0, 1, b)[row] < 0.12
    sizes = np.where(packed, sizes * rng.choice([2, 4, 6, 10, 12, 24], b)[row], sizes)
    demand = np.zeros((b, T), dtype=np.float32)
    demand[row, column] = np.minimum(sizes, MOST)
    return demand


def smooth(rng: np.random.Generator, mean: Grid, counted: float) -> Grid:
    """Draw turnover: lognormal noise of 0.7…40 %, in half the series remembered; a share of the series is counted."""
    b, T = mean.shape
    sd = decades(rng, 0.007, 0.4, b)
    noise = normal(rng, b, T) * sd[:, None]
    kept = chance(rng, 0.5, b)
    noise[kept] = autoregression(rng, between(rng, -0.4, 0.9, kept.size), sd[kept], T)
    tails = chance(rng, 0.15, b)
    noise[tails] *= np.sqrt(3 / np.maximum(rng.standard_gamma(3, (tails.size, T), dtype=np.float32), 0.05))
    demand: Grid = np.minimum(mean, MOST) * np.exp(np.clip(noise, -4, 3))
    whole = chance(rng, counted, b)
    demand[whole] = _poisson(rng, demand[whole])
    return demand


def weighed(rng: np.random.Generator, demand: Grid) -> Grid:
    """Turn counts into goods sold by weight, length or a scaled index: a factor, and gaps between the steps filled."""
    b, T = demand.shape
    step = decades(rng, 0.01, 5.0, b)
    filled = (between(rng, 0, 1, b) < 0.6)[:, None]
    jitter = np.where(filled, 0.6 + 0.8 * rng.random((b, T), dtype=np.float32), 1)
    scaled: Grid = demand * (step[:, None] * jitter).astype(np.float32)
    return scaled


def _poisson(rng: np.random.Generator, rate: Grid) -> Grid:
    drawn: Grid = rng.poisson(np.minimum(rate, MOST)).astype(np.float32)
    return drawn
