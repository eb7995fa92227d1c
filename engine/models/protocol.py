"""What every demand model is: a name, a fingerprint, and a panel in, a forecast out."""

from typing import Protocol

from fullshelf.engine.forecast import Forecast
from fullshelf.engine.panel import KnownAhead, Panel


class DemandModel(Protocol):
    """A demand model. A series' numbers depend on that series alone: not on its neighbours, shard, batch or order."""

    @property
    def fingerprint(self) -> str:
        """Name and everything that changes the numbers (weights, version); part of the run id."""
        ...

    @property
    def device(self) -> str:
        """Where it forecasts: `cpu`, or the accelerator's name."""
        ...

    def forecast(self, panel: Panel, horizon: int, ahead: KnownAhead | None = None) -> Forecast:
        """Forecast as-of + 1 … as-of + horizon for every series of the panel, in its order."""
        ...
