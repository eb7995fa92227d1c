from collections.abc import Callable
from datetime import date

import numpy as np
import polars as pl
import pytest

from fullshelf.engine.calendar import Period
from fullshelf.engine.panel import Panel

PanelOf = Callable[..., Panel]


@pytest.fixture(scope="session")
def panel_of() -> PanelOf:
    def build(histories: list[np.ndarray], period: Period = Period.DAY, **covariates: np.ndarray) -> Panel:
        units = np.concatenate(histories).astype(np.float32)
        values = np.stack([units * 0, *covariates.values()], axis=1)[:, 1:].astype(np.float32)
        return Panel(
            pl.DataFrame({"sku": [f"s{i:05d}" for i in range(len(histories))], "location": "all"}),
            units,
            np.ones_like(units),
            values,
            tuple(covariates),
            np.cumsum([0, *(h.size for h in histories)]),
            period,
            period.number_of(date(2024, 12, 20)),
        )

    return build
