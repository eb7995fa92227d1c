"""A folder of weights as a demand model: a panel in, a forecast out.

What all such models share stands here: series that have stopped selling are answered by rule, whole units in whole
units, the wanted levels are read off the model's own. Nothing here imports torch until something is forecast: a
finished run is found by its fingerprint alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fullshelf.engine.errors import ConfigError
from fullshelf.engine.forecast import Forecast
from fullshelf.engine.models.weights import content_of, name_of
from fullshelf.engine.panel import KnownAhead, Panel
from fullshelf.kernels.auto import SILENT_SERIES, kinds_of_series
from fullshelf.kernels.croston import SILENT, croston_forecasts
from fullshelf.kernels.exposure import NOTHING
from fullshelf.kernels.histories import take_histories
from fullshelf.kernels.quantile_grid import grid_mean, grid_quantile, knots

Single = NDArray[np.float32]
Rows = NDArray[np.int64]
Answer = tuple[Rows, Single, Single | None]  # rows of the panel, their quantiles and totals (n, H, Q) at its own levels

EXTRAS = {  # of this package, by what is missing
    "torch": "model",
    "transformers": "model",
    "safetensors": "model",
    "accelerate": "model",
    "chronos": "chronos",
    "einops": "chronos",
    "pandas": "chronos",
    "requests": "chronos",
}
NUMERICS = 3  # raised whenever a forecast of the same weights changes by a bit


class Server(Protocol):
    """Weights in memory."""

    @property
    def device(self) -> Any:
        """The torch device of its inputs."""
        ...

    def forecast(self, panel: Panel, ahead: KnownAhead | None, horizon: int, wanted: Rows) -> Iterator[Answer]:
        """Yield answers until every series of `wanted` has one; totals None: the model gives marginals only."""
        ...


class PretrainedModel:
    """The weights of a folder.

    Series that have stopped selling (no sale in the newest four horizons or two seasons, whichever is longer: the rule
    of `auto`) skip the model and get the kernels' forecast for silent series.

    Parameters
    ----------
    name
        What the fingerprint begins with.
    folder
        As `save_pretrained` writes it.
    own_levels
        Rising probabilities that the model answers.
    levels
        Q rising probabilities; those that the model does not answer itself are interpolated as orders do it.
    season
        Periods in a season, for the rule above.
    load
        Called once, with the folder, when something is forecast.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        own_levels: NDArray[np.float64],
        levels: NDArray[np.float64],
        season: int,
        load: Callable[[Path], Server],
    ) -> None:
        self.name, self.folder, self.own_levels, self.levels, self.season = name, folder, own_levels, levels, season
        self._load = load
        self._content = content_of(folder)
        self._server: Server | None = None
        self._lock = threading.Lock()

    @property
    def fingerprint(self) -> str:
        """Name, content of the weights and their configuration, season, levels and version of the numerics."""
        levels = ",".join(f"{q:g}" for q in self.levels)
        return f"{self.name} numerics={NUMERICS} weights={self._content} season={self.season} levels={levels}"

    @property
    def device(self) -> str:
        """Where the weights lie; `cpu` as long as nothing was forecast."""
        return "cpu" if self._server is None else name_of(self._server.device)

    def forecast(self, panel: Panel, horizon: int, ahead: KnownAhead | None = None) -> Forecast:
        """Forecast as-of + 1 … as-of + horizon; `price`, `promo` and `event` are used by models that read them."""
        S, H, Q = panel.series, horizon, self.own_levels.size
        kinds, whole = kinds_of_series(panel.units, panel.offsets, horizon, self.season)
        silent, selling = np.flatnonzero(kinds == SILENT_SERIES), np.flatnonzero(kinds != SILENT_SERIES)
        quantiles, totals = (np.zeros((S, H, Q), np.float32) for _ in range(2))
        has_totals = True
        if selling.size:
            for rows, q, total in self._loaded().forecast(panel, ahead, horizon, selling):
                quantiles[rows] = q
                if total is None:
                    has_totals = False
                else:
                    totals[rows] = total
        mean = np.zeros((S, H), np.float32)
        mean[selling] = grid_mean(*knots(self.own_levels, quantiles[selling].reshape(-1, Q))).reshape(-1, H)
        for values in (quantiles, totals):
            values[whole] = np.ceil(values[whole] - 0.5) + 0.0  # whole, as of all forecasters; ties go down; no -0.0
        quantiles, totals = (at_levels(self.own_levels, values, self.levels) for values in (quantiles, totals))
        np.maximum.accumulate(totals, axis=1, out=totals)  # a tail beyond the last level may fall
        if silent.size:
            quantiles[silent], totals[silent], mean[silent] = self._silent(panel, silent, horizon)
        return Forecast(self.levels, quantiles, mean, totals if has_totals else None)

    def _silent(self, panel: Panel, rows: Rows, horizon: int) -> tuple[Single, Single, Single]:
        units, offsets = take_histories(panel.units, panel.offsets, rows, 0, panel.units.size)
        observed, _ = take_histories(panel.observed, panel.offsets, rows, 0, panel.units.size)
        methods = np.array([SILENT])
        q, total, mean = croston_forecasts(units, observed, NOTHING, NOTHING, offsets, horizon, self.levels, methods)
        return q[0], total[0], mean[0]

    def _loaded(self) -> Server:
        with self._lock:
            if self._server is None:
                try:
                    self._server = self._load(self.folder)
                except ModuleNotFoundError as e:
                    extra = EXTRAS.get((e.name or "").partition(".")[0])
                    if extra is None:
                        raise
                    raise ConfigError(f"{self.name} needs {e.name}: pip install 'fullshelf[{extra}]'") from e
            return self._server

    def __reduce__(self) -> tuple[type[PretrainedModel], tuple[object, ...]]:
        """Travel to another process as the folder, without the weights."""
        return PretrainedModel, (self.name, self.folder, self.own_levels, self.levels, self.season, self._load)


def at_levels(own: NDArray[np.float64], values: Single, wanted: NDArray[np.float64]) -> Single:
    """Return quantiles (S, H, Q) of the levels `own` at the levels `wanted`: the same, or read off their curve."""
    place = np.minimum(np.searchsorted(own, wanted - 1e-9), own.size - 1)
    if np.abs(own[place] - wanted).max() < 1e-9:
        return np.ascontiguousarray(values[:, :, place])
    S, H, _ = values.shape
    curves = knots(own, values.reshape(S * H, -1))
    found = [grid_quantile(*curves, np.full(S * H, level)) for level in wanted]
    return np.stack(found, axis=-1).astype(np.float32).reshape(S, H, wanted.size)
