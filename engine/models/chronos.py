"""Chronos-Bolt as a demand model, from a folder of its weights, through the chronos-forecasting package."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from chronos.chronos_bolt import ChronosBoltModelForForecasting
from numpy.typing import NDArray

from fullshelf.engine.models.gpu_seconds import counted
from fullshelf.engine.models.marginals import Histories, marginal_answers
from fullshelf.engine.models.pretrained import Answer
from fullshelf.engine.models.weights import load_pretrained
from fullshelf.engine.panel import KnownAhead, Panel


@dataclass(frozen=True, slots=True)
class ChronosServer:
    """A loaded Chronos-Bolt."""

    model: Any
    device: torch.device

    @classmethod
    def load(cls, folder: Path) -> ChronosServer:
        """Load the weights of a folder onto the hardware that is there."""
        return cls(*load_pretrained(ChronosBoltModelForForecasting, folder))

    def forecast(
        self, panel: Panel, ahead: KnownAhead | None, horizon: int, wanted: NDArray[np.int64]
    ) -> Iterator[Answer]:
        """Yield rows of the panel with their quantiles (n, H, Q); what is known ahead is not read."""
        shape = self.model.chronos_config
        levels = np.array(shape.quantiles, dtype=np.float64)
        return marginal_answers(
            panel, horizon, wanted, levels, int(shape.input_patch_size), int(shape.context_length), self._block
        )

    @torch.inference_mode()
    def _block(self, histories: Histories, C: int) -> NDArray[np.float64]:
        filled = np.full((len(histories), C), np.nan, np.float32)
        for row, history in zip(filled, histories, strict=True):
            row[C - history.size :] = history
        with counted(self.device):
            found = self.model(context=torch.from_numpy(filled).to(self.device)).quantile_preds
        return np.asarray(found.float().cpu().numpy().swapaxes(1, 2), dtype=np.float64)
