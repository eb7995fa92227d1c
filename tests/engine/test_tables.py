"""The contract as data: every rule of every table rejects what it says, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from fullshelf.engine.checks import check
from fullshelf.engine.errors import ConfigError
from fullshelf.engine.sources import find_files
from fullshelf.engine.tables import TABLES, explain, table_of

INF, NAN = float("inf"), float("nan")
COVARIATES = ("price", "promo", "rain")
GOOD: dict[str, dict[str, Any]] = {
    "sales": {
        "sku": "a",
        "location": "x",
        "date": date(2024, 1, 1),
        "units": 1.0,
        "in_stock": 1.0,
        "price": 2.0,
        "promo": 0.0,
        "rain": 3.0,
    },
    "supply": {
        "sku": "a",
        "location": "x",
        "unit_cost": 2.0,
        "unit_price": 3.0,
        "holding_cost": 0.1,
        "shortage_cost": 1.0,
        "salvage_value": 0.5,
        "order_cost": 1.0,
        "lead_time": 2.0,
        "lead_time_sd": 0.5,
        "review_period": 1.0,
        "moq": 1.0,
        "pack_size": 6.0,
        "max_stock": 90.0,
        "shelf_life": 30.0,
        "volume": 0.001,
        "supplier": "s",
    },
    "stock": {
        "sku": "a",
        "location": "x",
        "on_hand": 1.0,
        "on_order": 2.0,
        "backorders": 0.0,
        "arrivals": [{"step": 1, "units": 2.0}],
    },
    "skus": {
        "sku": "a",
        "title": "t",
        "description": "d",
        "category": "c/d",
        "launch_date": date(2024, 1, 1),
        "end_date": date(2025, 1, 1),
    },
    "future": {"sku": "a", "location": "x", "date": date(2024, 1, 9), "price": 2.0, "promo": 1.0, "rain": 0.0},
    "events": {"date": date(2024, 1, 1), "location": "x", "event": "fair"},
    "limits": {"resource": "capital", "scope": "supplier=s", "amount": 100.0},
    "overrides": {
        "sku": "a",
        "location": "x",
        "from": date(2024, 1, 1),
        "to": date(2024, 1, 9),
        "quantity": None,
        "factor": 1.5,
        "level": None,
        "who": "w",
        "why": "y",
    },
}


def bad_cells() -> Iterator[tuple[str, str, dict[str, Any], str | None]]:
    """Table, rule, the cells that break it, and the value that must stand in the reject."""
    for name, row in GOOD.items():
        for column in table_of(name, COVARIATES).columns:
            c = column.name
            if column.required:
                yield name, f"{c}_missing", {c: None}, None
                if column.kind == "text":
                    yield name, f"{c}_missing", {c: ""}, ""
                if column.kind == "number":
                    yield name, f"{c}_missing", {c: NAN}, "NaN"
            if column.kind == "date":
                yield name, f"{c}_out_of_range", {c: date(1900, 12, 31)}, "1900-12-31"
                yield name, f"{c}_out_of_range", {c: date(2200, 1, 1)}, "2200-01-01"
                yield name, f"{c}_unreadable", {c: "31.01.2024"}, "31.01.2024"
                yield name, f"{c}_unreadable", {c: "2024-02-30"}, "2024-02-30"
            if column.kind == "number":
                assert isinstance(row[c], float) or name == "overrides"  # of three one is given
                yield name, f"{c}_unreadable", {c: "1,5"}, "1,5"
                yield name, f"{c}_too_large", {c: column.largest * 1.01}, str(column.largest * 1.01)
                if not column.endless:
                    yield name, f"{c}_infinite", {c: INF}, "inf"
                if column.sign == "any":
                    yield name, f"{c}_too_large", {c: -column.largest * 1.01}, str(-column.largest * 1.01)
                if column.sign == "not negative":
                    yield name, f"{c}_negative", {c: -1.0}, "-1.0"
                if column.sign == "positive":
                    yield name, f"{c}_not_positive", {c: 0.0}, "0.0"
                if column.sign == "share":
                    yield name, f"{c}_outside_0_1", {c: 1.5}, "1.5"
                    yield name, f"{c}_outside_0_1", {c: -0.5}, "-0.5"
    for units, value in ((-1.0, "-1.0"), (NAN, "null"), (INF, "null")):
        text = f'{{"step":1,"units":{value}}}'
        yield "stock", "arrivals_unreadable", {"arrivals": [{"step": 1, "units": units}]}, text
    yield "stock", "arrivals_unreadable", {"arrivals": [{"step": 10**6, "units": 1.0}]}, '{"step":1000000,"units":1.0}'
    yield "supply", "interval_too_long", {"lead_time": 1000.0, "lead_time_sd": 9.0}, "1000.0"
    yield "supply", "interval_too_long", {"lead_time": 1024.0}, "1024.0"
    yield "supply", "unit_cost_missing", {"unit_cost": None, "holding_cost": None}, None
    yield "supply", "unit_cost_missing", {"unit_cost": NAN, "shortage_cost": None}, "NaN"
    yield "supply", "unit_price_missing", {"unit_price": None, "shortage_cost": None}, None
    yield "supply", "price_below_cost", {"unit_price": 1.9, "shortage_cost": None}, "1.9"
    yield "supply", "salvage_above_cost", {"salvage_value": 2.5}, "2.5"
    yield "limits", "resource_unknown", {"resource": "pallets"}, "pallets"
    yield "limits", "scope_unknown", {"scope": "colour=red"}, "colour=red"
    yield "limits", "scope_unknown", {"scope": "supplier="}, "supplier="
    yield "overrides", "change_missing", {"factor": None}, None
    yield "overrides", "change_twice", {"quantity": 1.0}, "1.0"
    yield "overrides", "to_before_from", {"to": date(2023, 12, 31)}, "2023-12-31"


CASES = list(bad_cells())


def checked(folder: Path, table: str, rows: list[dict[str, Any]]) -> Any:
    file = folder / f"{table}.parquet"
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    texts = {name for name, cells in columns.items() if any(isinstance(c, str) for c in cells)}
    frame = {n: [None if c is None else str(c) for c in cells] if n in texts else cells for n, cells in columns.items()}
    pl.DataFrame(frame).write_parquet(file)
    return check(table_of(table, COVARIATES), find_files(table, [str(file)]), {})


@pytest.mark.parametrize(("table", "rule", "cells", "value"), CASES, ids=lambda v: v if isinstance(v, str) else "")
def test_a_rule_rejects_the_row_that_breaks_it_and_no_other(
    tmp_path: Path, table: str, rule: str, cells: dict[str, Any], value: str | None
) -> None:
    result = checked(tmp_path, table, [GOOD[table], GOOD[table] | cells, GOOD[table]])
    (reject,) = result.rejects.to_dicts()
    assert (reject["table"], reject["rule"], reject["value"], reject["row"]) == (table, rule, value, 2)
    assert result.good["#row"].to_list() == [1, 3]
    assert result.read == 3


@pytest.mark.parametrize("table", GOOD)
def test_every_rule_of_a_table_has_a_case(table: str) -> None:
    contract = table_of(table, COVARIATES)
    rules = {rule.name for rule in contract.rules(dict.fromkeys(contract.names(), pl.String()))}
    assert rules == {rule for name, rule, _, _ in CASES if name == table}


def test_a_row_is_rejected_once_by_the_first_rule_that_it_breaks(tmp_path: Path) -> None:
    worst = dict.fromkeys(GOOD["sales"], None) | {"price": -1.0}
    result = checked(tmp_path, "sales", [GOOD["sales"], worst])
    assert result.rejects["rule"].to_list() == ["sku_missing"]


@pytest.mark.parametrize(
    ("table", "cells"),
    [
        ("sales", {"units": -3.0}),
        ("sales", {"price": None, "promo": NAN, "in_stock": None, "rain": NAN}),
        ("sales", {"in_stock": 1 + 1e-7}),
        ("supply", {"max_stock": INF, "shelf_life": INF}),
        ("supply", {"unit_cost": None, "unit_price": None, "salvage_value": None}),
        ("supply", {"holding_cost": None, "shortage_cost": None, "unit_price": 2.0}),
        ("supply", {"salvage_value": -1.0}),
        ("stock", {"arrivals": []}),
        ("stock", {"arrivals": None}),
        ("limits", {"scope": "category=a/b", "resource": "units"}),
        ("limits", {"scope": "all", "resource": "volume"}),
    ],
)
def test_what_is_unusual_but_sound_is_kept(tmp_path: Path, table: str, cells: dict[str, Any]) -> None:
    result = checked(tmp_path, table, [GOOD[table], GOOD[table] | cells])
    assert result.rejects.is_empty()
    assert result.good.height == 2


def test_the_key_names_the_row(tmp_path: Path) -> None:
    rows = [GOOD["sales"] | {"units": None, "sku": sku, "location": at} for sku, at in (("a", "x"), ("b", None))]
    assert checked(tmp_path, "sales", [GOOD["sales"], *rows]).rejects["key"].to_list() == ["a/x", "b/all"]
    event = GOOD["events"] | {"event": None, "location": None}
    assert checked(tmp_path, "events", [GOOD["events"], event]).rejects["key"].to_list() == ["2024-01-01"]


def test_every_rule_can_be_explained() -> None:
    for table, rule, _, _ in CASES:
        assert len(explain(table, rule, COVARIATES)) > 10
    assert explain("series", "no_supply") == "the series has no usable row in supply, so nothing can be ordered"
    with pytest.raises(KeyError, match="did you mean 'units_missing'"):
        explain("sales", "units_mising")


@pytest.mark.parametrize("name", ["sku", "units", "in_stock"])
def test_a_covariate_cannot_take_the_name_of_a_contract_column(name: str) -> None:
    with pytest.raises(ConfigError, match=f"covariates: '{name}' is a column of the sales table"):
        table_of("sales", [name])


def test_the_tables_are_those_of_the_contract() -> None:
    assert set(TABLES) == set(GOOD)
