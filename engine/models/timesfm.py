"""TimesFM 2.5 as a demand model, from a folder of its weights in the format of transformers.

It reads units alone and answers single periods, so lead-time demand takes the way of models without running totals. A
series goes to the smallest context that holds it, because TimesFM's own normalisation counts the padding in. Batches
have one shape, and their last row is a series of one period: the library takes another way through attention where no
row is padded, and a series' bytes must not depend on that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import TimesFm2_5ModelForPrediction

from fullshelf.engine.models.pretrained import Answer
from fullshelf.engine.models.sample_levels import golden_path
from fullshelf.engine.models.weights import load_pretrained
from fullshelf.engine.panel import KnownAhead, Panel

CONTEXTS = (64, 256, 512, 1024, 2048)  # periods, rounded up to whole patches
ROWS = 64  # of a batch, the padded one included


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
        P, most = int(self.model.config.patch_length), int(self.model.config.context_length)
        sizes = sorted({min(-(-c // P) * P, most) for c in CONTEXTS})
        lengths = np.diff(panel.offsets)[wanted]
        place = np.minimum(np.searchsorted(sizes, lengths), len(sizes) - 1)
        for number, C in enumerate(sizes):
            of_size = wanted[place == number]
            for first in range(0, of_size.size, ROWS - 1):
                rows = of_size[first : first + ROWS - 1]
                histories = [panel.units[panel.offsets[s] : panel.offsets[s + 1]][-C:] for s in rows]
                yield rows, self._quantiles(histories, C, horizon).astype(np.float32), None

    @torch.inference_mode()
    def _quantiles(self, histories: list[NDArray[np.float32]], C: int, H: int) -> NDArray[np.float64]:
        """Return the quantiles (n, H, Q); beyond the model's own horizon it goes on from its own path."""
        levels = np.array(self.model.config.quantiles, dtype=np.float64)
        parts: list[NDArray[np.float64]] = []
        while sum(part.shape[1] for part in parts) < H:
            filled = [*histories, *[np.zeros(1, np.float32)] * (ROWS - len(histories))]
            inputs = [torch.from_numpy(np.ascontiguousarray(h)).to(self.device) for h in filled]
            found = self.model(past_values=inputs, forecast_context_len=C).full_predictions[: len(histories), :, 1:]
            quantiles = found.float().cpu().numpy().astype(np.float64)
            quantiles = np.maximum.accumulate(np.maximum(np.nan_to_num(quantiles), 0.0), axis=2)
            parts.append(quantiles)
            paths = golden_path(levels, quantiles).astype(np.float32)
            histories = [np.concatenate([h, path])[-C:] for h, path in zip(histories, paths, strict=True)]
        return np.concatenate(parts, axis=1)[:, :H]
