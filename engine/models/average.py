"""`auto` and DemandLM, averaged: quantile by quantile, by a share that is the same for every series.

Weighing the two for each series by what each would have cost it one horizon ago was tried and did no better than this
(DECISIONS.md), at twice the work.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fullshelf.engine.errors import ConfigError
from fullshelf.engine.forecast import Forecast
from fullshelf.engine.models.protocol import DemandModel
from fullshelf.engine.panel import KnownAhead, Panel
from fullshelf.kernels.auto import kinds_of_series
from fullshelf.kernels.blend import average_forecasts

NUMERICS = 1  # raised whenever an average of the same members changes by a bit


@dataclass(frozen=True, slots=True)
class AverageModel:
    """Demand models that give running totals, averaged.

    Examples
    --------
    >>> from fullshelf.engine.models.catalogue import load_model
    >>> members = load_model("tsb", (0.5,), 7), load_model("sba", (0.5,), 7)
    >>> AverageModel(members, (0.5, 0.5), 7).fingerprint
    'average numerics=1 of 0.5 tsb numerics=2 season=7 levels=0.5 and 0.5 sba numerics=2 season=7 levels=0.5'
    """

    members: tuple[DemandModel, ...]
    shares: tuple[float, ...]  # of each member; they sum to 1
    season: int  # periods

    @property
    def fingerprint(self) -> str:
        """The shares and fingerprints of the members."""
        parts = [f"{share:g} {m.fingerprint}" for share, m in zip(self.shares, self.members, strict=True)]
        return f"average numerics={NUMERICS} of {' and '.join(parts)}"

    @property
    def device(self) -> str:
        """Where the members forecast."""
        return ", ".join(sorted({member.device for member in self.members}))

    def forecast(self, panel: Panel, horizon: int, ahead: KnownAhead | None = None) -> Forecast:
        """Forecast as-of + 1 … as-of + horizon; what is known ahead goes to every member.

        Raises
        ------
        ConfigError
            If a member gives no running totals.
        """
        found = [member.forecast(panel, horizon, ahead) for member in self.members]
        totals = [f.cumulative for f in found if f.cumulative is not None]
        if len(totals) < len(found):
            raise ConfigError("an average needs members that give running totals; one of these gives none")
        _, whole = kinds_of_series(panel.units, panel.offsets, horizon, self.season)
        shares: NDArray[np.float64] = np.array(self.shares)
        weights = np.ascontiguousarray(np.broadcast_to(shares[:, None], (shares.size, panel.series)))
        quantiles = average_forecasts(weights, whole, np.stack([f.quantiles for f in found]))
        cumulative = average_forecasts(weights, whole, np.stack(totals))
        cumulative[:, 0] = quantiles[:, 0]
        np.maximum.accumulate(cumulative, axis=1, out=cumulative)
        mean = np.einsum("m,msh->sh", shares, np.stack([f.mean for f in found])).astype(np.float32)
        return Forecast(found[0].levels, quantiles, mean, cumulative)
