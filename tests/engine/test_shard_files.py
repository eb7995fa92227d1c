"""Rows in any order become shard files: each row once, sorted, whatever the buffers, batches and threads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fullshelf.engine import shard_files
from fullshelf.engine.errors import RunError
from fullshelf.engine.series_numbers import SeriesNumbers, key_columns, key_hashes
from fullshelf.engine.shard_files import DAY_ZERO, FILE, ShardFiles, Splitter, shard_path


def batch(rows: list[tuple[str, str, int, float]]) -> pl.DataFrame:
    schema = {"sku": pl.String, "location": pl.String, "date": pl.Int32, "units": pl.Float32}
    frame = pl.DataFrame(rows, schema=schema, orient="row").with_columns(pl.col("date").cast(pl.Date))
    return frame.with_columns(key_columns(pl.col("sku"), pl.col("location")))


def split(
    folder: Path, rows: list[tuple[str, str, int, float]], shards: int, step: int = 7, files: int = 1
) -> ShardFiles:
    splitter = Splitter(folder, shards, ("units",), 2, lambda: None)
    for at in range(0, len(rows), step):
        days = splitter.add(batch(rows[at : at + step]), at // step % files)
        assert days.tolist() == [row[2] - DAY_ZERO for row in rows[at : at + step]]
    return splitter.finish(lambda done, of: None)


def joined(shards: ShardFiles) -> list[tuple[str, str, int, float]]:
    """All rows in the order of the shard files, with their keys."""
    out = []
    for shard in range(shards.shards):
        rows, keys = shards.rows(shard), shards.keys(shard)
        if rows is None:
            assert keys.is_empty()
            continue
        names = [key for *key, n, _ in keys.rows() for _ in range(n)]
        assert len(names) == rows.height
        days = rows["date"].to_physical().to_list()
        out += [(sku, at, day, u) for (sku, at), day, u in zip(names, days, rows["units"].to_list(), strict=True)]
    return out


skus = st.sampled_from(["a", "b", "ä", "long-name-of-an-item"])
days, units = st.integers(-20000, 60000), st.integers(0, 99).map(float)
rows = st.lists(st.tuples(skus, st.sampled_from(["x", "all"]), days, units), max_size=40)


@settings(max_examples=30, deadline=None)
@given(rows, st.sampled_from([1, 3, 8]), st.integers(1, 9))
def test_every_row_lies_once_in_its_shard_sorted_by_series_and_day(
    tmp_path_factory: Any, rows: list[tuple[str, str, int, float]], shards: int, step: int
) -> None:
    result = split(tmp_path_factory.mktemp("split") / "x", rows, shards, step)
    hashes = key_hashes(
        pl.Series([r[0] for r in rows], dtype=pl.String), pl.Series([r[1] for r in rows], dtype=pl.String)
    )
    place = {(r[0], r[1]): int(h % np.uint64(shards)) for r, h in zip(rows, hashes, strict=True)}
    assert joined(result) == sorted(rows, key=lambda r: (place[r[:2]], r[0].encode(), r[1].encode(), r[2]))
    firsts = {key: min(r[2] for r in rows if r[:2] == key) for key in place}
    for sku, at, n, first in result.keys().with_columns(pl.col("first").to_physical()).rows():
        assert first == firsts[sku, at]
        assert n == sum(r[:2] == (sku, at) for r in rows)


def test_small_buffers_and_many_batches_change_no_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(5)
    rows = [(f"s{draw.integers(40)}", "all", int(draw.integers(19000, 19400)), float(i)) for i in range(3000)]
    split(tmp_path / "large", rows, 4, step=3000)
    monkeypatch.setattr(shard_files, "BUFFER_BYTES", 500)
    split(tmp_path / "small", rows, 4, step=17)
    for file in (tmp_path / "large").iterdir():
        assert file.read_bytes() == (tmp_path / "small" / file.name).read_bytes()


def test_rows_know_their_file_where_there_are_several(tmp_path: Path) -> None:
    rows = [("a", "x", day, float(day)) for day in range(10)]
    several = split(tmp_path / "several", rows, 1, step=1, files=3).rows(0)
    assert several is not None
    assert several[FILE].to_list() == [i % 3 for i in range(10)]
    one = split(tmp_path / "one", rows, 1).rows(0)
    assert one is not None
    assert FILE not in one.columns


def test_no_rows_give_no_files_but_a_whole_folder(tmp_path: Path) -> None:
    empty = split(tmp_path / "x", [], 3)
    assert empty.is_whole()
    assert empty.keys().is_empty()
    assert [empty.rows(shard) for shard in range(3)] == [None] * 3


def test_a_truncated_or_missing_shard_file_is_noticed(tmp_path: Path) -> None:
    shards = split(tmp_path / "x", [("a", "x", 1, 1.0)], 1)
    file = shard_path(shards.folder, 0)
    assert shards.is_whole()
    file.write_bytes(file.read_bytes()[:-1])
    assert not shards.is_whole()
    with pytest.raises(RunError, match=r"a shard file is damaged or gone .*delete this folder and call again"):
        shards.rows(0)
    file.unlink()
    assert not shards.is_whole()


def test_the_end_can_be_asked_for_while_sorting(tmp_path: Path) -> None:
    asked = iter([False, True, True, True])

    def stop() -> None:
        if next(asked):
            raise KeyboardInterrupt

    splitter = Splitter(tmp_path / "x", 2, ("units",), 1, stop)
    splitter.add(batch([("a", "x", 1, 1.0)]), 0)
    with pytest.raises(KeyboardInterrupt):
        splitter.finish(lambda done, of: None)


def test_numbers_hold_through_the_growth_of_the_table_and_of_the_shards() -> None:
    numbers = SeriesNumbers(7)
    keys = pl.DataFrame({"sku": [f"s{i}" for i in range(100_000)]}).with_columns(location=pl.lit("x"))
    keys = keys.with_columns(key_columns(pl.col("sku"), pl.col("location")))
    first = [numbers.number(keys[at : at + 30_000]) for at in range(0, 100_000, 30_000)]
    assert np.concatenate(first).tolist() == list(range(100_000))
    assert numbers.number(keys.reverse()).tolist() == list(range(99_999, -1, -1))
    expected = key_hashes(keys["sku"], keys["location"]) % np.uint64(7)
    assert (numbers.shard_of[:100_000] == expected).all()
    table, rank = numbers.keys()
    assert table.equals(table.sort("shard", "sku", "location"))
    begins = np.searchsorted(table["shard"].to_numpy(), np.arange(7))
    for number in (0, 5, 70_000, 99_999):
        assert table["sku"][int(begins[numbers.shard_of[number]] + rank[number])] == f"s{number}"
