"""Demand models averaged quantile by quantile, weighed for each series by what each would have cost it before.

What it would have cost is told at one origin, one horizon before the as-of period: every member forecasts the panel as
it was then, so an average takes twice the work of its members.
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
from fullshelf.kernels.blend import average_forecasts, inverse_square_weights, single_losses

NUMERICS = 2  # raised whenever an average of the same members changes by a bit
LEAST, MOST = 0.1, 0.9  # of a member's share: a perfect past does not decide alone
LOWEST, HIGHEST = 0.1, 0.9  # levels by which the past is judged: one horizon says little about the tails


@dataclass(frozen=True, slots=True)
class AverageModel:
    """Demand models that give running totals, averaged by inverse squared past losses.

    Examples
    --------
    >>> from fullshelf.engine.models.catalogue import load_model
    >>> members = load_model("tsb", (0.5,), 7), load_model("sba", (0.5,), 7)
    >>> AverageModel(members, 7).fingerprint.partition(" of ")[0]
    'average numerics=2 season=7 by inverse squared loss one horizon ago'
    """

    members: tuple[DemandModel, ...]
    season: int  # periods

    @property
    def fingerprint(self) -> str:
        """The rule and the fingerprints of the members."""
        rule = f"average numerics={NUMERICS} season={self.season} by inverse squared loss one horizon ago"
        return f"{rule} of {' and '.join(member.fingerprint for member in self.members)}"

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
        weights = self._weights(panel, horizon, ahead)
        _, whole = kinds_of_series(panel.units, panel.offsets, horizon, self.season)
        quantiles = average_forecasts(weights, whole, np.stack([f.quantiles for f in found]))
        cumulative = average_forecasts(weights, whole, np.stack(totals))
        cumulative[:, 0] = quantiles[:, 0]
        np.maximum.accumulate(cumulative, axis=1, out=cumulative)
        mean = np.zeros(found[0].mean.shape)
        for share, f in zip(weights, found, strict=True):  # one order of sums for any number of series
            mean += share[:, None] * f.mean
        return Forecast(found[0].levels, quantiles, mean.astype(np.float32), cumulative)

    def _weights(self, panel: Panel, H: int, ahead: KnownAhead | None) -> NDArray[np.float64]:
        """Return the (M, S) shares of the members; equal ones where the past is too short to tell."""
        weights = np.full((len(self.members), panel.series), 1.0 / len(self.members))
        rows = np.flatnonzero(np.diff(panel.offsets) > H + max(H, self.season))
        if rows.size == 0:
            return weights
        coming = panel.offsets[rows + 1][:, None] + np.arange(-H, 0)
        cut, known = _one_horizon_ago(panel, rows, coming, ahead)
        past = [member.forecast(cut, H, known) for member in self.members]
        levels = past[0].levels
        judged = (levels >= LOWEST) & (levels <= HIGHEST)
        if not judged.any():
            judged[:] = True
        quantiles = np.ascontiguousarray(np.stack([f.quantiles for f in past])[..., judged])
        losses = single_losses(panel.units[coming], panel.observed[coming], levels[judged], quantiles)
        weights[:, rows] = inverse_square_weights(losses, LEAST, MOST)
        return weights


def _one_horizon_ago(
    panel: Panel, rows: NDArray[np.int64], coming: NDArray[np.int64], ahead: KnownAhead | None
) -> tuple[Panel, KnownAhead | None]:
    """Return some series without their newest H periods, positions `coming` (n, H), and what was known of these."""
    H = coming.shape[1]
    lengths = np.diff(panel.offsets)[rows] - H
    firsts = panel.offsets[rows] - np.cumsum(lengths) + lengths  # position in the panel less position in the cut
    cells = np.repeat(firsts, lengths) + np.arange(lengths.sum())
    cut = panel.part(rows, cells, lengths, panel.last - H)
    if ahead is None:
        return cut, None
    columns = [panel.covariate_names.index(name) for name in ahead.names]
    return cut, KnownAhead(np.ascontiguousarray(panel.covariates[coming][:, :, columns]), ahead.names)
