"""TimesFM 2.5 as a demand model, from a folder of its weights in the format of transformers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import TimesFm2_5ModelForPrediction

from fullshelf.engine.models.gpu_seconds import counted
from fullshelf.engine.models.marginals import Histories, marginal_answers
from fullshelf.engine.models.pretrained import Answer
from fullshelf.engine.models.weights import load_pretrained
from fullshelf.engine.panel import KnownAhead, Panel


@dataclass(frozen=True, slots=True)
class TimesFMServer:
    """A loaded TimesFM."""

    model: Any
    device: torch.device

    @classmethod
    def load(cls, folder: Path) -> TimesFMServer:
        """Load the weights of a folder onto the hardware that is there."""
        return cls(*load_pretrained(TimesFm2_5ModelForPrediction, folder))

    def forecast(
        self, panel: Panel, ahead: KnownAhead | None, horizon: int, wanted: NDArray[np.int64]
    ) -> Iterator[Answer]:
        """Yield rows of the panel with their quantiles (n, H, Q); what is known ahead is not read."""
        shape = self.model.config
        levels = np.array(shape.quantiles, dtype=np.float64)
        return marginal_answers(
            panel, horizon, wanted, levels, int(shape.patch_length), int(shape.context_length), self._block
        )

    @torch.inference_mode()
    def _block(self, histories: Histories, C: int) -> NDArray[np.float64]:
        inputs = [torch.from_numpy(np.ascontiguousarray(h)).to(self.device) for h in histories]
        with counted(self.device):
            found = self.model(past_values=inputs, forecast_context_len=C).full_predictions[:, :, 1:]
        return np.asarray(found.float().cpu().numpy(), dtype=np.float64)
