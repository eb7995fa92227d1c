"""Which windows a training step sees: the kind of period, the context, the horizon, how many."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fullshelf.engine.calendar import Period
from fullshelf.engine.models.demand_lm.batch import PATCH

SHARE = {Period.DAY: 0.5, Period.WEEK: 0.2, Period.MONTH: 0.3}
CONTEXT = {Period.DAY: (14, 560), Period.WEEK: (12, 260), Period.MONTH: (12, 180)}  # periods, even in the logarithm
LONG = {Period.DAY: 1100, Period.WEEK: 520, Period.MONTH: 360}  # up to this in one step of 12
LONGEST = 2048  # periods, in one step of 200
HORIZON = 64


@dataclass(frozen=True, slots=True)
class Shape:
    """Shape of one step's windows."""

    period: Period
    windows: int  # B
    context: int  # C periods
    horizon: int  # H periods


def draw_shape(rng: np.random.Generator, windows: int) -> Shape:
    """Draw the shape of a step of about `windows` windows of mean size; short ones come in larger numbers.

    Half the steps are days, 30 % months (cheap, and of many kinds), 20 % weeks. Contexts are even in their logarithm;
    horizons are mostly those that buyers ask for, and up to 64.
    """
    periods = tuple(SHARE)
    period = periods[int(rng.choice(len(periods), p=list(SHARE.values())))]
    low, high = CONTEXT[period]
    dice = rng.random()
    if dice < 1 / 200:
        low = high = LONGEST
    elif dice < 1 / 12:
        low, high = high, LONG[period]
    patch = PATCH[period]
    context = max(1, int(float(np.exp(rng.uniform(np.log(low), np.log(high)))) / patch)) * patch
    usual = {Period.DAY: (7, 36), Period.WEEK: (4, 20), Period.MONTH: (6, 19)}[period]
    horizon = int(rng.integers(*usual)) if rng.random() < 0.85 else int(rng.integers(1, HORIZON + 1))
    size = (context + horizon) / patch + 1.2 * horizon + 10
    return Shape(period, int(np.clip(round(windows * 70 / size / 8) * 8, 8, 3 * windows)), context, horizon)
