"""Supply, stock and product texts by series: defaults, who wins, and rows that belong to nobody."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from fullshelf.engine.checks import Checked, check
from fullshelf.engine.errors import InputError
from fullshelf.engine.series_tables import (
    Series,
    SeriesTable,
    check_skus,
    check_stock,
    check_supply,
    sku_frame,
    stock_frame,
    supply_frame,
)
from fullshelf.engine.sources import find_files
from fullshelf.engine.tables import SKUS, STOCK, SUPPLY, Table

KEYS = pl.DataFrame({"sku": ["a", "a", "b"], "location": ["x", "y", "x"]})
LATER = pl.DataFrame({"sku": ["later"], "location": ["x"]})
SERIES = Series(KEYS, lambda: pl.concat([KEYS, LATER]))


@pytest.fixture
def table(tmp_path: Path) -> Any:
    def make(of: Table, **columns: list[Any]) -> Checked:
        file = tmp_path / f"{of.name}.parquet"
        pl.DataFrame(columns).write_parquet(file)
        return check(of, find_files(of.name, [str(file)]), {})

    return make


def supply(table: Any, **columns: list[Any]) -> Checked:
    n = len(columns["sku"])
    given = {"unit_cost": [2.0] * n, "unit_price": [5.0] * n, "lead_time": [1] * n} | columns
    return check_supply(table(SUPPLY, **given), SERIES, holding_rate=0.25, per_year=12.0)


def rules(checked: Checked) -> list[tuple[int, str]]:
    return list(checked.rejects.sort("row").select("row", "rule").iter_rows())


def test_a_row_for_the_location_wins_over_one_for_all(table: Any) -> None:
    checked = supply(table, sku=["a", "a", "b"], location=[None, "y", ""], lead_time=[1, 2, 3])
    assert rules(checked) == []
    found = supply_frame(SeriesTable(checked.good), KEYS)
    assert found["lead_time"].to_list() == [1, 2, 3]
    assert found["planned"].all()


def test_a_table_without_locations_stands_for_all_of_them(table: Any) -> None:
    found = supply_frame(SeriesTable(supply(table, sku=["a"]).good), KEYS)
    assert found["lead_time"].to_list() == [1, 1, None]
    assert found["planned"].to_list() == [True, True, False]


def test_what_is_not_given_has_its_default_or_is_derived(table: Any) -> None:
    row = SeriesTable(supply(table, sku=["a"]).good).rows.row(0, named=True)
    assert row["holding_cost"] == pytest.approx(2.0 * 0.25 / 12)
    assert row["shortage_cost"] == 3.0
    zero = {name: row[name] for name in ("salvage_value", "order_cost", "lead_time_sd", "moq")}
    assert set(zero.values()) == {0.0}
    assert (row["review_period"], row["pack_size"]) == (1.0, 1.0)
    assert [row[name] for name in ("max_stock", "shelf_life", "volume", "supplier")] == [None] * 4


def test_what_is_given_is_not_derived(table: Any) -> None:
    given = {"holding_cost": [0.7], "shortage_cost": [0.1], "max_stock": [float("inf")], "pack_size": [float("nan")]}
    row = supply(table, sku=["a"], **given).good.row(0, named=True)
    assert (row["holding_cost"], row["shortage_cost"], row["max_stock"], row["pack_size"]) == (0.7, 0.1, None, 1.0)


def test_second_rows_and_rows_of_strangers_are_rejected(table: Any) -> None:
    checked = supply(table, sku=["a", "a", "a", "b", "c", "c"], location=["x", None, "x", "z", "x", None])
    assert rules(checked) == [(3, "duplicate"), (4, "no_sales"), (5, "no_sales"), (6, "no_sales")]
    assert checked.rejects.sort("row")["key"].to_list() == ["a/x", "b/z", "c/x", "c"]
    assert checked.rejects.sort("row")["value"].to_list() == ["x", "b", "c", "c"]


def test_a_table_none_of_whose_keys_is_known_says_how_both_are_written(table: Any) -> None:
    with pytest.raises(
        InputError, match=r"inputs.supply: none of 2 rows belongs .* sku 'A', location None; .* sku 'a', l"
    ):
        supply(table, sku=["A", "B"])
    with pytest.raises(InputError, match=r"inputs.stock: none of 1 rows belongs to a series with sales"):
        check_stock(table(STOCK, sku=["A"], location=["x"], on_hand=[1]), SERIES)


def test_a_table_of_items_that_are_sold_only_later_is_no_mistake(table: Any) -> None:
    assert rules(supply(table, sku=["later"])) == [(1, "no_sales")]


def test_without_a_table_nothing_is_planned_and_nothing_known() -> None:
    found = supply_frame(None, KEYS)
    assert found.columns == [*(c.name for c in SUPPLY.columns[2:]), "planned"]
    assert found.schema["unit_cost"] == pl.Float64
    assert not found["planned"].any()
    stock = stock_frame(None, KEYS)
    assert stock.rows() == [(0.0, 0.0, 0.0, [], False)] * 3
    assert sku_frame(None, KEYS).rows() == [(None,) * len(SKUS.columns[1:])] * 3


def test_both_ways_give_the_same_columns_and_types(table: Any) -> None:
    tables = (
        (supply_frame, supply(table, sku=["a"])),
        (stock_frame, check_stock(table(STOCK, sku=["b"], on_hand=[1]), SERIES)),
        (sku_frame, check_skus(table(SKUS, sku=["a"]), SERIES)),
    )
    for frame, checked in tables:
        assert frame(SeriesTable(checked.good), KEYS).schema == frame(None, KEYS).schema


def test_stock_is_zero_where_no_row_stands(table: Any) -> None:
    arrivals = [[{"step": 1, "units": 2.0}, {"step": 3, "units": 4.0}], []]
    checked = check_stock(
        table(STOCK, sku=["a", "b"], location=["x", "x"], on_hand=[7, 8], on_order=[1.0, 9.0], arrivals=arrivals),
        SERIES,
    )
    assert stock_frame(SeriesTable(checked.good), KEYS).rows() == [
        (7.0, 6.0, 0.0, arrivals[0], True),
        (0.0, 0.0, 0.0, [], False),
        (8.0, 9.0, 0.0, [], True),
    ]


def test_stock_without_location_belongs_to_the_only_one(table: Any) -> None:
    checked = check_stock(table(STOCK, sku=["a", "b"], location=[None, None], on_hand=[7, 8]), SERIES)
    assert rules(checked) == [(1, "location_missing")]
    assert stock_frame(SeriesTable(checked.good), KEYS)["on_hand"].to_list() == [0, 0, 8]


def test_a_row_by_location_and_one_without_are_the_same_row_where_there_is_one_location(table: Any) -> None:
    checked = check_stock(table(STOCK, sku=["b", "b", "a"], location=["x", None, "x"], on_hand=[7, 8, 9]), SERIES)
    assert rules(checked) == [(2, "duplicate")]


def test_stock_that_cannot_be_placed_at_all_stops_the_run(table: Any) -> None:
    with pytest.raises(
        InputError, match=r"inputs.stock: no row names a location, .*columns: \{stock: \{YOUR_COLUMN: loc"
    ):
        check_stock(table(STOCK, sku=["a"], on_hand=[7]), SERIES)


def test_texts_belong_to_every_location_of_an_item(table: Any) -> None:
    checked = check_skus(
        table(SKUS, sku=["a", "a", "c"], title=["tea", "Tea", "rum"], category=["", None, "x"]), SERIES
    )
    assert rules(checked) == [(2, "duplicate"), (3, "no_sales")]
    found = sku_frame(SeriesTable(checked.good), KEYS)
    assert found["title"].to_list() == ["tea", "tea", None]
    assert found["category"].to_list() == [None] * 3
