"""ContextBatch: what DemandLM reads, histories with the newest period at the right and what is known ahead.

Histories are cut into patches of `PATCH[period]` periods, counted back from the as-of date: a week of days, four weeks
(13 patches are a year), a year of months. So slot j of every patch, past or future, is the same phase of the season.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from fullshelf.engine.calendar import Period

PATCH = {Period.DAY: 7, Period.WEEK: 4, Period.MONTH: 12}  # periods in a patch
SLOTS = max(PATCH.values())  # a shorter patch leaves the last slots empty

# What is known of a period beside its sales, 0 where it is not known.
COVARIATES = (
    "price",  # log of price / median of the series' own past prices
    "promo",  # share of the period on promotion, 0…1
    "event",  # 1 in a period with an event
    "year_sin",  # place in the year, of the middle of the period
    "year_cos",
    "month_sin",  # place in the month, of days; 0 for weeks and months
    "month_cos",
    "known",  # 1 where the price or the promotion of the period is known: none planned is not nobody knows
)


@dataclass(frozen=True, slots=True)
class ContextBatch:
    """B histories of C periods and H periods ahead, all of one kind of period."""

    period: Period
    units: torch.Tensor  # (B, C) float32, units per period, 0 where `exists` is False
    exists: torch.Tensor  # (B, C) bool; False before the series began
    observed: torch.Tensor  # (B, C) float32, share of the period in stock, 1 where it is not known
    covariates: torch.Tensor  # (B, C + H, K) float32, K = len(COVARIATES), past and ahead
    static: torch.Tensor | None = None  # (B, E) float32 embedding of the product's text
    events: torch.Tensor | None = None  # (B, C + H, 2) int16 codes of event and routine, 0 none, 1 nameless

    def __post_init__(self) -> None:
        B, C = self.units.shape
        if C % PATCH[self.period]:
            raise ValueError(f"ContextBatch: {C} periods of context are not whole patches of {PATCH[self.period]}")
        shapes = {"exists": (B, C), "observed": (B, C)}
        for name, shape in shapes.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"ContextBatch.{name}: expected {shape}, got {tuple(getattr(self, name).shape)}")
        found, K = tuple(self.covariates.shape), len(COVARIATES)
        if len(found) != 3 or found[0] != B or found[2] != K:
            raise ValueError(f"ContextBatch.covariates: expected ({B}, {C} + H, {K}), got {found}")

    @property
    def horizon(self) -> int:
        """Number of periods ahead H."""
        return int(self.covariates.shape[1] - self.units.shape[1])
