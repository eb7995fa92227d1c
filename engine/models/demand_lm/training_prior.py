"""The windows that DemandLM is trained on from scratch, and those held back: draws of the prior by step."""

from __future__ import annotations

import numpy as np

from fullshelf.engine.calendar import Period
from fullshelf.engine.models.demand_lm.prior import Sample, draw
from fullshelf.engine.models.demand_lm.training import Source
from fullshelf.engine.models.demand_lm.training_shapes import Shape, draw_shape

HELD_BACK = (  # shapes that are asked for most
    Shape(Period.DAY, 512, 364, 28),
    Shape(Period.DAY, 512, 91, 7),
    Shape(Period.WEEK, 512, 104, 8),
    Shape(Period.MONTH, 512, 48, 12),
    Shape(Period.MONTH, 512, 120, 18),
)


def prior_source(seed: int, windows: int, process: int = 0) -> Source:
    """Return what draws a step's windows, about `windows` of mean size; processes draw others of the same shape."""

    def source(step: int) -> Sample:
        shape = draw_shape(np.random.Generator(np.random.SFC64([seed, step])), windows)
        rng = np.random.Generator(np.random.SFC64([seed, step, process]))
        return draw(shape.windows, shape.period, shape.context, shape.horizon, rng)

    return source


def held_back(seed: int = 2**31, share: float = 1.0) -> list[Sample]:
    """Draw the windows on which runs are compared: the same for every run."""
    samples = []
    for number, shape in enumerate(HELD_BACK):
        rng = np.random.Generator(np.random.SFC64([seed, number]))
        B = max(1, round(shape.windows * share))
        samples.append(draw(B, shape.period, shape.context, shape.horizon, rng))
    return samples
