"""Made-up SKUs to train on: demand, what a forecast would say of it, costs, lead time; all drawn from one seed.

Two kinds. Counts: Poisson or negative binomial demand of a known law, every period alike, as in the published
instances of lost sales. Drifting: a level that wanders, seen through exponential smoothing whose errors the forecast
knows, so that demand of neighbouring periods is forecast too high or too low together.

Costs, lead times and laws are drawn far around what a shop has; the published instances are not among them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fullshelf.kernels.demand_paths import path_nodes
from fullshelf.kernels.distributions import Demand
from fullshelf.kernels.forecast_shapes import forecast_shapes
from fullshelf.kernels.levels import level_array

Array = NDArray[np.float64]

MEANS = (0.5, 60.0)  # units per period, log-uniform
OVERDISPERSION = (0.03, 2.0)  # of counts: variance = mean + this × mean², log-uniform; one in five is Poisson
RATIOS = (0.004, 0.4)  # 1 - critical ratio, log-uniform
NOISE = (0.1, 1.2)  # relative deviation of drifting demand around its level, log-uniform
DRIFT = (0.02, 0.25)  # deviation of a step of the level's logarithm, log-uniform
PULL = 0.98  # of the level's logarithm that stays from one period to the next
PILOT = 1200  # periods from which a drifting forecast learns its errors


@dataclass(frozen=True, slots=True)
class Instances:
    """B SKUs of one lead time L over T periods; the forecast's shape is constant, its scale may change."""

    lead: int
    demand: Array  # (B, T) units
    scale: (
        Array  # (B, T): the forecast at the end of period t - 1 is this times the shape; column 0 for the first order
    )
    rate: Array  # (B,) mean of the forecast per period, at scale 1
    single: Array  # (B, L + 1, Q) quantiles of the demand of period k at scale 1, units
    running: Array  # (B, L + 1, Q) the same of periods 1…k
    arriving: Array  # (B, K) knots of the demand of the period of arrival, at scale 1
    total: Array  # (B, K) knots of the total of L + 1 periods
    paths: Array  # (B, 2, L + 1, N) demand drawn as the planner does, stratified by the total and by the last period
    switch: Array  # (B,) units: with less stock than this the second
    shape: Array  # (B, 4): spread of a period, its mean, its median, spread of the total; units at scale 1
    score: Array  # (B,) normal score of the critical ratio
    holding: Array  # (B,) currency per unit and period
    shortage: Array  # (B,) currency per unit
    whole: NDArray[np.bool_]  # (B,) orders are whole units

    @property
    def yardstick(self) -> Array:
        """A cost (B,) of the order of what a period costs, by which instances are weighed alike; currency."""
        density = np.exp(-0.5 * self.score**2) / np.sqrt(2 * np.pi)
        cost: Array = (self.holding + self.shortage) * density * self.shape[:, 3] * self.scale.mean(axis=1)
        return cost


def draw_instances(seed: int, step: int, lead: int, count: int, periods: int, drifting: bool) -> Instances:
    """Draw instances of one kind; the same seed and step give the same ones."""
    rng = np.random.default_rng([seed, step])
    levels = level_array()
    if drifting:
        demand, scale, rate, single, running = _drifting(rng, lead, count, periods, levels)
        whole = np.zeros(count, bool)
    else:
        demand, rate, single, running = _counts(rng, lead, count, periods, levels)
        scale, whole = np.ones((count, periods)), np.ones(count, bool)
    over = _log_uniform(rng, RATIOS, count)
    return instances_of(demand, scale, rate, single, running, np.ones(count), (1 - over) / over, whole)


def instances_of(
    demand: Array, scale: Array, rate: Array, single: Array, running: Array, holding: Array, shortage: Array,
    whole: NDArray[np.bool_],
) -> Instances:  # fmt: skip
    """Work out what the planner works out of a forecast: rate (B,), single and running (B, L + 1, Q), at scale 1."""
    levels, (B, periods, _) = level_array(), single.shape
    grid, nodes = np.concatenate([[0.0], levels]), path_nodes()
    arriving, total = (np.empty((B, grid.size)) for _ in range(2))
    paths = np.empty((B, 2, periods, nodes.score.size))
    switch, shape, score = np.empty(B), np.empty((B, 4)), np.empty(B)
    forecast_shapes(
        levels, grid, rate, single, running, holding, shortage, nodes, arriving, total, paths, switch, shape, score
    )
    return Instances(
        periods - 1,
        demand,
        scale,
        rate,
        single,
        running,
        arriving,
        total,
        paths,
        switch,
        shape,
        score,
        holding,
        shortage,
        whole,
    )


def _log_uniform(rng: np.random.Generator, bounds: tuple[float, float], count: int) -> Array:
    low, high = np.log(bounds)
    return np.exp(rng.uniform(low, high, count))


def _counts(
    rng: np.random.Generator, lead: int, count: int, periods: int, levels: Array
) -> tuple[Array, Array, Array, Array]:
    mean = _log_uniform(rng, MEANS, count)
    extra = np.where(rng.random(count) < 0.2, 1e-9, _log_uniform(rng, OVERDISPERSION, count)) * mean**2
    law = mean**2 / extra  # number of successes
    demand = rng.poisson(rng.gamma(law[:, None], (mean / law)[:, None], (count, periods))).astype(float)
    k = np.arange(1, lead + 2)[:, None]
    totals = Demand.negative_binomial(mean[:, None, None] * k, (mean + extra)[:, None, None] * k)
    running = totals.quantile(levels - 1e-12)
    return demand, mean, np.repeat(running[:, :1], lead + 1, axis=1), running


def _drifting(
    rng: np.random.Generator, lead: int, count: int, periods: int, levels: Array
) -> tuple[Array, Array, Array, Array, Array]:
    noise, drift = _log_uniform(rng, NOISE, count)[:, None], _log_uniform(rng, DRIFT, count)[:, None]
    every = PILOT + periods
    level = np.zeros((count, every))
    steps = rng.standard_normal((count, every))
    for t in range(1, every):
        level[:, t] = PULL * level[:, t - 1] + drift[:, 0] * steps[:, t]
    demand = np.exp(level) * rng.gamma(noise**-2, noise**2, (count, every))
    share = drift[:, 0] / noise[:, 0]
    keep = 1 - 0.5 * share * (np.sqrt(share**2 + 4) - share)  # of the best smoothing of a level with such steps
    smooth = np.ones((count, every + 1))
    for t in range(every):
        smooth[:, t + 1] = keep * smooth[:, t] + (1 - keep) * demand[:, t]
    smooth = np.maximum(smooth, 1e-3)
    known = PILOT - lead - 1
    relative = np.stack([demand[:, k : k + known] / smooth[:, :known] for k in range(lead + 1)])
    total = np.cumsum(relative, axis=0)
    single, running = (np.quantile(x[:, :, 100:], levels, axis=2).transpose(2, 1, 0) for x in (relative, total))
    rate = total[-1, :, 100:].mean(axis=1) / (lead + 1)
    return demand[:, PILOT:], smooth[:, PILOT:-1], rate, single, running
