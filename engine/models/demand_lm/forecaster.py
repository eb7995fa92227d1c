"""DemandLM as a demand model: a panel in, a forecast out.

Nothing here imports torch until something is forecast: a finished run is found by its fingerprint alone.
"""

from __future__ import annotations

import hashlib
import json
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fullshelf.engine.errors import ConfigError
from fullshelf.engine.forecast import Forecast
from fullshelf.engine.panel import KnownAhead, Panel
from fullshelf.kernels.auto import SILENT_SERIES, kinds_of_series
from fullshelf.kernels.croston import SILENT, croston_forecasts
from fullshelf.kernels.exposure import NOTHING
from fullshelf.kernels.histories import take_histories
from fullshelf.kernels.levels import level_array
from fullshelf.kernels.quantile_grid import grid_mean, grid_quantile, knots

if TYPE_CHECKING:
    from fullshelf.engine.models.demand_lm.serving import Server

SHIPPED = Path(__file__).parent / "weights"
WEIGHTS, CONFIG = "model.safetensors", "config.json"
MODEL_TYPE = "fullshelf_demand_lm"  # what config.json calls it
NUMERICS = 1  # raised whenever a forecast of the same weights changes by a bit

Single = NDArray[np.float32]


class DemandLMModel:
    """DemandLM with the weights of a folder.

    Series that have stopped selling (no sale in the newest four horizons or two seasons, whichever is longer: the rule
    of `auto`) skip the model and get the kernels' forecast for silent series.

    Parameters
    ----------
    folder
        With `config.json` and `model.safetensors`, as `save_pretrained` writes them.
    levels
        Q rising probabilities; those that the model does not answer itself are interpolated as orders do it.
    season
        Periods in a season, for the rule above.

    Raises
    ------
    ConfigError
        If the folder holds no DemandLM.
    """

    def __init__(self, folder: Path, levels: NDArray[np.float64], season: int) -> None:
        self.folder, self.levels, self.season = folder, levels, season
        found = read_config(folder)
        if found.get("model_type") != MODEL_TYPE:
            raise ConfigError(f"{folder}: holds a model of type {found.get('model_type')!r}, expected {MODEL_TYPE!r}")
        self._own_levels = level_array(tuple(found["levels"]))
        self._weights = _sha256(folder / WEIGHTS, folder / CONFIG)
        self._server: Server | None = None
        self._lock = threading.Lock()

    @property
    def fingerprint(self) -> str:
        """Name, content of the weights and their configuration, season, levels and version of the numerics."""
        levels = ",".join(f"{q:g}" for q in self.levels)
        return f"demand-lm numerics={NUMERICS} weights={self._weights} season={self.season} levels={levels}"

    def forecast(self, panel: Panel, horizon: int, ahead: KnownAhead | None = None) -> Forecast:
        """Forecast as-of + 1 … as-of + horizon; of what is known ahead `price`, `promo` and `event` are used."""
        S, H, Q = panel.series, horizon, self._own_levels.size
        kinds, whole = kinds_of_series(panel.units, panel.offsets, horizon, self.season)
        silent, selling = np.flatnonzero(kinds == SILENT_SERIES), np.flatnonzero(kinds != SILENT_SERIES)
        quantiles, totals = (np.zeros((S, H, Q), np.float32) for _ in range(2))
        if selling.size:
            for rows, q, total in self._loaded().forecast(panel, ahead, horizon, selling):
                quantiles[rows], totals[rows] = q, total
        mean = np.zeros((S, H), np.float32)
        mean[selling] = grid_mean(*knots(self._own_levels, quantiles[selling].reshape(-1, Q))).reshape(-1, H)
        for values in (quantiles, totals):
            values[whole] = np.ceil(values[whole] - 0.5) + 0.0  # whole, as of all forecasters; ties go down; no -0.0
        quantiles, totals = (self._at_levels(values) for values in (quantiles, totals))
        np.maximum.accumulate(totals, axis=1, out=totals)  # a tail beyond the last level may fall
        if silent.size:
            quantiles[silent], totals[silent], mean[silent] = self._silent(panel, silent, horizon)
        return Forecast(self.levels, quantiles, mean, totals)

    def _at_levels(self, values: Single) -> Single:
        """Return quantiles (S, H, Q) of the model's levels at those that are wanted."""
        own, wanted = self._own_levels, self.levels
        place = np.minimum(np.searchsorted(own, wanted - 1e-9), own.size - 1)
        if np.abs(own[place] - wanted).max() < 1e-9:
            return np.ascontiguousarray(values[:, :, place])
        S, H, _ = values.shape
        curves = knots(own, values.reshape(S * H, -1))
        found = [grid_quantile(*curves, np.full(S * H, level)) for level in wanted]
        return np.stack(found, axis=-1).astype(np.float32).reshape(S, H, wanted.size)

    def _silent(self, panel: Panel, rows: NDArray[np.int64], horizon: int) -> tuple[Single, Single, Single]:
        units, offsets = take_histories(panel.units, panel.offsets, rows, 0, panel.units.size)
        observed, _ = take_histories(panel.observed, panel.offsets, rows, 0, panel.units.size)
        methods = np.array([SILENT])
        q, total, mean = croston_forecasts(units, observed, NOTHING, NOTHING, offsets, horizon, self.levels, methods)
        return q[0], total[0], mean[0]

    def _loaded(self) -> Server:
        with self._lock:
            if self._server is None:
                self._server = load_server(self.folder)
            return self._server

    def __getstate__(self) -> tuple[Path, NDArray[np.float64], int]:
        """Travel to another process as the folder, without the weights."""
        return self.folder, self.levels, self.season

    def __setstate__(self, state: tuple[Path, NDArray[np.float64], int]) -> None:
        self.__init__(*state)  # type: ignore[misc]


def load_server(folder: Path) -> Server:
    """Load the weights.

    Raises
    ------
    ConfigError
        If torch or transformers are not installed.
    """
    try:
        from fullshelf.engine.models.demand_lm.serving import Server
    except ModuleNotFoundError as e:
        if (e.name or "").partition(".")[0] not in ("torch", "transformers", "safetensors"):
            raise
        raise ConfigError(f"this model needs {e.name}, which is not installed: pip install 'fullshelf[model]'") from e
    return Server.load(folder)


def read_config(folder: Path) -> dict[str, Any]:
    """Read the configuration of a folder of weights, and check that the weights lie beside it."""
    try:
        found = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except FileNotFoundError as e:
        raise ConfigError(f"{folder}: no {CONFIG} here; expected a folder that `save_pretrained` wrote") from e
    except (OSError, ValueError) as e:
        raise ConfigError(f"{folder / CONFIG}: cannot be read: {e}") from e
    if not (folder / WEIGHTS).is_file():
        raise ConfigError(f"{folder}: no {WEIGHTS} here; the weights of the model are missing")
    return dict(found)


def _sha256(*files: Path) -> str:
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()[:32]
