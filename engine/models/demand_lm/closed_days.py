"""Days on which a series is closed: events on which it never sold, more often than chance allows.

The network learns what an event does from a shop's own past, but never quite believes in nothing at all. Where no past
period of the same event sold anything, and by the level of those times that would hardly happen, the answer is zero.

B rows, C periods of context, H periods ahead.
"""

from __future__ import annotations

import torch
from torch import Tensor

from fullshelf.engine.models.demand_lm.batch import ContextBatch
from fullshelf.engine.models.demand_lm.estimates import expected_by_season
from fullshelf.engine.models.demand_lm.like_plans import local_level
from fullshelf.engine.models.demand_lm.ratios import ratio

TIMES = 2  # past periods of the event, at least
SURPRISE = 5.0  # -log of the chance that an open shop sold nothing on all of them


def closed_ahead(batch: ContextBatch, value: Tensor, exposure: Tensor) -> Tensor | None:
    """Return which periods ahead are closed, (B, H) bool; None where the batch knows of no events.

    The chance is that of a negative binomial of the series' own ratio of variance to mean φ, in units: nothing in a
    period of mean m has the probability φ^(-m / (φ - 1)), or exp(-m) where φ is 1 or less.

    Parameters
    ----------
    value, exposure
        (B, C) units, and the share of each period that could sell.
    """
    if batch.events is None:
        return None
    C = value.shape[1]
    codes = batch.events[:, :, 0]
    same = ((codes[:, C:, None] == codes[:, None, :C]) & (codes[:, C:, None] > 0)).to(value.dtype)
    expected = expected_by_season(value, exposure, batch.period)
    local = expected * local_level(value, expected, batch.period)
    spread = ratio(((value - local) ** 2).sum(1), local.sum(1)).clamp(min=1.0 + 1e-3)
    found = torch.bmm(same, torch.stack([value, local, (exposure > 0).to(value.dtype)], dim=-1))
    sold, missed, times = found.unbind(-1)
    surprise = missed * (spread.log() / (spread - 1.0))[:, None]
    return (sold <= 0) & (times >= TIMES) & (surprise >= SURPRISE)


def without_closed(quantiles: Tensor, totals: Tensor, closed: Tensor) -> tuple[Tensor, Tensor]:
    """Return the quantiles with nothing in closed periods, and the totals less what they had of it, (B, H, Q) each.

    A total of periods 1…k falls by the share that the closed ones have of what was forecast for its periods.
    """
    shares = quantiles.mean(-1)
    whole = shares.cumsum(1)
    kept = torch.where(closed, 0.0, shares).cumsum(1)
    left = torch.where(whole > 0, kept / whole.clamp(min=1e-30), 1.0)
    return torch.where(closed[..., None], 0.0, quantiles), totals * left[..., None]
