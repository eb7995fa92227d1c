import pytest

from fullshelf.engine.errors import ConfigError
from fullshelf.engine.models.catalogue import FORECASTERS, load_model, model_names
from fullshelf.kernels.levels import LEVELS


def test_every_name_is_a_model_with_its_own_fingerprint() -> None:
    fingerprints = {load_model(name, LEVELS, 7).fingerprint for name in model_names()}
    assert len(fingerprints) == len(model_names()) == len(FORECASTERS) + 3


def test_what_changes_the_numbers_changes_the_fingerprint() -> None:
    fingerprints = {
        load_model("auto", LEVELS, 7).fingerprint,
        load_model("auto", LEVELS, 12).fingerprint,
        load_model("auto", (0.5, 0.9), 7).fingerprint,
    }
    assert len(fingerprints) == 3


def test_an_unknown_name_is_told_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"no demand model 'croston2'; did you mean 'croston'\?"):
        load_model("croston2", LEVELS, 7)
    with pytest.raises(ConfigError, match="known are auto, seasonal-naive"):
        load_model("xyz", LEVELS, 7)
