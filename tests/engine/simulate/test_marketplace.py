import hashlib
import json
from datetime import date
from pathlib import Path

import numba
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from fullshelf.engine.calendar import Period
from fullshelf.engine.errors import Interrupted, UsageError
from fullshelf.engine.simulate import marketplace as module
from fullshelf.engine.simulate.marketplace import TABLES, Marketplace, parts, simulate_marketplace

KEY = ["sku", "location"]


def fingerprint(folder: Path) -> dict[str, str]:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def read(market: Marketplace) -> dict[str, pl.DataFrame]:
    return {name: pl.read_parquet(path / "*.parquet") for name, path in market.tables.items()}


def test_the_same_seed_gives_the_same_bytes_and_another_seed_other_ones(tmp_path: Path):
    a, b, c = (
        simulate_marketplace(60, 90, tmp_path / name, seed=seed, truth=True)
        for name, seed in (("a", 7), ("b", 7), ("c", 8))
    )
    assert fingerprint(a.folder) == fingerprint(b.folder)
    for name in ("sales", "supply", "stock", "future"):
        assert fingerprint(a.tables[name]) != fingerprint(c.tables[name])


def test_the_size_of_a_part_changes_no_row(tmp_path: Path):
    whole = simulate_marketplace(83, 60, tmp_path / "whole", locations=4, truth=True)
    parted = simulate_marketplace(83, 60, tmp_path / "parted", locations=4, truth=True, part_series=7)
    assert len(list(parted.tables["sales"].iterdir())) == 12
    assert whole.rows == parted.rows
    a, b = read(whole), read(parted)
    for name, frame in a.items():
        assert_frame_equal(frame, b[name])


def test_threads_change_no_byte(tmp_path: Path):
    two = simulate_marketplace(40, 60, tmp_path / "two")
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        one = simulate_marketplace(40, 60, tmp_path / "one")
    finally:
        numba.set_num_threads(before)
    assert fingerprint(one.folder) == fingerprint(two.folder)


def test_more_series_do_not_change_the_ones_that_were_there(tmp_path: Path):
    few = read(simulate_marketplace(30, 60, tmp_path / "few", locations=3))
    many = read(simulate_marketplace(90, 60, tmp_path / "many", locations=3))
    for name in ("sales", "supply", "stock", "future", "skus"):
        keys = few["skus"].select("sku")
        assert_frame_equal(few[name], many[name].join(keys, on="sku", how="semi", maintain_order="left"))


def test_no_more_than_one_part_is_held_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    sizes = []
    play = module.play

    def watched(numbers, *rest):
        sizes.append(numbers.size)
        return play(numbers, *rest)

    monkeypatch.setattr(module, "play", watched)
    monkeypatch.setattr(module, "_CELLS", 1000)
    simulate_marketplace(50, 30, tmp_path, ahead=20)
    assert max(sizes) <= 1000 // 50
    assert sum(sizes) == 50


def test_parts_cover_every_series_once():
    assert [n for part in parts(23, 5) for n in part] == list(range(23))
    assert max(part.size for part in parts(23, 5)) == 5
    assert list(parts(0, 5)) == []


@pytest.mark.parametrize(("period", "periods"), [(Period.WEEK, 110), (Period.MONTH, 40)])
def test_weeks_begin_on_monday_and_months_on_their_first_day(period: Period, periods: int, tmp_path: Path):
    market = simulate_marketplace(200, periods, tmp_path, period=period, truth=True)
    found = read(market)
    dates = pl.concat([found[name]["date"] for name in ("sales", "future", "truth")]).unique()
    assert [period.start(period.number_of(d)) for d in dates] == dates.to_list()
    assert found["sales"]["date"].max() == market.as_of
    assert period.number_of(market.as_of) - period.number_of(found["truth"]["date"].min()) == periods - 1
    assert found["sales"]["promo"].is_between(0.01, 0.99).any()
    assert (found["supply"]["lead_time"] <= 40 / (365.25 / period.per_year) + 1).all()


def test_rows_for_zero_sales_are_written_on_demand(tmp_path: Path):
    lean = read(simulate_marketplace(40, 80, tmp_path / "lean"))
    full = read(simulate_marketplace(40, 80, tmp_path / "full", zeros=True, truth=True))
    sold = full["sales"].filter(pl.col("units") >= 0)
    known = full["truth"].filter(pl.col("date") <= date(2025, 6, 29))
    assert_frame_equal(sold.select(*KEY, "date"), known.select(*KEY, "date"))
    assert_frame_equal(
        lean["sales"], full["sales"].join(lean["sales"], on=[*KEY, "date", "units"], how="semi", maintain_order="left")
    )
    left_out = full["sales"].join(lean["sales"], on=[*KEY, "date"], how="anti")
    assert left_out.height > 100
    assert (left_out["units"] == 0).all()
    assert (left_out["in_stock"] == 1).all()


def test_nothing_stands_at_its_final_name_before_all_is_written(tmp_path: Path):
    seen: list[int] = []

    def look(stage: str, done: int, total: int | None) -> None:
        assert (stage, total) == ("simulate", 20)
        seen.append(done)
        assert not any((tmp_path / name).exists() for name in TABLES)

    simulate_marketplace(20, 30, tmp_path, part_series=6, progress=look)
    assert seen == [0, 6, 12, 18, 20]
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([*TABLES, "fullshelf.yaml"])


def test_a_simulation_that_breaks_off_leaves_nothing_behind(tmp_path: Path):
    def stop(stage: str, done: int, total: int | None) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate_marketplace(20, 30, tmp_path, part_series=5, progress=stop)
    assert not list(tmp_path.iterdir())


def test_a_simulation_asks_between_its_parts_whether_to_stop(tmp_path: Path):
    asked: list[int] = []

    def stop() -> None:
        asked.append(1)
        if len(asked) == 3:
            raise Interrupted("stop")

    with pytest.raises(Interrupted):
        simulate_marketplace(20, 30, tmp_path, part_series=5, stop=stop)
    assert len(asked) == 3
    assert not list(tmp_path.iterdir())


def test_what_was_made_can_be_read_by_machines_and_by_people(market: Marketplace):
    values = json.loads(json.dumps(market.as_dict()))
    assert values["rows"]["supply"] == 1500
    assert values["as_of"] == "2025-06-29"
    assert values["bytes"] > 100_000
    assert f"fullshelf refresh {market.configuration}" in market.text()


def test_tables_that_are_there_are_replaced_only_on_purpose(tmp_path: Path):
    simulate_marketplace(30, 30, tmp_path, part_series=10, truth=True)
    with pytest.raises(UsageError, match=r"sales is there already; choose another folder"):
        simulate_marketplace(10, 30, tmp_path)
    again = simulate_marketplace(10, 30, tmp_path, overwrite=True)
    assert len(list((tmp_path / "sales").iterdir())) == 1
    assert not (tmp_path / "truth").exists()
    assert read(again)["supply"].height == 10


def test_files_that_are_not_of_a_simulation_are_never_removed(tmp_path: Path):
    mine = tmp_path / "sales" / "mine.csv"
    mine.parent.mkdir()
    mine.write_text("sku,date,units\n")
    with pytest.raises(UsageError, match=r"mine\.csv is not of a simulation"):
        simulate_marketplace(10, 30, tmp_path, overwrite=True)
    assert mine.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"series": 0}, "series must be 1"),
        ({"periods": 0}, "periods must be 1"),
        ({"locations": 0}, "locations must be 1"),
        ({"ahead": -1}, "ahead must be 0"),
        ({"seed": -1}, "seed must be 0"),
    ],
)
def test_numbers_out_of_bounds_are_named(arguments: dict[str, int], message: str, tmp_path: Path):
    with pytest.raises(UsageError, match=message):
        simulate_marketplace(**({"series": 5, "periods": 5} | arguments), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
