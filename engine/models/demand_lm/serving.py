"""DemandLM in memory, and batches through it.

Patches and decoder run in bf16 on hardware that multiplies matrices in it (GPUs, CPUs with AMX: 1.7 times the series
per second), heads and what is computed without learning in float32. A batch that does not fit on a GPU is halved.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fullshelf.engine.models.demand_lm.batch import ContextBatch
from fullshelf.engine.models.demand_lm.compatibility import check_inputs
from fullshelf.engine.models.demand_lm.continuation import predict
from fullshelf.engine.models.demand_lm.modeling import DemandLM
from fullshelf.engine.models.demand_lm.windows import GPU_POSITIONS, POSITIONS, Window, windows
from fullshelf.engine.models.gpu_seconds import counted
from fullshelf.engine.models.product_text import TextEmbedding, text_embedding
from fullshelf.engine.models.weights import load_pretrained
from fullshelf.engine.panel import KnownAhead, Panel

Single = NDArray[np.float32]
Part = tuple[NDArray[np.int64], Single, Single]


@dataclass(frozen=True, slots=True)
class DemandLMServer:
    """A loaded DemandLM."""

    model: DemandLM
    device: torch.device  # of the tokens and heads
    text: TextEmbedding | None = None  # None: the weights read none

    @classmethod
    def load(cls, folder: Path) -> DemandLMServer:
        """Load the weights of a folder onto the hardware that is there.

        Raises
        ------
        ConfigError
            If another version of fullshelf trained them.
        """
        check_inputs(folder)
        model, device = load_pretrained(DemandLM, folder)
        fast = torch.bfloat16 if _multiplies_bf16(device) else torch.float32
        model.backbone.to(fast)
        model.freeze(fast)
        config = model.config
        width = int(config.static_width)
        return cls(model, device, text_embedding(config.text, width, folder) if width else None)

    def forecast(
        self, panel: Panel, ahead: KnownAhead | None, horizon: int, wanted: NDArray[np.int64]
    ) -> Iterator[Part]:
        """Yield rows of the panel with their quantiles and totals (n, H, Q), until all of `wanted` are answered."""
        on_gpu = self.device.type == "cuda"
        size = GPU_POSITIONS if on_gpu else POSITIONS
        static = None if self.text is None else self.text.embed(panel.products, panel.series)
        batches = windows(panel, ahead, horizon, int(self.model.config.context), wanted, size, static)
        for window in _prepared(batches) if on_gpu else batches:
            with counted(self.device):
                quantiles, totals = self._predict(_on(window.batch, self.device))
                n = window.rows.size
                part = window.rows, quantiles[:n].cpu().numpy(), totals[:n].cpu().numpy()
            yield part

    def _predict(self, batch: ContextBatch) -> tuple[Tensor, Tensor]:
        try:
            return predict(self.model, batch)
        except torch.cuda.OutOfMemoryError:
            B = batch.units.shape[0]
            if B == 1:
                raise
            torch.cuda.empty_cache()
        halves = [self._predict(_rows(batch, part)) for part in (slice(0, B // 2), slice(B // 2, B))]
        return torch.cat([q for q, _ in halves]), torch.cat([total for _, total in halves])


def _prepared(batches: Iterator[Window]) -> Iterator[Window]:
    """Yield the same batches, each made while the one before it is worked on."""
    with ThreadPoolExecutor(1, thread_name_prefix="windows") as pool:
        coming = pool.submit(next, batches, None)
        while (window := coming.result()) is not None:
            coming = pool.submit(next, batches, None)
            yield window


def _multiplies_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    return bool(getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)())  # no public name for it so far


def _tensors(batch: ContextBatch) -> dict[str, Any]:
    found = {field.name: getattr(batch, field.name) for field in fields(batch)}
    return {name: value for name, value in found.items() if isinstance(value, Tensor)}


def _on(batch: ContextBatch, device: torch.device) -> ContextBatch:
    if device.type == "cpu":
        return batch
    moved = {name: value.pin_memory().to(device, non_blocking=True) for name, value in _tensors(batch).items()}
    return replace(batch, **moved)


def _rows(batch: ContextBatch, part: slice) -> ContextBatch:
    return replace(batch, **{name: value[part] for name, value in _tensors(batch).items()})
