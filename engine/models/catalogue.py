"""The demand models by name."""

from __future__ import annotations

from fullshelf.engine.config import nearest
from fullshelf.engine.errors import ConfigError
from fullshelf.engine.models.classical import AutoModel, ClassicalModel, Forecaster
from fullshelf.engine.models.protocol import DemandModel
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


def model_names() -> tuple[str, ...]:
    """Return the names that `load_model` knows."""
    return ("auto", *FORECASTERS)


def load_model(name: str, levels: tuple[float, ...], season: int) -> DemandModel:
    """Return the demand model of that name.

    Parameters
    ----------
    name
        One of `model_names()`.
    levels
        Q rising probabilities.
    season
        Periods in a season.

    Raises
    ------
    ConfigError
        If there is no such model.

    Examples
    --------
    >>> load_model("tsb", (0.5,), 7).fingerprint
    'tsb numerics=1 season=7 levels=0.5'
    """
    if name == "auto":
        return AutoModel(level_array(levels), season)
    if name not in FORECASTERS:
        raise ConfigError(f"there is no demand model {name!r}{nearest(name, model_names())}")
    return ClassicalModel(name, FORECASTERS[name], level_array(levels), season)
