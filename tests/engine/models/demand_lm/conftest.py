from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from fullshelf.engine.calendar import Period
from fullshelf.engine.models.demand_lm.configuration import DemandLMConfig, small_backbone
from fullshelf.engine.models.demand_lm.modeling import DemandLM
from fullshelf.engine.panel import Panel

Histories = list[np.ndarray]


@pytest.fixture(scope="session")
def tiny_model() -> DemandLM:
    """Random weights, large enough that every input changes every output."""
    torch.manual_seed(0)
    backbone = small_backbone(width=32, layers=2, heads=2) | {"initializer_range": 0.2}
    config = DemandLMConfig(backbone=backbone, patch_width=32, slot_width=8, head_width=16, initializer_range=0.2)
    return DemandLM(config).eval()


@pytest.fixture(scope="session")
def tiny_folder(tiny_model: DemandLM, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demand_lm")
    tiny_model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def panel_of() -> Callable[..., Panel]:
    def build(histories: Histories, period: Period = Period.DAY, **covariates: np.ndarray) -> Panel:
        units = np.concatenate(histories).astype(np.float32)
        values = np.stack([units * 0, *covariates.values()], axis=1)[:, 1:].astype(np.float32)
        return Panel(
            pl.DataFrame({"sku": [f"s{i:05d}" for i in range(len(histories))], "location": "all"}),
            units,
            np.ones_like(units),
            values,
            tuple(covariates),
            np.cumsum([0, *(h.size for h in histories)]),
            period,
            period.number_of(date(2024, 12, 20)),
        )

    return build
