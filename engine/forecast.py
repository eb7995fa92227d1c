"""Forecast and LeadTimeDemand: demand as quantiles, of single periods and of the protection interval.

They are two types on purpose: a quantile of a sum is not the sum of quantiles, and no order is computed from a
`Forecast`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Forecast:
    """Demand of the periods as-of + 1 … as-of + H for S series at Q levels."""

    levels: NDArray[np.float64]  # (Q,) rising, inside (0, 1)
    quantiles: NDArray[np.float32]  # (S, H, Q) units per period; rising with the level, never negative
    mean: NDArray[np.float32]  # (S, H) units per period
    cumulative: NDArray[np.float32] | None  # (S, H, Q) units in periods 1…k; None: the model gives marginals only

    def __post_init__(self) -> None:
        S, H, Q = self.quantiles.shape
        shapes = {"levels": (self.levels, (Q,)), "mean": (self.mean, (S, H))}
        if self.cumulative is not None:
            shapes["cumulative"] = (self.cumulative, (S, H, Q))
        for name, (array, shape) in shapes.items():
            if array.shape != shape:
                raise ValueError(f"Forecast.{name}: expected shape {shape}, got {array.shape}")

    @property
    def horizon(self) -> int:
        """Number of periods H."""
        return int(self.quantiles.shape[1])


@dataclass(frozen=True, slots=True)
class LeadTimeDemand:
    """Demand over each series' own protection interval of L + R periods."""

    levels: NDArray[np.float64]  # (Q,)
    quantiles: NDArray[np.float64]  # (S, Q) units per protection interval
    mean: NDArray[np.float64]  # (S,) units per protection interval
    periods: NDArray[np.int64]  # (S,) L + R

    def __post_init__(self) -> None:
        S, Q = self.quantiles.shape
        for name, array, shape in (
            ("levels", self.levels, (Q,)),
            ("mean", self.mean, (S,)),
            ("periods", self.periods, (S,)),
        ):
            if array.shape != shape:
                raise ValueError(f"LeadTimeDemand.{name}: expected shape {shape}, got {array.shape}")
