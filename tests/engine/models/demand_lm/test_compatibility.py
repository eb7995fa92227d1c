from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from fullshelf.engine.errors import ConfigError
from fullshelf.engine.models.demand_lm.compatibility import WIDTHS, check_inputs
from fullshelf.engine.models.demand_lm.forecaster import SHIPPED


def test_the_shipped_weights_fit() -> None:
    check_inputs(SHIPPED)


@pytest.mark.parametrize("what", list(WIDTHS))
def test_weights_of_another_width_are_refused_and_told_what_to_do(what: str, tmp_path: Path) -> None:
    name, given = WIDTHS[what]
    tensors = load_file(SHIPPED / "model.safetensors")
    tensors[name] = np.ascontiguousarray(tensors[name][:, :-1])
    save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(ConfigError, match=rf"read {given - 1} numbers {what}, .* gives {given}: .*fullshelf fit"):
        check_inputs(tmp_path)


def test_weights_without_the_layer_are_no_demand_lm(tmp_path: Path) -> None:
    save_file({"other": np.zeros((2, 2), np.float32)}, tmp_path / "model.safetensors")
    with pytest.raises(ConfigError, match=r"single\.of_step\.weight"):
        check_inputs(tmp_path)
