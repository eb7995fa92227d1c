"""Days on which a series is closed: events on which it never sold, more often than chance allows.

The network learns what an event does from a shop's own past, but never quite believes in nothing at all. Where no past
day of the same event sold anything, and days without a sale are so rare that this would hardly happen, the answer is
zero. `kernels/closures.py` finds the same days of the year without being told; this rule needs the names of the events,
follows moving holidays, and asks more of a series that often sells nothing.

B rows, C periods of context, H periods ahead.
"""

from __future__ import annotations

import torch
from torch import Tensor

from fullshelf.engine.calendar import Period
from fullshelf.engine.event_covariate import NAMELESS
from fullshelf.engine.models.demand_lm.batch import ContextBatch
from fullshelf.engine.models.demand_lm.estimates import expected_by_season
from fullshelf.engine.models.demand_lm.features import exposure_of, scale_of

TIMES = 2  # past occasions of the event, at least
APART = 14  # days between two occasions: the days of one festival are one, for one stock-out empties them all
SURPRISE = 5.0  # -log of the chance that an open shop sold nothing on any of them
USUAL = 0.5  # a day counts if its phase of the season sells at least that share of the mean


def closed_ahead(batch: ContextBatch) -> Tensor | None:
    """Return which periods ahead are closed, (B, H) bool; None where the batch knows of no events, or not of days.

    The chance of a day without a sale is the series' own share of such days, so the unit of measure does not matter and
    lumpy demand is not taken for closed. Occasions out of stock, of unnamed events, and on days that sell little anyway
    are no evidence.
    """
    if batch.events is None or batch.period is not Period.DAY:
        return None
    C = batch.units.shape[1]
    codes = torch.where(batch.events[:, :, 0] == NAMELESS, 0, batch.events[:, :, 0])
    past, ahead = codes[:, :C], codes[:, C:]
    exposure = exposure_of(batch)
    value = torch.where(exposure > 0, batch.units, 0.0) / scale_of(batch)[:, None]
    there, sold = exposure > 0, (batch.units > 0).to(value.dtype)
    counts = there & (expected_by_season(value, exposure, batch.period) >= USUAL * exposure) & _first_days(past)
    without = ((there & (batch.units <= 0)).sum(1) + 1.0) / (there.sum(1) + 1.0)
    closed = torch.zeros_like(ahead, dtype=torch.bool)
    steps = (ahead > 0).any(0).nonzero()[:, 0]  # a few of H; counts are whole numbers, whatever else is asked
    same = (ahead[:, steps, None] == past[:, None, :]).to(value.dtype)
    times, sales = torch.bmm(same, torch.stack([counts.to(value.dtype), sold], dim=-1)).unbind(-1)
    never = (sales <= 0) & (times >= TIMES) & (-times * without.log()[:, None] >= SURPRISE)
    closed[:, steps] = never & (ahead[:, steps] > 0)
    return closed


def _first_days(codes: Tensor) -> Tensor:
    """Return the days of an event on which it had not been for `APART` days, (B, C) bool."""
    before = torch.zeros_like(codes, dtype=torch.bool)
    for k in range(1, min(APART, codes.shape[1] - 1) + 1):
        before[:, k:] |= codes[:, k:] == codes[:, :-k]
    return (codes > 0) & ~before


def without_closed(quantiles: Tensor, totals: Tensor, closed: Tensor) -> tuple[Tensor, Tensor]:
    """Return the quantiles with nothing in closed periods, and the totals less what they had of it, (B, H, Q) each.

    A total of periods 1…k falls by the share that the closed ones have of what was forecast for its periods.
    """
    shares = quantiles.mean(-1)
    whole = shares.cumsum(1)
    kept = torch.where(closed, 0.0, shares).cumsum(1)
    left = torch.where(whole > 0, kept / whole.clamp(min=1e-30), 1.0)
    return torch.where(closed[..., None], 0.0, quantiles), (totals * left[..., None]).cummax(1).values
