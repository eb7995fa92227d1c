from pathlib import Path

import polars as pl

from fullshelf.engine.config import load_config
from fullshelf.engine.demo import LOCATIONS, PERIODS, SERIES, make_demo
from fullshelf.engine.intake import check


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_the_demo_is_a_small_marketplace_with_a_configuration(tmp_path: Path):
    config = load_config(make_demo(tmp_path, dirty=False))
    inputs = {name: pl.read_parquet(Path(paths[0]) / "*.parquet") for name, paths in config.inputs.given().items()}
    assert inputs["supply"].height == inputs["stock"].height == SERIES
    assert inputs["skus"].height == SERIES // LOCATIONS
    assert inputs["sales"]["date"].max() == config.as_of
    assert (config.as_of - inputs["sales"]["date"].min()).days == PERIODS - 1
    assert inputs["sales"].null_count().sum_horizontal().item() == 0


def test_the_demo_has_bad_rows_in_three_tables_unless_told_otherwise(tmp_path: Path):
    make_demo(tmp_path / "clean", dirty=False)
    make_demo(tmp_path / "dirty")
    clean, dirty = files(tmp_path / "clean"), files(tmp_path / "dirty")
    assert clean.items() <= dirty.items()
    assert {name.split("/")[0] for name in dirty.keys() - clean.keys()} == {"sales", "supply", "stock"}


def test_each_bad_row_of_the_demo_is_rejected_and_no_other(tmp_path: Path):
    clean = check(load_config(make_demo(tmp_path / "clean", dirty=False))).as_dict()
    dirty = check(load_config(make_demo(tmp_path / "dirty"))).as_dict()
    assert {name: count["rejected"] for name, count in clean["counts"].items() if count["rejected"]} == {}
    rejected = {name: count["rejected"] for name, count in dirty["counts"].items() if count["rejected"]}
    assert rejected == {"sales": 7, "supply": 4, "stock": 1}
    assert clean["counts"]["sales"]["used"] == dirty["counts"]["sales"]["used"]


def test_the_demo_made_twice_is_the_same(tmp_path: Path):
    make_demo(tmp_path)
    first = files(tmp_path)
    make_demo(tmp_path)
    assert files(tmp_path) == first
