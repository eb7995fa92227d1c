"""One file: renamed columns, CSV as people write it, and what is wrong with a file as a whole."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from fullshelf.engine.checks import check
from fullshelf.engine.errors import InputError
from fullshelf.engine.sources import find_files
from fullshelf.engine.tables import SALES, STOCK, SUPPLY, Table

DAY = date(2024, 1, 31)
ROW = {"sku": ["a"], "date": [DAY], "units": [1.0]}


def read(path: Path, rename: dict[str, str] | None = None, table: Table = SALES) -> Any:
    return check(table, find_files(table.name, [str(path)]), rename or {})


def csv(folder: Path, text: str, name: str = "sales.csv") -> Path:
    file = folder / name
    file.write_bytes(text.encode())
    return file


def parquet(folder: Path, **columns: Any) -> Path:
    file = folder / "sales.parquet"
    pl.DataFrame(ROW | columns).write_parquet(file)
    return file


@pytest.mark.parametrize(
    "text",
    [
        "sku,date,units\na,2024-01-31,1\n",
        "sku;date;units\na;2024-01-31;1\n",
        "sku\tdate\tunits\na\t2024-01-31\t1",
        "\ufeffsku,date,units\r\na,2024-01-31,1\r\n",
        '"sku", "date" ,units\n"a",2024-01-31, 1 \n',
        "date,colour,units,sku\n2024-01-31,red,1.0,a\n",
        "sku,date,units\na,2024-01-31T23:59:59,1e0\n",
        "sku,date,units\na,2024-01-31 00:00,+1,\n",
    ],
    ids=["comma", "semicolon", "tab", "windows", "quotes and blanks", "other order", "moment", "comma at the end"],
)
def test_csv_is_read_as_people_write_it(tmp_path: Path, text: str) -> None:
    good = read(csv(tmp_path, text)).good
    assert good.select("sku", "date", "units").rows() == [("a", DAY, 1.0)]


def test_a_share_may_be_true_or_false(tmp_path: Path) -> None:
    text = (
        "sku,date,units,in_stock\na,2024-01-31,1,True\na,2024-01-31,1,false\na,2024-01-31,1,0.5\na,2024-01-31,1,maybe"
    )
    result = read(csv(tmp_path, text))
    assert result.good["in_stock"].to_list() == [1, 0, 0.5]
    assert result.rejects["rule"].to_list() == ["in_stock_unreadable"]


def test_packed_csv_is_read(tmp_path: Path) -> None:
    text = b"sku,date,units\na,2024-01-31,1\n"
    (tmp_path / "sales.csv.gz").write_bytes(gzip.compress(text))
    pl.DataFrame(ROW).write_csv(tmp_path / "sales.csv.zst", compression="zstd")
    for name in ("sales.csv.gz", "sales.csv.zst"):
        assert read(tmp_path / name).good.select("sku", "date", "units").rows() == [("a", DAY, 1.0)]


def test_bad_lines_of_a_csv_file_are_rejected_by_line(tmp_path: Path) -> None:
    lines = ["a,2024-01-31,1"] * 5000 + ["b,2024-01-31,1,5", "c,2024-01-31", "d,2024-01-31,NA", "e,2024-01-31,one"]
    result = read(csv(tmp_path, "\n".join(["sku,date,units", *lines, "a,2024-01-31,1"])))
    assert result.rejects.rows() == [
        ("sales", "b/all", "surplus_fields", "5", 5001),
        ("sales", "c/all", "units_missing", None, 5002),
        ("sales", "d/all", "units_missing", "NA", 5003),
        ("sales", "e/all", "units_unreadable", "one", 5004),
    ]
    assert result.good.height == 5001


@pytest.mark.parametrize(
    "cells",
    [
        {"date": [datetime(2024, 1, 31, 23, 59)]},
        {
            "date": pl.Series([datetime(2024, 1, 31, 23, 59, tzinfo=UTC)])
            .dt.convert_time_zone("Europe/Rome")
            .dt.offset_by("-3h")
        },
        {"date": ["2024-01-31"]},
        {"units": [1]},
        {"units": [True]},
        {"units": [Decimal("1.00")]},
        {"units": ["1"]},
        {"units": pl.Series([1.0], dtype=pl.Float32)},
        {"sku": pl.Series(["a"], dtype=pl.Categorical())},
        {"sku": pl.Series(["a"], dtype=pl.Enum(["a", "b"]))},
        {"location": pl.Series([None], dtype=pl.Null)},
    ],
    ids=str,
)
def test_columns_of_other_types_are_read(tmp_path: Path, cells: dict[str, Any]) -> None:
    assert read(parquet(tmp_path, **cells)).good.select("sku", "date", "units").rows() == [("a", DAY, 1.0)]


@pytest.mark.parametrize("sku", [[17, 4], [17.0, 4.0], ["17", "4"]], ids=str)
def test_numbers_as_skus_become_the_same_text(tmp_path: Path, sku: list[Any]) -> None:
    file = tmp_path / "sales.parquet"
    pl.DataFrame({"sku": sku, "date": [DAY, DAY], "units": [1, 2]}).write_parquet(file)
    assert read(file).good["sku"].to_list() == ["17", "4"]


def test_columns_are_renamed_and_a_renamed_column_replaces_one_of_that_name(tmp_path: Path) -> None:
    file = tmp_path / "sales.parquet"
    pl.DataFrame({"item": ["a"], "sku": ["old"], "day": [DAY], "qty": [1.0]}).write_parquet(file)
    good = read(file, {"item": "sku", "day": "date", "qty": "units"}).good
    assert good.select("sku", "date", "units").rows() == [("a", DAY, 1.0)]


def test_a_folder_of_keys_gives_columns_that_the_files_lack(tmp_path: Path) -> None:
    for day in ("2024-01-30", "2024-01-31"):
        (tmp_path / f"date={day}").mkdir()
        pl.DataFrame({"sku": ["a"], "units": [1]}).write_parquet(tmp_path / f"date={day}" / "x.parquet")
    assert read(tmp_path).good["date"].to_list() == [date(2024, 1, 30), DAY]


def test_rows_are_counted_over_all_files_in_the_order_of_their_paths(tmp_path: Path) -> None:
    for name, units in (("b", [1.0, None]), ("a", [None, 1.0, 2.0])):
        pl.DataFrame({"sku": ["s"] * len(units), "date": [DAY] * len(units), "units": units}).write_parquet(
            tmp_path / f"{name}.parquet"
        )
    assert read(tmp_path).rejects["row"].to_list() == [1, 5]


def spoiled(change: Callable[[bytes], bytes]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        file = parquet(folder, note=["x" * 1000])
        file.write_bytes(change(file.read_bytes()))
        return file

    return make


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            spoiled(lambda b: b[: len(b) // 2]),
            r"sales.parquet: not a readable Parquet file .*truncated: export it again",
        ),
        (spoiled(lambda b: b[:4]), "not a readable Parquet file"),
        (spoiled(lambda b: b"PAR1" + bytes(60) + b[64:]), "not a readable Parquet file"),
        (lambda d: csv(d, "", "sales.csv"), r"sales.csv: the file is empty; was its export cut short\?"),
        (lambda d: csv(d, "sku,date,units\n"), r"inputs.sales: no rows in .*sales.csv; was the export cut short\?"),
        (lambda d: csv(d, "sku,date,units,sku\n1,2,3,4\n"), "the header names column 'sku' twice"),
        (
            lambda d: csv(d, "sku,date,unit\na,2024-01-31,1\n"),
            r"needs a column 'units' \(units sold in the period\), found sku, date, unit. Is it 'unit'\? .*\{unit: un",
        ),
        (
            lambda d: csv(d, "a,2024-01-31,1\nb,2024-01-31,1\n"),
            r"needs a column 'sku' .* must begin with a header, a line .*\{sales: \{YOUR_COLUMN: sku\}\}",
        ),
        (lambda d: parquet(d, units=[[1]]), r"column 'units' of table sales has type List\(Int64\), expected numbers"),
        (lambda d: parquet(d, date=[20240131]), "column 'date' of table sales has type Int64, expected dates"),
        (lambda d: parquet(d, sku=[b"a"]), "column 'sku' of table sales has type Binary, expected text"),
        (
            lambda d: parquet(d, units=["many"]),
            r"no cell of column 'units' of table sales .* units is not a number .*; the first is 'many'\. Write",
        ),
        (lambda d: parquet(d, date=["31/01/2024"]), "no cell of column 'date' .* is not a date such as 2024-01-31"),
        (
            lambda d: csv(d, "SKU,Date,Units\na,2024-01-31,1\n"),
            r"needs a column 'sku' \(the item\), found SKU, Date, Units. Is it 'SKU'\? .*\{SKU: sku\}",
        ),
        (
            lambda d: csv(d, "s\0k\0u\0", "sales.txt"),
            "sales.txt: neither Parquet nor text in UTF-8; save it as CSV in UTF-8",
        ),
    ],
)
def test_a_file_that_cannot_be_used_says_what_is_wrong_and_what_to_do(
    tmp_path: Path, make: Callable[[Path], Path], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        read(make(tmp_path))


def test_text_that_is_not_utf8_says_so(tmp_path: Path) -> None:
    file = tmp_path / "sales.csv"
    file.write_bytes("sku,date,units\nCafé,2024-01-31,1\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"not a readable CSV file .*save it as UTF-8"):
        read(file)


def test_a_rename_of_a_column_that_no_file_has_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"columns.sales: no file of this table has a column 'stocked' \(mapped to"):
        read(parquet(tmp_path), {"stocked": "in_stock"})


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"unit_price": [1.0]},
            "table supply needs unit_cost or holding_cost and shortage_cost, found sku, lead_time, unit_p",
        ),
        ({"unit_cost": [1.0]}, "table supply needs unit_price or shortage_cost, found sku, lead_time, unit_cost; add"),
    ],
)
def test_supply_without_the_columns_that_make_costs_says_which(
    tmp_path: Path, columns: dict[str, Any], message: str
) -> None:
    file = tmp_path / "supply.parquet"
    pl.DataFrame({"sku": ["a"], "lead_time": [1], **columns}).write_parquet(file)
    with pytest.raises(InputError, match=message):
        read(file, table=SUPPLY)


def test_an_empty_stock_table_stops_the_run_for_it_would_order_everything(tmp_path: Path) -> None:
    file = tmp_path / "stock.parquet"
    pl.DataFrame(schema={"sku": pl.String, "on_hand": pl.Float64}).write_parquet(file)
    with pytest.raises(InputError, match=r"inputs.stock: no rows in"):
        read(file, table=STOCK)


def test_arrivals_are_read_from_json_text(tmp_path: Path) -> None:
    file = tmp_path / "stock.csv"
    lists = ['"[{""step"": 2, ""units"": 3.5}]"', "", "[]", '"[{""step"": 1.5, ""units"": 1}]"', "soon"]
    lists += [f'"[{{""step"": 1, ""units"": {"9" * 400}}}]"', '"' + "[" * 100_000 + '"']
    file.write_text("\n".join(["sku,on_hand,arrivals", *(f"{i},1,{text}" for i, text in enumerate(lists))]))
    result = read(file, table=STOCK)
    assert result.good["arrivals"].to_list() == [[{"step": 2, "units": 3.5}], None, []]
    assert result.rejects["rule"].to_list() == ["arrivals_unreadable"] * 4
