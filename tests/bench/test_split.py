from pathlib import Path

import pytest

from fullshelf.bench import polars_peer
from fullshelf.bench.machine import Limits, this_machine
from fullshelf.bench.result import OURS
from fullshelf.bench.split import measure_split


def test_the_split_is_measured_beside_polars_on_the_same_rows(tmp_path: Path):
    limits = Limits(1e9, 1e8, 1e8)
    report = measure_split(this_machine(), limits, tmp_path, 60, periods=40, repeats=2, say=lambda line: None)
    ours, again, *peers = report.rows
    assert (ours.who, again.who) == (OURS, OURS)
    assert ours.timing is not None
    assert again.timing is not None
    assert len(ours.timing.seconds) == 2
    assert ours.timing.first > ours.timing.median > again.timing.median > 0  # imports; work; nothing to do
    assert [row.task for row in peers] == ["read", "sort", "write", "read, sort, write"]
    assert {row.work for row in report.rows} == {report.figures["sales rows"]}
    assert report.figures["shards"] == 1
    assert 0 < ours.figures["of disk"] < 1


def test_polars_that_fails_is_a_row_with_its_reason(tmp_path: Path):
    (row,) = polars_peer.polars_rows(str(tmp_path / "*.parquet"), 1, "x", this_machine(), 1)
    assert row.timing is None
    assert row.note


def test_a_split_that_fails_is_an_error_with_its_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("fullshelf.bench.split._SPLIT", "raise SystemExit('no room')")
    with pytest.raises(RuntimeError, match="exit code 1: no room"):
        measure_split(this_machine(), Limits(1.0, 0.0, 0.0), tmp_path, 5, periods=30, say=lambda line: None)
