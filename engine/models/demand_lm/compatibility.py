"""Whether a folder's weights were made for what this version computes of a history."""

from __future__ import annotations

from pathlib import Path

from safetensors import safe_open

from fullshelf.engine.errors import ConfigError
from fullshelf.engine.models.demand_lm.batch import SLOTS
from fullshelf.engine.models.demand_lm.features import SERIES_FEATURES, SLOT_FEATURES, STEP_LINEAR, STEP_OTHER
from fullshelf.engine.models.weights import weight_files

WIDTHS = {  # of each kind of input: a layer that reads it, and how many numbers it is given
    "of each coming period": ("single.of_step.weight", STEP_LINEAR + STEP_OTHER),
    "of a series": ("series_in.weight", SERIES_FEATURES),
    "of a patch": ("patch_skip.weight", SLOTS * SLOT_FEATURES),
}


def check_inputs(folder: Path) -> None:
    """Check that the weights read as many numbers as they are given.

    Raises
    ------
    ConfigError
        If they read more or fewer: another version of fullshelf trained them. Or if they are no DemandLM's.
    """
    shapes: dict[str, list[int]] = {}
    for file in weight_files(folder):
        with safe_open(file, "numpy") as tensors:
            shapes |= {name: tensors.get_slice(name).get_shape() for name in tensors.keys()}  # noqa: SIM118
    for what, (name, given) in WIDTHS.items():
        if name not in shapes:
            raise ConfigError(f"{folder}: no weights {name} here; expected those of a DemandLM")
        read = shapes[name][1]
        if read != given:
            raise ConfigError(
                f"{folder}: these weights read {read} numbers {what}, this version of fullshelf gives {given}: another "
                "version trained them; run `fullshelf fit` again from the shipped ones"
            )
