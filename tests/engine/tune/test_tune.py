"""Tuning finds what is wrong on purpose, keeps its hands off what is right, and is obeyed to the byte."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml
from typer.testing import CliRunner

from fullshelf.engine.cli import app
from fullshelf.engine.config import load_config
from fullshelf.engine.errors import ConfigError, InputError
from fullshelf.engine.refresh import refresh
from fullshelf.engine.tune import job, tune


def test_a_forecast_that_is_too_low_is_made_up_for_and_later_rounds_get_cheaper(
    shop: Callable[..., Any], biased: Callable[[float], None]
) -> None:
    biased(0.6)
    found = tune(shop())
    (segment,) = found["segments"]
    assert segment["kept"]
    assert segment["demand"] * 0.6 == pytest.approx(1.0, abs=0.25) or segment["shortage"] > 2
    assert segment["low"] > 0.1
    assert found["saved"] == pytest.approx(segment["saved"])
    assert "later rounds cost" in segment["why"]


def test_where_nothing_can_be_won_orders_stay_as_they_are(shop: Callable[..., Any]) -> None:
    """Poisson demand and a model of exactly that: what the search fits to one half is not seen again in the other."""
    found = tune(shop(forecast={"model": "negative-binomial", "horizon": 4}))
    (segment,) = found["segments"]
    assert not segment["kept"]
    assert (found["saved"], found["low"], found["high"]) == (0, 0, 0)
    config = load_config(Path(found["file"]).parent / "shop.yaml", ["plan.tuned=tuned.yaml"])
    assert config.plan.tuned is not None


def test_the_same_seed_writes_the_same_file_whatever_shards_and_threads(
    shop: Callable[..., Any], biased: Callable[[float], None]
) -> None:
    biased(0.7)
    files = []
    for shards, threads in ((1, 1), (4, 2)):
        run = {"shards": shards, "threads": threads}
        settings = {"by": ["abc"], "candidates": 45, "rounds": 6, "series": 25, "least": 10}
        found = tune(shop(name=f"shards-{shards}", run=run, tune=settings))
        assert 15 <= found["series"] <= 35  # drawn from 40
        files.append(Path(found["file"]).read_bytes())
    assert files[0] == files[1]


def tuned(by: list[str], segments: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {"period": "week", "model": "empirical", "by": by, "segments": segments} | more


ALL = tuned([], [{"segment": {}, "kept": True, "demand": 1.5, "shortage": 2.0}])


def orders_of(summary: dict[str, Any]) -> pl.DataFrame:
    found = pl.read_parquet(Path(summary["folder"]) / "orders")
    return found.sort("sku")


def test_a_refresh_obeys_the_file_and_names_it_whatever_the_shards(shop: Callable[..., Any]) -> None:
    config = shop()
    folder = Path(config.output).parent
    plain = refresh(config)
    (folder / "mine.yaml").write_text(yaml.safe_dump(ALL))
    runs = []
    for shards in (1, 4):
        more = ["plan.tuned=mine.yaml", f"run.shards={shards}"]
        runs.append(refresh(load_config(folder / "shop.yaml", more)))
    first, second = (orders_of(run) for run in runs)
    assert first.equals(second)
    before = orders_of(plain)
    assert (first["order_quantity"] >= before["order_quantity"]).all()
    assert first["order_quantity"].sum() > 1.2 * before["order_quantity"].sum()
    assert first["expected_demand"].to_list() == pytest.approx((before["expected_demand"] * 1.5).to_list(), rel=1e-6)
    assert first["reason"].str.contains("Tuned on past rounds: demand × 1.5, cost of a unit short × 2").all()
    assert plain["run"] != runs[0]["run"] if "run" in plain else plain["folder"] != runs[0]["folder"]
    assert runs[0]["configuration"]["plan"]["tuned"]["segments"][0]["demand"] == 1.5


def test_what_the_file_says_names_the_run_and_where_it_lies_does_not(shop: Callable[..., Any]) -> None:
    config = shop()
    folder = Path(config.output).parent
    names = []
    for file, demand in (("a.yaml", 1.5), ("b.yaml", 1.5), ("a.yaml", 1.6)):
        one = tuned([], [{"segment": {}, "kept": True, "demand": demand}])
        (folder / file).write_text(yaml.safe_dump(one))
        names.append(Path(refresh(load_config(folder / "shop.yaml", [f"plan.tuned={file}"]))["folder"]).name)
    assert names[0] == names[1] != names[2]


def test_a_segment_that_is_not_kept_changes_no_order(shop: Callable[..., Any]) -> None:
    config = shop()
    folder = Path(config.output).parent
    (folder / "mine.yaml").write_text(yaml.safe_dump(tuned([], [{"segment": {}, "kept": False, "demand": 3.0}])))
    plain = orders_of(refresh(config))
    assert orders_of(refresh(load_config(folder / "shop.yaml", ["plan.tuned=mine.yaml"]))).equals(plain)


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (tuned(["abc"], [{"segment": {"abc": "D"}, "kept": True}], abc=[9.0, 1.0]), "abc is A | B | C, got 'D'"),
        (tuned(["abc"], []), "by abc needs abc"),
        (tuned(["xyz"], [{"segment": {"supplier": "Acme"}, "kept": True}]), "expected a value for each of xyz"),
        (tuned(["colour"], []), "plan.tuned.by.0"),
        (tuned([], [ALL["segments"][0]] * 2), "stands twice"),
        (tuned([], [{"segment": {}, "kept": True, "demnd": 1.0}]), "demnd"),
        (ALL | {"period": "day"}, "periods of a week, got one for a day"),
        (ALL | {"model": "auto"}, "run `fullshelf tune` again"),
    ],
)
def test_a_file_that_cannot_be_obeyed_says_why(shop: Callable[..., Any], file: dict[str, Any], words: str) -> None:
    folder = Path(shop().output).parent
    (folder / "mine.yaml").write_text(yaml.safe_dump(file))
    with pytest.raises(ConfigError) as error:
        load_config(folder / "shop.yaml", ["plan.tuned=mine.yaml"])
    assert words in str(error.value)


def test_a_file_that_is_not_there_says_who_makes_it(shop: Callable[..., Any]) -> None:
    folder = Path(shop().output).parent
    with pytest.raises(ConfigError, match="`fullshelf tune` makes it"):
        load_config(folder / "shop.yaml", ["plan.tuned=mine.yaml"])


def test_a_past_that_is_too_short_says_how_long_it_may_be(shop: Callable[..., Any]) -> None:
    with pytest.raises(InputError, match="set them to 58 together at most"):
        tune(shop(tune={"rounds": 50, "judge": 40}))


@pytest.mark.parametrize(("output", "words"), [("taken/tuned.yaml", "cannot be written"), ("folder", "is a folder")])
def test_a_file_that_cannot_be_written_is_told_before_the_work(
    shop: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, output: str, words: str
) -> None:
    monkeypatch.setattr(job, "prepare", lambda *_: pytest.fail("the work had begun"))
    folder = Path(shop().output).parent
    (folder / "taken").write_text("a file, where a folder is wanted")
    (folder / "folder").mkdir()
    with pytest.raises(ConfigError, match=f"tune.output: .*{words}"):
        tune(shop(tune={"output": str(folder / output)}))


def test_a_missing_scipy_is_told_before_the_work(shop: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "prepare", lambda *_: pytest.fail("the work had begun"))
    monkeypatch.setattr(job, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"fullshelf\[tune\]"):
        tune(shop())


def test_series_that_are_promised_a_service_are_left_out(shop: Callable[..., Any]) -> None:
    with pytest.raises(ConfigError, match="promises something to every series"):
        tune(shop(plan={"service": 0.95}))


def test_rounds_that_were_not_in_stock_teach_nothing(shop: Callable[..., Any], tables_of: Callable[..., Any]) -> None:
    """Half of what was wanted was sold in half of the weeks: orders must not shrink towards what was there to sell."""
    tables = tables_of(series=24, weeks=40)
    random = np.random.default_rng(1)
    short = pl.Series(random.random(tables["sales"].height) < 0.5)
    seen = pl.when(short).then((pl.col("units") / 2).floor()).otherwise("units")
    sales = tables["sales"].with_columns(units=seen, in_stock=pl.when(short).then(0.5).otherwise(1.0))
    settings = {"by": [], "rounds": 8, "judge": 6, "candidates": 30}
    (segment,) = tune(shop(tables | {"sales": sales}, tune=settings))["segments"]
    all_in_stock = sales.drop("in_stock")
    (other,) = tune(shop(tables | {"sales": all_in_stock}, "all", tune=settings))["segments"]
    assert segment["cost"] < 0.8 * other["cost"]  # about half of the rounds count
    assert segment["demand"] > 0.9


def test_a_trait_that_no_series_has_is_told(shop: Callable[..., Any]) -> None:
    with pytest.raises(InputError, match=r"tune\.by: category: no series has one"):
        tune(shop(tune={"by": ["category"], "rounds": 4, "judge": 4}))


def test_small_segments_keep_what_is_configured(shop: Callable[..., Any], biased: Callable[[float], None]) -> None:
    biased(0.6)
    found = tune(shop(tune={"by": [], "least": 41, "rounds": 4, "judge": 4}))
    assert not found["segments"][0]["kept"]
    assert found["segments"][0]["why"] == "40 series: tune.least asks for 41"


def test_under_limits_what_is_kept_must_win_together(
    shop: Callable[..., Any], biased: Callable[[float], None], tables_of: Callable[..., Any]
) -> None:
    biased(0.6)
    tables = tables_of(series=24, weeks=40)
    settings = {"by": [], "rounds": 6, "judge": 6, "candidates": 30}
    for amount, kept in ((1e6, True), (60.0, False)):  # room for all; room for a sixth of the demand, whatever is asked
        limits = pl.DataFrame({"resource": ["units"], "scope": ["all"], "amount": [amount]})
        found = tune(shop(tables | {"limits": limits}, f"limit-{kept}", tune=settings))
        assert found["limits"] == 1
        assert found["segments"][0]["kept"] is kept
        assert (found["saved"] > 0) is kept
    assert found["segments"][0]["why"].startswith("under the limits later rounds do not show it")
    assert found["saved"] == 0


def test_the_command_says_in_words_what_it_found(shop: Callable[..., Any], tables_of: Callable[..., Any]) -> None:
    config = shop(tables_of(series=24, weeks=40), tune={"rounds": 4, "judge": 4, "candidates": 30})
    folder = Path(config.output).parent
    done = CliRunner().invoke(app, ["tune", str(folder / "shop.yaml"), "--out", str(folder / "mine.yaml"), "--quiet"])
    assert done.exit_code == 0, done.output
    assert "24 series; tuned on 4 rounds" in done.stdout
    assert "all series" in done.stdout
    content = (folder / "mine.yaml").read_text()
    assert content.startswith("# Written by `fullshelf tune`. To obey it: plan: {tuned: mine.yaml}")
    assert [*yaml.safe_load(content)][:6] == ["period", "model", "fingerprint", "policy", "stockout", "by"]
    again = CliRunner().invoke(app, ["tune", str(folder / "shop.yaml"), "--set", "tune.by=[colour]", "--json"])
    assert again.exit_code == 2
    assert json.loads(again.stdout)["exit_code"] == 2
