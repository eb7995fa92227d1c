"""`fullshelf backtest` as a user meets it, and its page in headless Chromium."""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner, Result

from fullshelf.engine.backtest import backtest
from fullshelf.engine.cli import app

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SETTINGS: dict[str, Any] = {
    "forecast": {"model": "negative-binomial", "horizon": 6},
    "backtest": {"rounds": 4, "resamples": 100},
}


def call(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def config(configure: Callable[..., Any], tables: dict[str, pl.DataFrame], tmp_path: Path) -> Path:
    configure(tables, **SETTINGS)
    return tmp_path / "shop" / "shop.yaml"


def test_it_ends_with_a_table_a_page_and_says_when_it_was_done_before(config: Path) -> None:
    done = call("backtest", config, "-q")
    assert done.exit_code == 0, done.output
    for word in ("negative-binomial, auto", "seasonal-naive, auto", "textbook", "P(better)", "backtest.html"):
        assert word in done.output
    again = call("backtest", config, "--json")
    summary = json.loads(again.output)
    assert again.exit_code == 0
    assert summary["already"]
    assert len(summary["contenders"]) == 3
    folder = Path(summary["folder"])
    assert {f.name for f in folder.iterdir()} == {"backtest", "backtest.html", "backtest.json", "_SUCCESS"}
    assert "Complete already" in call("backtest", config, "-q").output


def test_another_seed_is_another_backtest(config: Path) -> None:
    first, other = (
        json.loads(call("backtest", config, "--json", "--set", f"backtest.seed={s}").output) for s in (1, 2)
    )
    assert first["folder"] != other["folder"]
    assert first["contenders"][1]["cost"] == other["contenders"][1]["cost"]


def test_two_configurations_compete(config: Path) -> None:
    other = config.with_name("other.yaml")
    other.write_text(config.read_text() + "plan: {policy: reorder-point}\n")
    done = call("backtest", config, "--against", other, "-q")
    assert done.exit_code == 0, done.output
    assert "A: negative-binomial, auto" in done.output
    assert "B: negative-binomial, reorder-point" in done.output


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("backtest.round=3", "did you mean 'rounds'"),
        ("backtest.policies=[best]", "policies"),
        ("backtest.models=[atuo]", "did you mean 'auto'"),
        ("backtest.rounds=0", "rounds"),
        ("backtest.rounds=900", "set backtest.rounds to at most"),
    ],
)
def test_bad_settings_are_told_and_write_nothing(config: Path, override: str, message: str) -> None:
    done = call("backtest", config, "--set", override)
    assert done.exit_code == 2
    assert message in done.stderr
    assert not (config.parent / "runs").exists()


def test_without_supply_there_is_no_backtest(config: Path) -> None:
    done = call("backtest", config, "--set", "inputs={sales: sales.parquet}")
    assert done.exit_code == 2
    assert "inputs.supply" in done.stderr


def browser() -> ModuleType:
    """Return what the tests of the run's report ask a browser."""
    file = Path(__file__).parents[1] / "report" / "test_browser.py"
    spec = importlib.util.spec_from_file_location("report_in_a_browser", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the path: apt-get install -y chromium")
def test_the_page_fits_a_phone_asks_for_nothing_and_no_labels_overlap(
    configure: Callable[..., Any], tables: dict[str, pl.DataFrame], tmp_path: Path
) -> None:
    long = pl.lit("W" * 120 + "</script><script>alert(1)</script>")
    skus = tables["skus"].with_columns(category=pl.when(pl.col("sku") < "sku-006").then(long).otherwise("category"))
    page = Path(backtest(configure(tables | {"skus": skus}, **SETTINGS))["folder"]) / "backtest.html"
    chromium = browser()
    dom, console, asked = chromium.open_page(page, tmp_path)
    assert "<h1>Backtest: which orders would have cost least</h1>" in dom
    assert "<script" not in dom
    assert (console, asked) == ([], [])
    found = chromium.lay_out({"phone": (page, 390), "screen": (page, 1280)}, tmp_path)
    for name, f in found.items():
        assert f["wide"] == [], name
        assert f["scroll"] <= f["width"], name
        assert f["overlaps"] == [], name
