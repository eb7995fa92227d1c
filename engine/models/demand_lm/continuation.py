"""Horizons beyond what one pass answers.

The next pass reads the history and, as if it had happened, the forecast's own path: in each period the quantile at the
next number of the golden-ratio sequence, so that the path has the forecast's mean, its zeros and its spread, and no
randomness. The median of the totals goes on adding up. Their spread grows as k^a, with the exponent by which it grew
over the second half of the first pass, between 0.5, independent periods, and 1, periods that rise and fall together.

B rows, C periods of context, H periods ahead, Q levels.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from fullshelf.engine.models.demand_lm.batch import ContextBatch
from fullshelf.engine.models.demand_lm.closed_days import closed_ahead, without_closed
from fullshelf.engine.models.demand_lm.modeling import DemandLM
from fullshelf.engine.models.sample_levels import golden_path


@torch.inference_mode()
def predict(model: DemandLM, batch: ContextBatch) -> tuple[Tensor, Tensor]:
    """Return quantiles and totals (B, H, Q) for any horizon, as `DemandLM.predict` does for up to `config.horizon`.

    Nothing in periods that are closed (`closed_days.py`): what sales alone say, never the forecast's own path.
    """
    quantiles, totals = _open(model, batch)
    closed = closed_ahead(batch)
    return (quantiles, totals) if closed is None else without_closed(quantiles, totals, closed)


def _open(model: DemandLM, batch: ContextBatch) -> tuple[Tensor, Tensor]:
    H, block = batch.horizon, int(model.config.horizon)
    quantiles, totals = model.predict(_ahead(batch, min(H, block)))
    if block >= H:
        return quantiles, totals
    levels = list(model.config.levels or ())
    middle = min(range(len(levels)), key=lambda i: abs(levels[i] - 0.5))
    singles, medians = [quantiles], [totals[:, :, middle]]
    while sum(part.shape[1] for part in singles) < H:
        batch = _moved(batch, _path(singles[-1], levels))
        quantiles, more = model.predict(_ahead(batch, min(batch.horizon, block)))
        singles.append(quantiles)
        medians.append(medians[-1][:, -1:] + more[:, :, middle])
    return torch.cat(singles, dim=1), _grown(totals, torch.cat(medians, dim=1), middle)


def _ahead(batch: ContextBatch, horizon: int) -> ContextBatch:
    """Return the batch with fewer periods ahead."""
    C = batch.units.shape[1]
    covariates, events = batch.covariates[:, : C + horizon], batch.events
    return replace(batch, covariates=covariates, events=None if events is None else events[:, : C + horizon])


def _moved(batch: ContextBatch, path: Tensor) -> ContextBatch:
    """Return the batch seen from the end of the path, (B, h) units that are taken for history."""
    C, h = batch.units.shape[1], path.shape[1]
    living = batch.exists.any(1, keepdim=True).expand(-1, h)
    units, exists, observed = (
        torch.cat(pair, dim=1)[:, -C:]
        for pair in (
            (batch.units, torch.where(living, path, 0.0)),
            (batch.exists, living),
            (batch.observed, torch.ones_like(path)),
        )
    )
    events = None if batch.events is None else batch.events[:, h:]
    return replace(
        batch, units=units, exists=exists, observed=observed, covariates=batch.covariates[:, h:], events=events
    )


def _path(quantiles: Tensor, levels: list[float]) -> Tensor:
    """Return one path through the quantiles (B, h, Q), (B, h)."""
    path = golden_path(np.array(levels), quantiles.cpu().numpy().astype(np.float64))
    return torch.from_numpy(path.astype(np.float32)).to(quantiles.device)


def _grown(totals: Tensor, medians: Tensor, middle: int) -> Tensor:
    """Return the totals (B, H, Q) around medians (B, H) that go on beyond the first pass (B, h, Q)."""
    h, H = totals.shape[1], medians.shape[1]
    spread = (totals - totals[:, :, middle : middle + 1]).abs()
    far, near = spread[:, -1], spread[:, (h - 1) // 2]
    exponent = torch.log2((far / near.clamp(min=1e-12)).clamp(1e-6, 1e6)) / torch.log2(torch.tensor(h / ((h + 1) // 2)))
    k = torch.arange(h + 1, H + 1, device=totals.device)[:, None] / h
    sign = torch.where(torch.arange(totals.shape[2], device=totals.device) < middle, -1.0, 1.0)
    wider = sign * far[:, None] * k ** exponent.clamp(0.5, 1.0)[:, None]
    beyond = (medians[:, h:, None] + wider).clamp(min=0.0)
    return torch.cat([totals, beyond], dim=1).cummax(dim=1).values.cummax(dim=2).values
