"""The demand models by name, or by the folder of their weights."""

from __future__ import annotations

from pathlib import Path

from fullshelf.engine.config import nearest
from fullshelf.engine.errors import ConfigError
from fullshelf.engine.models.average import AverageModel
from fullshelf.engine.models.classical import AutoModel, ClassicalModel, Forecaster
from fullshelf.engine.models.demand_lm.forecaster import MODEL_TYPE, SHIPPED, demand_lm
from fullshelf.engine.models.names import MODELS
from fullshelf.engine.models.pretrained import PretrainedModel, Server
from fullshelf.engine.models.protocol import DemandModel
from fullshelf.engine.models.weights import read_config
from fullshelf.kernels.croston import croston, sba, tsb
from fullshelf.kernels.exponential_smoothing import exponential_smoothing
from fullshelf.kernels.levels import level_array
from fullshelf.kernels.seasonal_naive import seasonal_naive
from fullshelf.kernels.theta import theta
from fullshelf.kernels.weighted_window import empirical, negative_binomial

FORECASTERS: dict[str, Forecaster] = {
    "seasonal-naive": seasonal_naive,
    "empirical": empirical,
    "negative-binomial": negative_binomial,
    "croston": croston,
    "sba": sba,
    "tsb": tsb,
    "exponential-smoothing": exponential_smoothing,
    "theta": theta,
}


TIMESFM_LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)  # where its configuration names none


def model_names() -> tuple[str, ...]:
    """Return the names that `load_model` knows."""
    return MODELS


def load_model(name: str, levels: tuple[float, ...], season: int) -> DemandModel:
    """Return the demand model of that name.

    Parameters
    ----------
    name
        One of `model_names()`, or the folder of a model's weights: a path that holds a `/`.
    levels
        Q rising probabilities.
    season
        Periods in a season.

    Raises
    ------
    ConfigError
        If there is no such model, or the folder does not hold one.

    Examples
    --------
    >>> load_model("tsb", (0.5,), 7).fingerprint
    'tsb numerics=2 season=7 levels=0.5'
    """
    if name == "auto":
        return AutoModel(level_array(levels), season)
    if name == "demand-lm":
        return demand_lm(SHIPPED, level_array(levels), season)
    if name == "auto+demand-lm":
        members = AutoModel(level_array(levels), season), demand_lm(SHIPPED, level_array(levels), season)
        return AverageModel(members, season)
    if "/" in name:
        return _from_folder(Path(name), levels, season)
    if name not in FORECASTERS:
        raise ConfigError(f"there is no demand model {name!r}{nearest(name, model_names())}")
    return ClassicalModel(name, FORECASTERS[name], level_array(levels), season)


def _from_folder(folder: Path, levels: tuple[float, ...], season: int) -> DemandModel:
    found = read_config(folder)
    kind, wanted = found.get("model_type"), level_array(levels)
    if kind == MODEL_TYPE:
        return demand_lm(folder, wanted, season)
    if kind == "timesfm2_5":
        own = level_array(tuple(found.get("quantiles", TIMESFM_LEVELS)))
        return PretrainedModel("timesfm", folder, own, wanted, season, _load_timesfm)
    chronos = found.get("chronos_config")
    if isinstance(chronos, dict) and "ChronosBoltModelForForecasting" in (found.get("architectures") or ()):
        own = level_array(tuple(chronos["quantiles"]))
        return PretrainedModel("chronos", folder, own, wanted, season, _load_chronos)
    if any(str(name).endswith(("ForCausalLM", "LMHeadModel")) for name in found.get("architectures") or ()):
        return PretrainedModel("causal-lm", folder, level_array(), wanted, season, _load_causal_lm)
    raise ConfigError(
        f"{folder}: holds a model of type {kind!r}; expected {MODEL_TYPE!r}, 'timesfm2_5', Chronos-Bolt or a "
        "causal language model"
    )


def _load_timesfm(folder: Path) -> Server:
    from fullshelf.engine.models.timesfm import TimesFMServer

    return TimesFMServer.load(folder)


def _load_chronos(folder: Path) -> Server:
    from fullshelf.engine.models.chronos import ChronosServer

    return ChronosServer.load(folder)


def _load_causal_lm(folder: Path) -> Server:
    from fullshelf.engine.models.causal_lm import CausalLMServer

    return CausalLMServer.load(folder)
