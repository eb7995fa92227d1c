from pathlib import Path

import pytest
import torch

from fullshelf.engine.models.demand_lm.configuration import DemandLMConfig, small_backbone
from fullshelf.engine.models.demand_lm.modeling import DemandLM


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
