"""General series of the prior: sums and products of kernels, autoregressions, steps and spikes; never negative."""

from __future__ import annotations

import numpy as np

from fullshelf.engine.models.demand_lm.prior_random import Grid, Rows, autoregression, between, chance, decades, normal


def general(rng: np.random.Generator, b: int, T: int, season: int) -> Grid:
    """Draw b series of T periods, each a few components on a common scale, made non-negative in one of four ways.

    Components: a smooth random function (sum of waves whose frequencies belong to an RBF or a rational kernel), a
    period (a season, or any), a line, an autoregression, steps, spikes, noise. Two thirds add them; the rest multiply
    the season with the others.
    """
    time = np.arange(T, dtype=np.float32)
    slow = _waves(rng, b, time) * _weight(rng, b, 0.5, 1.0) + _line(rng, b, T) * _weight(rng, b, 0.4, 1.5)
    keep = 1 - decades(rng, 0.003, 1.0, b)
    slow += autoregression(rng, keep, np.ones(b, np.float32), T) * _weight(rng, b, 0.5, 1.0)
    slow += _steps(rng, b, T) * _weight(rng, b, 0.25, 1.5)
    periodic = _period(rng, b, time, season) * _weight(rng, b, 0.7, 1.2)
    product = (rng.random(b) < 0.33)[:, None]
    series = np.where(product, slow * (1 + 0.5 * periodic), slow + periodic)
    series += normal(rng, b, T) * decades(rng, 0.01, 1.0, b)[:, None]
    spiky = chance(rng, 0.15, b)
    at = rng.random((spiky.size, T)) < decades(rng, 0.003, 0.1, spiky.size)[:, None]
    series[spiky] += at * rng.standard_exponential((spiky.size, T), dtype=np.float32) * 3
    return _non_negative(rng, series) * decades(rng, 0.05, 1e5, b)[:, None]


def _weight(rng: np.random.Generator, b: int, share: float, high: float) -> Grid:
    return (between(rng, 0.1, high, b) * (rng.random(b) < share))[:, None].astype(np.float32)


def _waves(rng: np.random.Generator, b: int, time: Rows) -> Grid:
    waves = 6
    length = decades(rng, 3.0, 1.5 * time.size + 4, b)[:, None]
    frequency = normal(rng, b, waves) / length
    rational = chance(rng, 0.4, b)
    frequency[rational] *= np.sqrt(1 / np.maximum(rng.standard_gamma(1, (rational.size, waves), dtype=np.float32), 0.1))
    phase = between(rng, 0, 2 * np.pi, b * waves).reshape(b, waves)
    total = np.zeros((b, time.size), dtype=np.float32)
    for w in range(waves):
        total += np.cos(frequency[:, w, None] * time + phase[:, w, None])
    return total * np.float32(np.sqrt(2 / waves))


def _period(rng: np.random.Generator, b: int, time: Rows, season: int) -> Grid:
    length = np.where(rng.random(b) < 0.75, season, decades(rng, 3, 90, b)).astype(np.float32)
    total = np.zeros((b, time.size), dtype=np.float32)
    for harmonic in range(1, 4):
        if 2 * harmonic > season:
            break
        weight = (normal(rng, b) / harmonic)[:, None]
        phase = between(rng, 0, 2 * np.pi, b)[:, None]
        total += weight * np.cos(np.float32(2 * np.pi * harmonic) / length[:, None] * time + phase)
    return total


def _line(rng: np.random.Generator, b: int, T: int) -> Grid:
    line = np.linspace(-1.7, 1.7, T, dtype=np.float32)
    sign = np.sign(normal(rng, b))[:, None]
    bend = chance(rng, 0.3, b)
    lines = np.repeat(line[None], b, axis=0)
    turn = between(rng, -1.5, 1.5, bend.size)[:, None]
    lines[bend] = np.where(
        lines[bend] > turn, turn + (lines[bend] - turn) * normal(rng, bend.size)[:, None], lines[bend]
    )
    return lines * sign


def _steps(rng: np.random.Generator, b: int, T: int) -> Grid:
    jumps = (rng.random((b, T), dtype=np.float32) < (decades(rng, 0.5, 6, b) / T)[:, None]) * normal(rng, b, T)
    return np.cumsum(jumps, axis=1, dtype=np.float32)


def _non_negative(rng: np.random.Generator, series: Grid) -> Grid:
    b = series.shape[0]
    spread = series.std(axis=1, keepdims=True) + 1e-3
    way = between(rng, 0, 1, b)[:, None]
    exponential = np.exp(np.clip(series / spread * decades(rng, 0.03, 1.0, b)[:, None], -12, 6))
    above = series + spread * decades(rng, 0.3, 40.0, b)[:, None] - series.mean(axis=1, keepdims=True)
    lifted = series - series.min(axis=1, keepdims=True)
    chosen = np.where(way < 0.4, exponential, np.where(way < 0.85, above, lifted))
    return np.asarray(np.maximum(chosen, 0), dtype=np.float32)
