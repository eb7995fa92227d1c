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
        check_shapes(self, levels=(Q,), mean=(S, H))
        if self.cumulative is not None:
            check_shapes(self, cumulative=(S, H, Q))

    @property
    def horizon(self) -> int:
        """Number of periods H."""
        return int(self.quantiles.shape[1])


@dataclass(frozen=True, slots=True)
class RunningTotals:
    """Demand of single periods and of 1…k: what an order plan needs to see stock run low before its goods arrive."""

    single: NDArray[np.float32]  # (S, T, Q) units in period k, k = 1…T
    running: NDArray[np.float32]  # (S, T, Q) units in periods 1…k
    rate: NDArray[np.float64]  # (S,) mean units per period until the series’ own last protected period

    def __post_init__(self) -> None:
        check_shapes(self, running=self.single.shape, rate=self.single.shape[:1])


@dataclass(frozen=True, slots=True)
class LeadTimeDemand:
    """Demand over each series' own protection interval of L + R periods."""

    levels: NDArray[np.float64]  # (Q,)
    quantiles: NDArray[np.float64]  # (S, Q) units per protection interval
    mean: NDArray[np.float64]  # (S,) units per protection interval
    periods: NDArray[np.int64]  # (S,) L + R; L is the mean lead time, in whole periods
    review: NDArray[np.int64]  # (S,) R
    first_lead: NDArray[np.int64]  # (S,) shortest lead time in periods
    lead_weight: NDArray[np.float64]  # (S, W) probabilities of the shortest lead time and of the W - 1 next
    totals: RunningTotals

    def __post_init__(self) -> None:
        S, Q = self.quantiles.shape
        W = self.lead_weight.shape[1]
        check_shapes(self, levels=(Q,), mean=(S,), periods=(S,), review=(S,), first_lead=(S,), lead_weight=(S, W))


def check_shapes(record: object, **shapes: tuple[int, ...]) -> None:
    """Raise ValueError where an array of the record has another shape."""
    for name, shape in shapes.items():
        array = getattr(record, name)
        if array.shape != shape:
            raise ValueError(f"{type(record).__name__}.{name}: expected shape {shape}, got {array.shape}")
