"""Who competes: models and policies, on the inputs of one configuration or of two."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from fullshelf.engine.backtest.draw import drawn
from fullshelf.engine.backtest.rounds import Rounds
from fullshelf.engine.config import Config
from fullshelf.engine.intake import Intake, ShardInput
from fullshelf.engine.limits import Limit
from fullshelf.engine.models.protocol import DemandModel
from fullshelf.engine.panel import KnownAhead
from fullshelf.engine.panels import read_ahead

__all__ = ["NEWEST_YEAR", "TEXTBOOK", "Contender", "Side", "Trial", "shown_name"]

TEXTBOOK = "textbook"
NEWEST_YEAR = "newest-year"  # stands for a model with the textbook policy, which needs none


def shown_name(model: str) -> str:
    """Return the name under which tables show a model: that of a folder of weights is its last part."""
    return Path(model).name if "/" in model else model


@dataclass(frozen=True, slots=True)
class Side:
    """One configuration with its inputs."""

    name: str  # A or B
    config: Config
    intake: Intake
    models: Mapping[str, DemandModel]  # by the name that tables show
    horizon: int  # periods that a refresh would forecast
    share: float = 1.0  # of the series that take part, drawn by hash

    def read(self, shard: int) -> ShardInput:
        """Read a shard without what is known ahead and without events: those depend on the origin."""
        given = replace(self.intake, future=None, events=None).read(shard, 1)
        return given if self.share >= 1.0 else drawn(given, self.share)

    def ahead(self, shard: int, given: ShardInput, start: int) -> KnownAhead | None:
        """Read what `future` knows of the periods from start + 1 until a horizon after the as-of period."""
        future = self.intake.future
        names = tuple(n for n in self.intake.covariates if future is not None and n in future.shards.values)
        if future is None or not names:
            return None
        reach = self.intake.as_of - start + self.horizon
        return read_ahead(future, shard, given.panel.keys, names, self.intake.period, start, reach)


@dataclass(frozen=True, slots=True)
class Contender:
    """A model with a policy."""

    side: int  # whose configuration
    model: str
    policy: str


@dataclass(frozen=True, slots=True)
class Trial:
    """Everything that the shards of a backtest share. The first side says what is true: sales, costs, limits."""

    sides: tuple[Side, ...]
    contenders: tuple[Contender, ...]  # the first is the one that the others are compared with
    rounds: Rounds
    limits: tuple[Limit, ...]

    @property
    def backorder(self) -> bool:
        """Whether demand that is not served is owed."""
        return self.sides[0].config.plan.stockout == "backorder"

    @property
    def forecasters(self) -> tuple[tuple[int, str], ...]:
        """Side and name of every model."""
        return tuple((i, name) for i, side in enumerate(self.sides) for name in side.models)
