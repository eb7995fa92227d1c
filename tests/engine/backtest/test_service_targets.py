"""Promised service: past rounds lived again reach what was promised, on demand that is far from normal."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from fullshelf.engine.backtest.costs import MEASURES

SERIES, WEEKS, ROUNDS = 60, 110, 26


@pytest.fixture
def reached(
    configure: Callable[..., Any], tables_of: Callable[..., Any], supply: Callable[..., Any]
) -> Callable[..., Any]:
    """Live a shop of skewed demand under a promise: fill rate, share of weeks without stock-out."""
    units = np.random.default_rng(8).negative_binomial(2.0, 2.0 / (2.0 + 12.0), (SERIES, WEEKS))
    sales = pl.DataFrame(
        {
            "sku": [f"sku-{s:03d}" for s in range(SERIES) for _ in range(WEEKS)],
            "date": [date(2022, 1, 3) + timedelta(weeks=t) for _ in range(SERIES) for t in range(WEEKS)],
            "units": units.ravel().astype(float),
        }
    )

    def lived(service: Any, **columns: Any) -> tuple[float, float]:
        config = configure(
            {"sales": sales, "supply": supply(**columns)},
            forecast={"model": "negative-binomial"},
            plan={"service": service},
            backtest={"rounds": ROUNDS, "warm_up": 4, "policies": ["auto"], "models": ["negative-binomial"]},
        )
        all_ = tables_of(config)["segments"].filter(pl.col("kind") == "all").row(0, named=True)
        return all_["fill_rate"], 1 - all_["stock_outs"] / (SERIES * ROUNDS)

    return lived


@pytest.fixture
def supply() -> Callable[..., pl.DataFrame]:
    """Table supply, the same for all series."""
    given = {"unit_cost": 2.0, "unit_price": 5.0, "holding_cost": 0.1, "lead_time": 1.0}
    return lambda **columns: pl.DataFrame({"sku": [f"sku-{s:03d}" for s in range(SERIES)], **given, **columns})


def test_a_promised_fill_rate_is_reached(reached: Callable[..., Any]) -> None:
    assert "stock_outs" in MEASURES
    assert reached({"fill": 0.95})[0] == pytest.approx(0.95, abs=0.015)
    assert reached({"fill": 0.8})[0] == pytest.approx(0.8, abs=0.03)


def test_a_promised_cycle_service_is_reached(reached: Callable[..., Any]) -> None:
    assert reached({"cycle": 0.9})[1] == pytest.approx(0.9, abs=0.025)


def test_lots_keep_the_promise_and_do_not_overdo_it(reached: Callable[..., Any]) -> None:
    """Packs of three weeks' demand leave stock above the least most of the time."""
    assert reached({"fill": 0.95}, pack_size=36.0)[0] == pytest.approx(0.955, abs=0.02)
