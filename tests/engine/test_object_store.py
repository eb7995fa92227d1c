"""Inputs in an object store: listed by obstore, read by Polars, from a real S3 API."""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from fullshelf.engine import storage
from fullshelf.engine.config import parse_config
from fullshelf.engine.errors import InputError
from fullshelf.engine.intake import prepare
from fullshelf.engine.storage import Remote

DAY = date(2024, 1, 1)


@pytest.fixture
def bucket(s3: Any, tmp_path: Path) -> Remote:
    return Remote("s3://bucket", tmp_path)


def put(table: dict[str, list[Any]], file: Remote, tmp_path: Path) -> None:
    pl.DataFrame(table).write_parquet(tmp_path / "table.parquet")
    file.send(tmp_path / "table.parquet")


@pytest.mark.parametrize(
    "where", ["sales", "sales/", "sales/*.parquet", "sales/a.parquet", "s*/[a-c].parq?et", "**/a.parquet"]
)
def test_sales_of_an_object_store_are_read_and_followed(bucket: Remote, tmp_path: Path, where: str) -> None:
    put({"sku": ["a"], "date": [DAY], "units": [2.0]}, bucket / "sales" / "a.parquet", tmp_path)
    (bucket / "sales" / "_SUCCESS").send(b"")
    (bucket / "sales-of-others.parquet").send(b"not ours")
    (bucket / "stock.csv").send(b"sku;on_hand\na;7\n")
    inputs = {"sales": f"s3://bucket/{where}", "stock": "s3://bucket/stock.csv"}
    config = parse_config({"period": "day", "inputs": inputs}, base=tmp_path)
    first = prepare(config, tmp_path / "cache")
    given = first.read(0, 1)
    assert given.panel.units.tolist() == [2]
    assert given.stock["on_hand"].to_list() == [7]
    assert prepare(config, tmp_path / "cache").fingerprint == first.fingerprint
    put({"sku": ["a"] * 2, "date": [DAY] * 2, "units": [2.0, 3.0]}, bucket / "sales" / "a.parquet", tmp_path)
    second = prepare(config, tmp_path / "cache")
    assert second.fingerprint != first.fingerprint
    assert second.read(0, 1).panel.units.tolist() == [5]


def test_folders_of_a_store_that_are_named_key_value_are_columns(bucket: Remote, tmp_path: Path) -> None:
    for location, units in (("north", 2.0), ("south", 3.0)):
        put({"sku": ["a"], "date": [DAY], "units": [units]}, bucket / f"sales/location={location}/x.parquet", tmp_path)
    config = parse_config({"period": "day", "inputs": {"sales": "s3://bucket/sales"}}, base=tmp_path)
    panel = prepare(config, tmp_path / "cache").read(0, 1).panel
    assert dict(zip(panel.keys["location"], panel.units.tolist(), strict=True)) == {"north": 2.0, "south": 3.0}


def read(sales: str, tmp_path: Path) -> None:
    prepare(parse_config({"period": "day", "inputs": {"sales": sales}}, base=tmp_path), tmp_path / "cache")


def test_a_store_that_does_not_hold_the_file_says_so(bucket: Remote, s3: Any, tmp_path: Path) -> None:
    (bucket / "a.parquet").send(b"x")
    with pytest.raises(InputError, match=r"inputs.sales: s3://bucket/b.parquet: no file matches; check the address"):
        read("s3://bucket/b.parquet", tmp_path)
    with pytest.raises(InputError, match=r"inputs.sales: s3://elsewhere/b.parquet: .*NoSuchBucket.*check the address"):
        read("s3://elsewhere/b.parquet", tmp_path)
    with pytest.raises(InputError, match=r"s3://bucket/a.parquet: cannot be read \(.*\); check the file, the address"):
        read("s3://bucket/a.parquet", tmp_path)


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_a_store_that_refuses_is_an_input_error(bucket: Remote, s3: Any, tmp_path: Path, method: str) -> None:
    (bucket / "a.csv").send(b"sku,date,units\na,2024-01-01,1\n")
    s3.refuse = lambda asked, name: asked == method
    with pytest.raises(InputError, match=r"s3://bucket/a.csv: cannot be .*403.*check the address and the credentials"):
        read("s3://bucket/a.csv", tmp_path)


def test_a_missing_library_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    storage._client.cache_clear()
    with pytest.raises(InputError, match=r"not installed: pip install 'fullshelf\[store\]'"):
        read("s3://bucket/a.parquet", tmp_path)
