"""statsforecast's models behind our shapes."""

from __future__ import annotations

import importlib.util
import warnings
from typing import Any

import numpy as np
import polars as pl

from fullshelf.bench.forecast_sample import Floats
from fullshelf.engine.calendar import Period
from fullshelf.engine.panel import Panel
from fullshelf.kernels.levels import LEVELS

FREQUENCIES = {Period.DAY: "1d", Period.WEEK: "1w", Period.MONTH: "1mo"}
CONFORMAL = ("CrostonSBA", "TSB", "IMAPA")  # models without a distribution of their own
PEER_FAIRNESS = (
    "The peer's table is made before its clock starts, and its quantiles are cut at 0 and sorted, which only helps it. "
    "Ours also give the quantiles of the running total, which the peer has not."
)


def missing_peer() -> str:
    """Say why statsforecast cannot be measured; "" if it can."""
    if importlib.util.find_spec("statsforecast") is None:
        return "statsforecast is not installed: pip install 'fullshelf[bench]'"
    return ""


def missing_model(name: str) -> str:
    """Say why one of our models cannot be measured; "" if it can."""
    if name.endswith("demand-lm") and importlib.util.find_spec("torch") is None:
        return "torch is not installed: pip install 'fullshelf[model]'"
    return ""


class StatsForecastPeer:
    """One model of statsforecast; its quantiles in our shape."""

    def __init__(self, name: str, horizon: int, period: Period = Period.DAY) -> None:
        from statsforecast import StatsForecast
        from statsforecast import models as theirs
        from statsforecast.utils import ConformalIntervals

        made = getattr(theirs, name)
        if name in CONFORMAL:
            model = made(prediction_intervals=ConformalIntervals(h=horizon, n_windows=2))
        else:
            model = made(season_length=period.season)
        self._name, self._horizon = name, horizon
        self._job = StatsForecast(models=[model], freq=FREQUENCIES[period], n_jobs=1)
        self._frames: dict[int, pl.DataFrame] = {}

    def __call__(self, panel: Panel) -> Floats:
        """Return quantiles (S, H, Q)."""
        if panel.series not in self._frames:
            self._frames[panel.series] = long_table(panel)
        intervals = [round(100 * abs(2 * level - 1)) for level in LEVELS if level != 0.5]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # theirs, on degenerate series
            found = self._job.forecast(df=self._frames[panel.series], h=self._horizon, level=sorted(set(intervals)))
        columns = [self._column(level) for level in LEVELS]
        values: Any = found.sort("unique_id", "ds").select(columns).to_numpy()
        shape = (panel.series, self._horizon, len(LEVELS))
        quantiles: Floats = np.sort(np.maximum(values.reshape(shape), 0.0), axis=2)
        return quantiles

    def _column(self, level: float) -> str:
        if level == 0.5:
            return self._name
        return f"{self._name}-{'hi' if level > 0.5 else 'lo'}-{round(100 * abs(2 * level - 1))}"


def long_table(panel: Panel) -> pl.DataFrame:
    """Return the histories as the peer reads them: unique_id, ds, y."""
    lengths = np.diff(panel.offsets)
    back = np.repeat(panel.offsets[1:], lengths) - np.arange(panel.units.size) - 1  # periods before the as-of one
    dates = pl.Series([panel.period.start(panel.last - k) for k in range(int(back.max(initial=0)) + 1)], dtype=pl.Date)
    return pl.DataFrame(
        {
            "unique_id": np.repeat(np.arange(panel.series), lengths),
            "ds": dates.gather(back),
            "y": panel.units.astype(np.float64),
        }
    )
