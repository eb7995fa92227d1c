"""A made-up run: tables in the contract's shape, drawn from one seed, with every kind of exception in it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from fullshelf.engine.calendar import Period
from fullshelf.engine.report import ReportFacts
from fullshelf.kernels.levels import LEVELS

PRODUCTS = {
    "Grocery/Tea": ["Chamomile tea, 20 bags", "Earl Grey, loose, 250 g", "Peppermint tea, 20 bags", "Sencha, 100 g"],
    "Grocery/Coffee": ["Espresso beans, 1 kg", "Filter coffee, 500 g", "Decaf pods, 10 pieces"],
    "Household/Cleaning": ["Dish soap with lemon, 500 ml", "Sponges, pack of 6", "Floor cleaner, 1 l"],
    "Household/Kitchen": ["Cast-iron pan, 28 cm", "Wooden spoon", "Storage jars, set of 4", "Bread knife, 20 cm"],
    "Garden": ["Terracotta pot, 18 cm", "Tomato seeds", "Watering can, 8 l"],
}
LOCATIONS = ["Berlin", "Hamburg", "München"]
AS_OF = date(2025, 6, 8)
RUN = {
    "run": "20250608-4f1c09ab77d2e310",
    "as_of": AS_OF,
    "period": "day",
    "horizon": 28,
    "model": "auto",
    "device": "cpu",
    "machine": {"processor": "x86_64", "cores": 2, "system": "Linux"},
    "versions": {"fullshelf": "0.1.0+9ab8c7d6e5f4", "numpy": "2.4.0", "polars": "2.1.0"},
    "configuration": {"period": "day", "inputs": {"sales": ["/data/sales.parquet"]}, "plan": {"stockout": "lost"}},
    "seconds": {"prepare": 21.4, "read": 3.21, "forecast": 38.9, "protect": 0.84, "plan": 4.42, "write": 2.07},
    "peak_memory_mb": 1312.4,
    "returns": {"rows": 1204, "units": 1893.0},
    "without_stock_row": 17,
    "quarantined": {},
    "completed": "2025-06-09T03:14:15+00:00",
}


def make_facts(
    folder: Path, series: int = 240, period: Period = Period.DAY, seed: int = 7, **changes: Any
) -> ReportFacts:
    """Write the tables of a run of `series` series below `folder` and return what the report needs."""
    rng = np.random.default_rng(seed)
    H, past, samples = 28, 84, 200
    last = period.number_of(AS_OF)
    keys = pl.DataFrame(
        {
            "sku": [f"{100_000 + i // 3}-{'BHM'[i % 3]}" for i in range(series)],
            "location": [LOCATIONS[i % 3] for i in range(series)],
        }
    )
    level = rng.lognormal(0.6, 1.3, series)
    season = 1 + 0.35 * np.sin(2 * np.pi * np.arange(past + H) / period.season + rng.uniform(0, 6, (series, 1)))
    rate = level[:, None] * season * rng.gamma(6, 1 / 6, (series, past + H))
    sales = rng.poisson(rate[:, :past]).astype(float)
    draws = rng.poisson(rng.gamma(3, rate[:, past:] / 3, (samples, series, H)))
    lead_time = rng.integers(2, 11, series)
    span = lead_time + 7
    cost = np.round(rng.lognormal(1.8, 0.9, series), 2)
    price = np.round(cost * rng.uniform(1.2, 2.2, series), 2)
    ratio = (price - cost) / (price - cost + 0.01 * cost * span)
    total = np.stack([draws[:, s, : span[s]].sum(1) for s in range(series)], 1) if series else np.zeros((samples, 0))
    up_to = np.array([np.quantile(total[:, s], ratio[s], method="higher") for s in range(series)])
    on_hand = np.round(
        level * rng.choice([0, 1, 4, 9, 60], series, p=[0.02, 0.03, 0.3, 0.6, 0.05]) * rng.uniform(0.5, 1.5, series)
    )
    on_order = np.round(level * rng.choice([0, 5], series))
    quantity = np.maximum(up_to - on_hand - on_order, 0)
    limited = rng.random(series) < 0.1
    quantity = np.where(limited, np.floor(quantity * 0.5), quantity)
    before = np.stack([draws[:, s, : lead_time[s]].sum(1) for s in range(series)], 1) if series else total
    lost = np.maximum(before - on_hand - on_order, 0)
    stock = np.maximum(on_hand + on_order - before, 0) + quantity
    short = (lost + np.maximum(total - before - stock, 0)).mean(0)
    left = np.maximum(stock - total + before, 0).mean(0)
    demand = total.mean(0)
    surprise = np.where(np.arange(series) % 7 == 3, np.where(np.arange(series) % 2, 1.0, -1.0), np.nan)
    sold_out = (sales >= np.quantile(sales, 0.97, axis=1, keepdims=True)) & (rng.random(sales.shape) < 0.5)

    by_level = {f"q{q:g}": np.quantile(draws, q, axis=0) for q in LEVELS}
    dates = [period.start(last + step) for step in range(1, H + 1)]
    tables = {
        "forecasts": keys.select(pl.all().repeat_by(H).explode()).with_columns(
            pl.Series("date", dates * series),
            pl.Series("step", list(range(1, H + 1)) * series, dtype=pl.Int32),
            pl.Series("mean", draws.mean(0).ravel(), dtype=pl.Float32),
            *(pl.Series(name, q.ravel(), dtype=pl.Float32) for name, q in by_level.items()),
        ),
        "lead_time_demand": keys.with_columns(
            pl.Series("periods", span),
            pl.Series("mean", demand, dtype=pl.Float32),
            *(pl.Series(f"q{q:g}", np.quantile(total, q, axis=0), dtype=pl.Float32) for q in LEVELS),
        ),
        "orders": keys.with_columns(
            pl.Series("policy", np.where(ratio > 0.8, "newsvendor", "reorder-point")),
            pl.Series("order_quantity", quantity),
            pl.Series("order_up_to", up_to),
            pl.Series("reorder_point", up_to),
            pl.Series("safety_stock", up_to - demand),
            pl.Series("critical_ratio", ratio),
            pl.Series("expected_demand", demand),
            pl.Series("expected_shortage", short),
            pl.Series("expected_leftover", left),
            pl.Series("expected_cost", short * (price - cost) + left * 0.01 * cost),
            pl.Series("fill_rate", 1 - short / np.maximum(demand, 1e-9)),
            pl.Series("shadow_price", np.where(limited, 0.031, 0.0)),
            pl.Series(
                "reason",
                [
                    f"Stock of {h:.0f} and {o:.0f} on order last about {(h + o) / r:.0f} days; an order placed today "
                    f"is on the shelf in {lt + 1} days. Ordering up to {u:.0f} is cheapest."
                    for h, o, r, lt, u in zip(on_hand, on_order, demand / span, lead_time, up_to, strict=True)
                ],
            ),
        ),
        "values": keys.with_columns(
            unit_cost=pl.Series(cost),
            unit_price=pl.Series(price),
            holding_cost=pl.Series(cost * 0.01),
            shortage_cost=pl.Series(price - cost),
            lead_time=pl.Series(lead_time),
            review_period=pl.lit(7),
            on_hand=pl.Series(on_hand),
            on_order=pl.Series(on_order),
            backorders=pl.lit(0.0),
            overdue=pl.Series(np.where(np.arange(series) % 9 == 0, on_order, 0.0)),
            surprise=pl.Series(surprise).fill_nan(None),
            sold=pl.Series(np.where(np.isnan(surprise), np.nan, sales[:, -1])).fill_nan(None),
            foreseen=pl.Series(np.where(np.isnan(surprise), np.nan, rate[:, past - 1])).fill_nan(None),
            title=pl.Series(
                [PRODUCTS[c][i % len(PRODUCTS[c])] for i in range(series) for c in [_category(i)]], dtype=pl.String
            ),
            category=pl.Series([_category(i) for i in range(series)], dtype=pl.String),
        ),
        "rejects": make_rejects(),
    }
    for name, frame in tables.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        half = frame.height // 2
        frame[:half].write_parquet(folder / name / "part-00000.parquet")
        frame[half:].write_parquet(folder / name / "part-00001.parquet")
    counts = {
        "shards": 2,
        "series": series + (4 if series else 0),
        "tables": {
            "sales": {"read": 1_000_204, "used": 1_000_000, "rejected": 204},
            "stock": {"read": series, "used": series, "rejected": 0},
            "supply": {"read": series + 5, "used": series, "rejected": 5},
        },
    }
    history = keys.select(pl.all().repeat_by(past).explode()).with_columns(
        pl.Series("date", [period.start(last - past + 1 + t) for t in range(past)] * series, dtype=pl.Date),
        pl.Series("units", sales.ravel(), dtype=pl.Float32),
        pl.Series("in_stock", np.where(sold_out, 0.4, 1.0).ravel(), dtype=pl.Float32),
    )
    facts = ReportFacts(
        run=RUN | {"counts": counts, "period": period},
        orders=pl.scan_parquet(folder / "orders/*.parquet"),
        forecasts=pl.scan_parquet(folder / "forecasts/*.parquet"),
        lead_time_demand=pl.scan_parquet(folder / "lead_time_demand/*.parquet"),
        rejects=pl.scan_parquet(folder / "rejects/*.parquet"),
        values=pl.scan_parquet(folder / "values/*.parquet"),
        history=lambda wanted: history.join(wanted, on=["sku", "location"], how="semi"),
        limits=pl.DataFrame(
            {
                "resource": ["capital", "volume", "units"],
                "scope": ["all", "location=Hamburg", "supplier=Nordwind & Söhne"],
                "amount": [27_310.0, 120.0, 5_000.0],
                "used": [27_304.2, 64.8, 4_999.0],
                "shadow_price": [0.031, 0.0, 0.4],
            }
        ),
        hindsight=make_hindsight(rng, days=1),
        currency="EUR",
    )
    return replace(facts, **changes)


def make_rejects() -> pl.DataFrame:
    rows = [
        ("sales", f"10{i:04d}-B · Berlin · 2025-06-0{i % 8 + 1}", "units is not a number", "NaN", 5000 + i)
        for i in range(140)
    ]
    rows += [
        ("sales", f"10{i:04d}-H · Hamburg", "date lies after the as-of date", "2025-07-01", 90 + i) for i in range(64)
    ]
    rows += [
        ("supply", "100017-M", "unit_cost is negative", "-3.5", 17),
        ("supply", "100019-M", "pack_size is 0", "0", 19),
    ]
    schema = {"table": pl.String, "key": pl.String, "rule": pl.String, "value": pl.String, "row": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def make_hindsight(rng: np.random.Generator, days: int) -> pl.DataFrame:
    """Sums of two shards for the first steps of the last run."""
    frames = []
    for _ in range(2):
        pairs = 3000
        rows: dict[str, Any] = {"run": ["20250607-11aa22bb33cc44dd"] * days, "step": list(range(1, days + 1))}
        rows |= {"pairs": [pairs] * days, "stocked_out": [88] * days, "units": [9000.0] * days}
        rows |= {"abs_error": rng.normal(4700, 30, days), "mean_minus_actual": rng.normal(140, 30, days)}
        rows |= {f"loss_q{q:g}": 9000 * 0.9 * q * (1 - q) * (1 + 0.05 * np.arange(days)) for q in LEVELS}
        rows |= {f"covered_q{q:g}": np.int64([pairs * min(q * 0.93 + 0.06, 1)] * days) for q in LEVELS}
        frames.append(pl.DataFrame(rows))
    return pl.concat(frames)


def _category(i: int) -> str:
    return list(PRODUCTS)[i // 3 % len(PRODUCTS)]


@pytest.fixture
def facts_of(tmp_path: Path) -> Callable[..., ReportFacts]:
    """Make a run of any size; keyword arguments replace fields of its facts."""
    return lambda series=240, **changes: make_facts(tmp_path / f"run-{series}", series, **changes)


@pytest.fixture(scope="session")
def facts(tmp_path_factory: pytest.TempPathFactory) -> ReportFacts:
    """Return a run with everything in it."""
    return make_facts(tmp_path_factory.mktemp("run"))
