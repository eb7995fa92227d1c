"""DemandLM as a demand model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fullshelf.engine.errors import ConfigError
from fullshelf.engine.models.pretrained import PretrainedModel
from fullshelf.engine.models.weights import read_config
from fullshelf.kernels.levels import level_array

if TYPE_CHECKING:
    from fullshelf.engine.models.demand_lm.serving import DemandLMServer

SHIPPED = Path(__file__).parent / "weights"
MODEL_TYPE = "fullshelf_demand_lm"  # what config.json calls it


def demand_lm(folder: Path, levels: NDArray[np.float64], season: int) -> PretrainedModel:
    """Return DemandLM with the weights of a folder.

    Raises
    ------
    ConfigError
        If the folder holds no DemandLM.
    """
    found = read_config(folder)
    if found.get("model_type") != MODEL_TYPE:
        raise ConfigError(f"{folder}: holds a model of type {found.get('model_type')!r}, expected {MODEL_TYPE!r}")
    return PretrainedModel("demand-lm", folder, level_array(tuple(found["levels"])), levels, season, _load)


def _load(folder: Path) -> DemandLMServer:
    from fullshelf.engine.models.demand_lm.serving import DemandLMServer

    return DemandLMServer.load(folder)
