"""The command line as a user meets it: exit codes, messages, JSON, and what bad input is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner, Result

from fullshelf.engine.cli import app


def call(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def orders(summary: dict[str, Any]) -> pl.DataFrame:
    return pl.read_parquet(Path(summary["folder"]) / "orders" / "*.parquet").sort("sku", "location")


def sales(shop: Any) -> Path:
    return shop.folder / "sales.parquet"


def empty_file(shop: Any) -> None:
    sales(shop).write_bytes(b"")


def truncated(shop: Any) -> None:
    sales(shop).write_bytes(sales(shop).read_bytes()[:500])


def no_rows(shop: Any) -> None:
    shop.tables["sales"].clear().write_parquet(sales(shop))


def missing_column(shop: Any) -> None:
    shop.tables["sales"].rename({"units": "unit"}).write_parquet(sales(shop))


def wrong_type(shop: Any) -> None:
    shop.tables["sales"].with_columns(units=pl.lit("many")).write_parquet(sales(shop))


def missing_file(shop: Any) -> None:
    sales(shop).unlink()


def no_csv_header(shop: Any) -> None:
    file = shop.folder / "sales.csv"
    shop.tables["sales"].write_csv(file, include_header=False)
    shop.config.write_text(shop.config.read_text().replace("sales.parquet", "sales.csv"))


def nothing_matches(shop: Any) -> None:
    shop.config.write_text(shop.config.read_text().replace("sales.parquet", "sales-*.parquet"))


def empty_folder(shop: Any) -> None:
    (shop.folder / "sales").mkdir()
    shop.config.write_text(shop.config.read_text().replace("sales.parquet", "sales"))


def only_future_dates(shop: Any) -> None:
    shop.config.write_text(shop.config.read_text() + "as_of: 2001-01-01\n")


def supply_without_lead_time(shop: Any) -> None:
    shop.tables["supply"].drop("lead_time").write_parquet(shop.folder / "supply.parquet")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (empty_file, ["sales.parquet", "empty"]),
        (truncated, ["sales.parquet", "Parquet"]),
        (no_rows, ["sales", "row"]),
        (missing_column, ["sales", "units", "unit"]),
        (wrong_type, ["sales", "units"]),
        (missing_file, ["sales.parquet", "exist"]),
        (no_csv_header, ["sales.csv", "header"]),
        (nothing_matches, ["sales-*.parquet"]),
        (empty_folder, ["sales"]),
        (only_future_dates, ["2001-01-01"]),
        (supply_without_lead_time, ["supply.parquet", "lead_time"]),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
@pytest.mark.parametrize("command", ["refresh", "check"])
def test_a_bad_file_is_exit_code_2_and_a_message_to_act_on(
    shop: Any, command: str, spoil: Callable[[Any], None], words: list[str]
) -> None:
    spoil(shop)
    result = call(command, shop.config)
    assert result.exit_code == 2, result.output
    for word in words:
        assert word in result.stderr
    assert "Traceback" not in result.output
    assert not list(shop.folder.glob("runs/*/"))


@pytest.mark.parametrize(
    ("rows", "table", "rule"),
    [
        ({"units": float("nan")}, "sales", "units"),
        ({"units": float("inf")}, "sales", "units"),
        ({"units": None}, "sales", "units"),
        ({"date": None}, "sales", "date"),
        ({"sku": None}, "sales", "sku"),
        ({"date": date(2090, 1, 1)}, "sales", "after_as_of"),
        ({"price": -1.0}, "sales", "price"),
    ],
)
def test_a_bad_row_goes_to_rejects_and_the_run_goes_on(shop: Any, rows: dict[str, Any], table: str, rule: str) -> None:
    good = shop.tables["sales"]
    bad = good.head(1).with_columns(**{k: pl.lit(v, dtype=good.schema[k]) for k, v in rows.items()})
    shop.tables["sales"] = pl.concat([good, bad])
    shop.settings["as_of"] = str(good["date"].max())
    shop.write()
    result = call("refresh", shop.config, "--json")
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    (entry,) = summary["rejected"]
    assert entry["table"] == table
    assert rule in entry["rule"]
    assert entry["rows"] == 1
    reject = pl.read_parquet(Path(summary["folder"]) / "rejects" / "*.parquet").row(0, named=True)
    assert reject["table"] == table


def test_duplicate_rows_are_summed_and_returns_stay_out_of_demand(shop: Any, tmp_path: Path) -> None:
    plain = json.loads(call("refresh", shop.config, "--json").stdout)
    halves = shop.tables["sales"].with_columns(units=pl.col("units") / 2)
    returns = shop.tables["sales"].head(10).with_columns(units=pl.lit(-3.0))
    shop.tables["sales"] = pl.concat([halves, halves, returns])
    shop.write()
    split = json.loads(call("refresh", shop.config, "--json").stdout)
    assert split["returns"] == {"rows": 10, "units": -30.0}
    orders = [
        pl.read_parquet(Path(s["folder"]) / "orders" / "*.parquet").sort("sku", "location") for s in (plain, split)
    ]
    assert orders[0].equals(orders[1])


@pytest.mark.parametrize(
    ("change", "rule"),
    [({"unit_cost": -1.0}, "unit_cost"), ({"pack_size": 0.0}, "pack_size"), ({"lead_time": None}, "lead_time")],
)
def test_bad_supply_rejects_the_row_and_its_series_is_named_not_lost(
    shop: Any, change: dict[str, Any], rule: str
) -> None:
    supply = shop.tables["supply"]
    first = supply.head(1).with_columns(**{k: pl.lit(v, dtype=supply.schema[k]) for k, v in change.items()})
    shop.tables["supply"] = pl.concat([first, supply.tail(-1)])
    shop.write()
    summary = json.loads(call("refresh", shop.config, "--json").stdout)
    rejects = pl.read_parquet(Path(summary["folder"]) / "rejects" / "*.parquet").sort("table")
    assert rejects["table"].to_list() == ["series", "supply"]
    assert rejects["rule"][0] == "no_supply"
    assert rule in rejects["rule"][1]
    assert summary["counts"]["tables"]["series"] == {"read": 24, "used": 23, "rejected": 1}
    assert summary["orders"]["rows"] == 23


def test_supply_of_unknown_series_is_rejected(shop: Any) -> None:
    stranger = shop.tables["supply"].head(1).with_columns(sku=pl.lit("stranger"))
    shop.tables["supply"] = pl.concat([shop.tables["supply"], stranger])
    shop.write()
    summary = json.loads(call("refresh", shop.config, "--json").stdout)
    assert summary["rejected"] == [{"table": "supply", "rule": "no_sales", "rows": 1}]


def test_check_reports_what_refresh_would_reject_and_writes_nothing(shop: Any) -> None:
    bad = shop.tables["sales"].head(2).with_columns(units=pl.lit(float("nan")))
    shop.tables["sales"] = pl.concat([shop.tables["sales"], bad])
    shop.write()
    before = sorted(shop.folder.rglob("*"))
    result = call("check", shop.config)
    assert result.exit_code == 0, result.output
    assert "sales.units_missing: 2 × units is empty" in result.stdout
    assert sorted(shop.folder.rglob("*")) == before


def test_check_shows_any_text_as_it_is_on_lines_that_do_not_break(shop: Any) -> None:
    odd = shop.tables["sales"].head(1).with_columns(sku=pl.lit("[/red]" + "x" * 90), units=pl.lit(float("nan")))
    shop.tables["sales"] = pl.concat([shop.tables["sales"], odd])
    shop.write()
    result = call("check", shop.config)
    assert result.exit_code == 0, result.output
    assert f"[/red]{'x' * 90}/north" in result.stdout


def test_check_says_what_a_refresh_would_miss(shop: Any) -> None:
    shop.tables["limits"] = pl.DataFrame({"resource": ["capital"], "scope": ["[/shop]"], "amount": [5.0]})
    del shop.tables["supply"]
    shop.write()
    result = call("check", shop.config)
    assert result.exit_code == 0, result.output
    assert "no table supply is configured" in result.stdout
    assert "a limit that is rejected does not hold" in result.stdout


def test_a_rejected_limit_is_said_at_the_end_of_the_run(shop: Any) -> None:
    limits = {"resource": ["capital", "units"], "scope": ["shop=1", "supplier=[/x]"], "amount": [5.0, 7.0]}
    shop.tables["limits"] = pl.DataFrame(limits)
    shop.write()
    result = call("refresh", shop.config)
    assert result.exit_code == 0, result.output
    assert "1 rejected, so they do not hold" in result.stdout
    assert "units of supplier=[/x]: 0.00 of 7.00 used" in result.stdout


def test_an_unknown_key_fails_with_the_nearest(shop: Any) -> None:
    result = call("refresh", shop.config, "--set", "plan.polcy=auto")
    assert result.exit_code == 2
    assert "did you mean 'policy'?" in result.stderr


def test_an_unknown_model_fails_with_the_nearest_before_anything_is_written(shop: Any) -> None:
    result = call("refresh", shop.config, "--set", "forecast.model=crostn")
    assert result.exit_code == 2
    assert "croston" in result.stderr
    assert not list(shop.folder.glob("runs/*/"))


def test_errors_are_json_where_json_is_asked_for(shop: Any) -> None:
    result = call("refresh", shop.folder / "none.yaml", "--json")
    assert result.exit_code == 2
    assert json.loads(result.stdout)["exit_code"] == 2


def test_a_finished_run_says_so(shop: Any) -> None:
    assert "orders in" in call("refresh", shop.config).stdout
    assert "Complete already" in call("refresh", shop.config).stdout


def test_forecast_writes_both_tables_alone(shop: Any, tmp_path: Path) -> None:
    out, totals = tmp_path / "F.parquet", tmp_path / "C.parquet"
    result = call(
        "forecast", "--sales", sales(shop), "--period", "week", "--horizon", 8, "--out", out, "--cumulative-out", totals
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    forecast, total = pl.read_parquet(out), pl.read_parquet(totals)
    assert forecast.columns == total.columns
    assert forecast.height == total.height == 24 * 8
    first, whole = (frame.filter(step=1).sort("sku", "location")["mean"] for frame in (forecast, total))
    assert (first - whole).abs().max() < 1e-3
    assert sorted(f.name for f in tmp_path.iterdir()) == ["C.parquet", "F.parquet", "shop"]


def test_forecast_ends_with_the_sale(shop: Any, tmp_path: Path) -> None:
    out, alone = tmp_path / "F.parquet", tmp_path / "alone.parquet"
    given = ("forecast", "--sales", sales(shop), "--period", "week", "--horizon", 4)
    call(*given, "--out", alone)
    forecast = pl.read_parquet(alone)
    sku, end = forecast["sku"][0], forecast["date"].unique().sort()[1]
    pl.DataFrame({"sku": [sku], "end_date": [end]}).write_parquet(tmp_path / "skus.parquet")
    result = call(*given, "--skus", tmp_path / "skus.parquet", "--out", out)
    assert result.exit_code == 0, result.output
    keys = ["sku", "location", "date"]
    found, before = (frame.sort(keys) for frame in (pl.read_parquet(out), forecast))
    over = (pl.col("sku") == sku) & (pl.col("date") > end)
    assert before.filter(over)["mean"].max() > 0
    assert found.filter(over)["q0.99"].max() == 0
    assert found.filter(~over).equals(before.filter(~over))


@pytest.mark.parametrize(
    "words",
    [
        ["--horizon", "0"],
        ["--as-of", "yesterday"],
        ["--period", "hour"],
        ["--out", "/none/F.parquet"],
        ["--cumulative-out", "F.parquet"],
        ["--cumulative-out", "C.csv"],
    ],
)
def test_wrong_options_are_exit_code_2(shop: Any, tmp_path: Path, words: list[str]) -> None:
    given = {"--sales": str(sales(shop)), "--period": "week", "--horizon": "8", "--out": str(tmp_path / "F.parquet")}
    given |= {words[0]: str(tmp_path / words[1]) if words[0] == "--cumulative-out" else words[1]}
    result = call("forecast", *(word for pair in given.items() for word in pair))
    assert result.exit_code == 2
    said = {"--out": "/none/F.parquet", "--cumulative-out": words[1]}.get(words[0], words[0].strip("-"))
    assert said in result.stderr
    assert sorted(f.name for f in tmp_path.iterdir()) == ["shop"]
