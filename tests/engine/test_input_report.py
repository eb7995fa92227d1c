"""What `fullshelf check` says: the rules in words, with examples, and nothing left behind."""

from __future__ import annotations

import json
import tempfile
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from fullshelf.engine.config import parse_config
from fullshelf.engine.intake import InputReport, check

MONDAY = date(2024, 1, 1)


@pytest.fixture
def report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> InputReport:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    n = 20
    sales: dict[str, Any] = {
        "sku": [f"s{i:02}" for i in range(n)],
        "date": [MONDAY + timedelta(7 * (i % 2)) for i in range(n)],
        "units": [None, -1.5, *[2.0] * (n - 2)],
        "rain": [float("inf")] * 5 + [1.0] * (n - 5),
    }
    # Two files: the rows of the second are counted on from the first.
    pl.DataFrame(sales).head(3).write_parquet(tmp_path / "sales-1.parquet")
    pl.DataFrame(sales).tail(-3).write_parquet(tmp_path / "sales-2.parquet")
    supply = {"sku": ["s05", "s07"], "unit_cost": [1.0, 1.0], "unit_price": [2.0, 2.0], "lead_time": [1, 1]}
    pl.DataFrame(supply).write_parquet(tmp_path / "supply.parquet")
    inputs = {"sales": f"{tmp_path}/sales-*.parquet", "supply": f"{tmp_path}/supply.parquet"}
    values = {
        "period": "week",
        "as_of": MONDAY,
        "covariates": ["rain"],
        "inputs": inputs,
        "output": str(tmp_path / "runs"),
    }
    before = sorted(tmp_path.rglob("*"))
    found = check(parse_config(values, base=tmp_path))
    assert sorted(tmp_path.rglob("*")) == before
    return found


def test_the_report_counts_by_table_and_rule(report: InputReport) -> None:
    assert {f"{f.table}.{f.rule}": f.rows for f in report.findings} == {
        "sales.after_as_of": 8,
        "sales.rain_infinite": 4,
        "sales.units_missing": 1,
        "series.no_supply": 7,
        "supply.no_sales": 2,
    }
    assert report.series == 7
    assert (report.counts["sales"].read, report.counts["sales"].used, report.counts["sales"].rejected) == (20, 7, 13)
    assert (report.counts["series"].used, report.counts["series"].rejected) == (0, 7)


def test_examples_are_the_first_rows_counted_over_all_files(report: InputReport) -> None:
    (late,) = (f for f in report.findings if f.rule == "after_as_of")
    assert [example["row"] for example in late.examples] == [6, 8, 10]
    assert late.examples[0] == {"key": "s05/all", "value": "2024-01-08", "row": 6}


def test_the_text_is_for_a_person(report: InputReport) -> None:
    text = report.text()
    assert text.startswith("7 series, last known week 2024-01-01, 1 shards\ncovariates: rain\n")
    assert "sales.units_missing: 1 × units is empty: units sold in the period\n    row 1, s00/all\n" in text
    assert "    row 2, s01/all has 'inf'\n" in text
    assert (
        "series.no_supply: 7 × the series has no usable row in supply, so nothing can be ordered\n    s06/all\n" in text
    )


def test_the_dictionary_is_plain(report: InputReport) -> None:
    plain = json.loads(json.dumps(report.as_dict(), default=str))
    assert plain["as_of"] == "2024-01-01"
    assert plain["counts"]["supply"] == {"read": 2, "used": 0, "rejected": 2}


def test_sound_inputs_are_said_to_be_so(tmp_path: Path) -> None:
    pl.DataFrame({"sku": ["a", "a"], "date": [MONDAY] * 2, "units": [-2.0, 1.0]}).write_parquet(tmp_path / "s.parquet")
    found = check(parse_config({"period": "day", "inputs": {"sales": "s.parquet"}}, base=tmp_path))
    assert found.findings == ()
    assert found.text().splitlines()[-2:] == [
        "nothing would be rejected",
        "no table supply is configured: `fullshelf refresh` needs it, `fullshelf forecast` does not",
    ]
    assert "returns: 1 rows, -2 units, kept out of demand" in found.text()


@pytest.mark.parametrize("own", ["event", "routine", "rain"])
def test_a_table_of_events_that_a_covariate_takes_the_place_of_is_named(tmp_path: Path, own: str) -> None:
    sales = {"sku": ["a", "a"], "date": [MONDAY, MONDAY + timedelta(1)], "units": [2.0, 1.0], own: [0.0, 1.0]}
    pl.DataFrame(sales).write_parquet(tmp_path / "s.parquet")
    pl.DataFrame({"date": [MONDAY], "event": ["fair"]}).write_parquet(tmp_path / "e.parquet")
    values = {"period": "day", "inputs": {"sales": "s.parquet", "events": "e.parquet"}, "covariates": [own]}
    found = check(parse_config(values, base=tmp_path))
    assert found.events_unread == ("the table events is not read" in found.text()) == (own != "rain")
