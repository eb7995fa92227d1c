"""Tables of a few series for the tests of planning: every column of the contract, completed as the runner does."""

import numpy as np
import polars as pl
import pytest

from fullshelf.engine.forecast import Forecast
from fullshelf.kernels.levels import LEVELS, level_array

SUPPLY = {
    "unit_cost": 1.0, "unit_price": 2.0, "holding_cost": 0.02, "shortage_cost": 1.0, "salvage_value": 0.0,
    "order_cost": 0.0, "lead_time": 2.0, "lead_time_sd": 0.0, "review_period": 1.0, "moq": 0.0, "pack_size": 1.0,
    "max_stock": None, "shelf_life": None, "volume": None, "supplier": None, "category": None, "planned": True,
}  # fmt: skip
STOCK = {"on_hand": 0.0, "on_order": 0.0, "backorders": 0.0, "known": True}
ARRIVALS = pl.List(pl.Struct({"step": pl.Int32, "units": pl.Float64}))
TYPES = {"supplier": pl.String, "category": pl.String, "planned": pl.Boolean, "known": pl.Boolean}


def _table(defaults, count, given):
    unknown = set(given) - set(defaults)
    if unknown:
        raise KeyError(f"no such column: {unknown}")
    columns = {}
    for name, default in defaults.items():
        value = given.get(name, default)
        values = list(value) if isinstance(value, (list, tuple, np.ndarray)) else [value] * count
        columns[name] = pl.Series(name, values, dtype=TYPES.get(name, pl.Float64), strict=False)
    return pl.DataFrame(columns)


@pytest.fixture(scope="session")
def supply_of():
    """Supply of n series: supply_of(n, column=value or list)."""
    return lambda count, **given: _table(SUPPLY, count, given)


@pytest.fixture(scope="session")
def stock_of():
    """Stock of n series: stock_of(n, arrivals=[[(step, units), …], …], column=value or list)."""

    def make(count, arrivals=None, **given):
        lists = [[{"step": s, "units": float(u)} for s, u in own] for own in arrivals or [[]] * count]
        return _table(STOCK, count, given).with_columns(arrivals=pl.Series(lists, dtype=ARRIVALS))

    return make


@pytest.fixture(scope="session")
def gamma_forecast():
    """Forecast of n series of independent gamma demand: gamma_forecast(means, deviations, horizon)."""
    stats = pytest.importorskip("scipy.stats")
    levels = level_array()

    def make(mean, sd, horizon=8):
        mean, sd = np.broadcast_arrays(np.atleast_1d(np.asarray(mean, float)), np.asarray(sd, float))
        S = mean.size
        running = np.zeros((S, horizon, len(LEVELS)), np.float32)
        for k in range(1, horizon + 1):
            some = mean > 0
            shape, scale = k * (mean[some] / sd[some]) ** 2, sd[some] ** 2 / mean[some]
            running[some, k - 1] = stats.gamma.ppf(levels, shape[:, None], scale=scale[:, None])
        single = np.repeat(running[:, :1], horizon, axis=1)
        means = np.repeat(mean[:, None], horizon, axis=1).astype(np.float32)
        return Forecast(levels, single, means, running)

    return make
