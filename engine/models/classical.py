"""The classical forecasters as demand models: a panel in, a forecast out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fullshelf.engine.calendar import Period
from fullshelf.engine.forecast import Forecast
from fullshelf.engine.panel import KnownAhead, Panel
from fullshelf.kernels.auto import auto
from fullshelf.kernels.closures import open_periods
from fullshelf.kernels.exposure import NOTHING
from fullshelf.kernels.uplift import uplift_factors

Single = NDArray[np.float32]
Forecaster = Callable[[Single, Single, NDArray[np.int64], int, int, NDArray[np.float64]], tuple[Single, Single, Single]]

NUMERICS = 2  # raised whenever a classical forecast changes by a bit: runs made before are then not resumed


@dataclass(frozen=True, slots=True)
class ClassicalModel:
    """One forecaster of `fullshelf.kernels`, which knows nothing but each series' own sales."""

    name: str
    forecaster: Forecaster
    levels: NDArray[np.float64]  # (Q,)
    season: int  # periods

    @property
    def fingerprint(self) -> str:
        """Name, season, levels and version of the numerics."""
        return _fingerprint(self.name, self.season, self.levels)

    @property
    def device(self) -> str:
        """The kernels are compiled for the processor."""
        return "cpu"

    def forecast(self, panel: Panel, horizon: int, ahead: KnownAhead | None = None) -> Forecast:
        """Forecast as-of + 1 … as-of + horizon; what is known ahead is not used."""
        quantiles, cumulative, mean = self.forecaster(
            panel.units, panel.observed, panel.offsets, horizon, self.season, self.levels
        )
        return Forecast(self.levels, quantiles, mean, cumulative)


@dataclass(frozen=True, slots=True)
class AutoModel:
    """All forecasters blended for each series, with planned promotions and prices and yearly closing days."""

    levels: NDArray[np.float64]  # (Q,)
    season: int  # periods

    @property
    def fingerprint(self) -> str:
        """Name, season, levels and version of the numerics."""
        return _fingerprint("auto", self.season, self.levels)

    @property
    def device(self) -> str:
        """The kernels are compiled for the processor."""
        return "cpu"

    def forecast(self, panel: Panel, horizon: int, ahead: KnownAhead | None = None) -> Forecast:
        """Forecast as-of + 1 … as-of + horizon; of what is known ahead `promo` and `price` are used."""
        factor, factor_ahead = self._factors(panel, horizon, ahead)
        quantiles, cumulative, mean = auto(
            panel.units, panel.observed, panel.offsets, horizon, self.season, self.levels, factor, factor_ahead
        )
        return Forecast(self.levels, quantiles, mean, cumulative)

    def _factors(self, panel: Panel, horizon: int, ahead: KnownAhead | None) -> tuple[Single, Single]:
        factor, factor_ahead = NOTHING, NOTHING
        planned = {name: ahead.covariate(name) for name in ("promo", "price")} if ahead is not None else {}
        past = {name: panel.covariate(name) for name, values in planned.items() if values is not None}
        known = {name: values for name, values in past.items() if values is not None}
        if known:
            factor, factor_ahead = uplift_factors(
                panel.units,
                panel.observed,
                panel.offsets,
                horizon,
                promo=known.get("promo"),
                price=known.get("price"),
                promo_ahead=planned["promo"] if "promo" in known else None,
                price_ahead=planned["price"] if "price" in known else None,
            )
        if panel.period is Period.DAY and panel.series:
            dates = anniversaries(panel.last, horizon, int(np.diff(panel.offsets).max()))
            is_open = open_periods(panel.units, panel.observed, panel.offsets, dates)
            if not is_open.all():
                factor = factor if factor.size else np.ones_like(panel.units)
                factor_ahead = factor_ahead * is_open if factor_ahead.size else is_open
        return factor, factor_ahead


def anniversaries(last: int, horizon: int, reach: int) -> NDArray[np.int64]:
    """Return how many days before day number `last` the date of each day ahead lies in earlier years: (H, Y).

    The 29th of February stands for the 28th in years that have none. Y is the years that `reach` days hold, and one
    more; a date before a series' first day says nothing.

    Examples
    --------
    >>> from datetime import date
    >>> anniversaries(Period.DAY.number_of(date(2024, 12, 24)), 1, 800).tolist()
    [[365, 730, 1095]]
    """
    years = reach // 366 + 1
    back = np.empty((horizon, years), dtype=np.int64)
    for h in range(horizon):
        day = Period.DAY.start(last + 1 + h)
        for y in range(years):
            month_day = 28 if (day.month, day.day) == (2, 29) else day.day
            back[h, y] = last - Period.DAY.number_of(day.replace(year=day.year - 1 - y, day=month_day))
    return back


def _fingerprint(name: str, season: int, levels: NDArray[np.float64]) -> str:
    return f"{name} numerics={NUMERICS} season={season} levels={','.join(f'{q:g}' for q in levels)}"
