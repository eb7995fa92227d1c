"""The inputs as a whole: prepared, read shard by shard, reported; counts add up whatever the tables hold."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fullshelf.engine.config import Config, parse_config
from fullshelf.engine.errors import ConfigError, FullshelfError, InputError, RunError
from fullshelf.engine.intake import Intake, check, prepare
from fullshelf.engine.preparation import default_shards

MONDAY = date(2024, 1, 1)
NAN = float("nan")


class Shop:
    """Input tables in a folder, the configuration, and a cache beside them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.cache = folder, folder / "cache"
        folder.mkdir(parents=True, exist_ok=True)
        self.values: dict[str, Any] = {"period": "week", "inputs": {}}
        rows = [
            ("a", "x", MONDAY, 1.0, 10.0),
            ("a", "x", MONDAY + timedelta(3), 2.0, 20.0),
            ("a", "x", MONDAY + timedelta(14), -4.0, 20.0),
            ("a", "y", MONDAY + timedelta(7), 3.0, 30.0),
            ("b", "x", MONDAY + timedelta(20), 4.0, None),
        ]
        columns = ["sku", "location", "date", "units", "price"]
        self.put("sales", pl.DataFrame(rows, schema=columns, orient="row"))

    def put(self, name: str, table: pl.DataFrame | dict[str, Any], file: str = "") -> None:
        path = self.folder / (file or f"{name}.parquet")
        path.parent.mkdir(exist_ok=True)
        pl.DataFrame(table).write_parquet(path)
        self.values["inputs"].setdefault(name, str(path))

    def config(self, **more: Any) -> Config:
        return parse_config(self.values | more, base=self.folder)

    def prepare(self, **more: Any) -> Intake:
        return prepare(self.config(**more), self.cache)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path / "shop")


def rejects(intake: Intake) -> list[tuple[Any, ...]]:
    files = [pl.read_parquet(file) for file in intake.reject_files]
    return pl.concat(files).sort("table", "row").rows() if files else []


def series(intake: Intake, horizon: int = 2) -> dict[tuple[str, str], dict[str, Any]]:
    """Everything read of each series, over all shards."""
    out = {}
    for shard in range(intake.shards):
        given = intake.read(shard, horizon)
        panel = given.panel
        for s, key in enumerate(panel.keys.iter_rows()):
            cells = slice(panel.offsets[s], panel.offsets[s + 1])
            out[key] = {
                "units": panel.units[cells].tolist(),
                "observed": panel.observed[cells].tolist(),
                **{n: panel.covariates[cells, k].tolist() for k, n in enumerate(panel.covariate_names)},
                "ahead": None if given.ahead is None else given.ahead.values[s].tolist(),
                "supply": given.supply.row(s, named=True),
                "stock": given.stock.row(s, named=True),
                "skus": given.skus.row(s, named=True),
            }
    return out


def test_weeks_are_summed_gaps_sold_nothing_and_returns_are_no_demand(shop: Shop) -> None:
    intake = shop.prepare()
    assert intake.period.start(intake.as_of) == MONDAY + timedelta(14)
    assert (intake.shards, intake.covariates) == (1, ("price",))
    assert (intake.returns.rows, intake.returns.units) == (1, -4.0)
    read = series(intake)
    assert read["a", "x"]["units"] == [3, 0, 0]
    assert read["a", "x"]["price"] == pytest.approx([50 / 3, 50 / 3, 20])
    assert read["a", "y"]["units"] == [3, 0]
    assert read["b", "x"]["units"] == [4]
    assert intake.counts()["sales"].used == intake.counts()["sales"].read == 5
    assert intake.reject_files == ()


@pytest.mark.parametrize(
    ("period", "units"), [("day", [1.0, 0, 0, 2.0] + [0.0] * 17), ("week", [3.0, 0, 0]), ("month", [3.0])]
)
def test_each_period_sums_what_falls_into_it(shop: Shop, period: str, units: list[float]) -> None:
    assert series(shop.prepare(period=period))["a", "x"]["units"] == units


def test_sales_after_the_as_of_period_are_rejected_and_do_not_exist(shop: Shop) -> None:
    intake = shop.prepare(as_of="2024-01-09")
    assert sorted(series(intake)) == [("a", "x"), ("a", "y")]
    assert series(intake)["a", "x"]["units"] == [3, 0]
    assert rejects(intake) == [
        ("sales", "a/x", "after_as_of", "2024-01-15", 3),
        ("sales", "b/x", "after_as_of", "2024-01-21", 5),
    ]
    assert (intake.counts()["sales"].used, intake.counts()["sales"].rejected) == (3, 2)
    assert intake.returns.rows == 0


def test_an_as_of_date_beyond_the_sales_adds_periods_without_sales(shop: Shop) -> None:
    assert series(shop.prepare(as_of="2024-02-04"))["b", "x"]["units"] == [4, 0, 0]


def test_a_date_in_the_future_is_not_taken_for_the_newest_sales(shop: Shop) -> None:
    stray = {"sku": ["a"], "location": ["x"], "date": [date(2099, 1, 1)], "units": [1.0]}
    shop.values["inputs"]["sales"] = [shop.values["inputs"]["sales"], str(shop.folder / "stray.parquet")]
    shop.put("sales", stray, "stray.parquet")
    intake = prepare(shop.config(), shop.cache, today=date(2024, 3, 1))
    assert intake.period.start(intake.as_of) == MONDAY + timedelta(14)
    assert rejects(intake) == [("sales", "a/x", "after_as_of", "2099-01-01", 6)]
    late = prepare(shop.config(), shop.cache, today=date(2099, 3, 1))
    assert late.period.start(late.as_of) == date(2098, 12, 29)


def test_the_current_period_counts_though_its_last_days_lie_ahead(shop: Shop) -> None:
    intake = prepare(shop.config(), shop.cache, today=MONDAY + timedelta(15))
    assert series(intake)["b", "x"]["units"] == [4]


def test_sales_that_all_lie_in_the_future_are_a_plan_and_the_newest_counts(shop: Shop) -> None:
    intake = prepare(shop.config(), shop.cache, today=date(2020, 1, 1))
    assert intake.period.start(intake.as_of) == MONDAY + timedelta(14)


def test_an_as_of_date_before_the_first_sales_is_an_error(shop: Shop) -> None:
    with pytest.raises(
        InputError, match=r"as_of: 2001-01-01 lies before the first sales, of 2024-01-01; choose a later"
    ):
        shop.prepare(as_of="2001-01-01")


def test_sales_without_location_are_sold_at_all(shop: Shop) -> None:
    shop.put("sales", {"sku": [7], "date": [MONDAY], "units": [1]})
    shop.put("stock", {"sku": [7], "on_hand": [5]})
    assert series(shop.prepare())["7", "all"]["stock"]["on_hand"] == 5


def test_stock_outs_and_unknown_values_are_kept_apart_from_zero(shop: Shop) -> None:
    shop.put(
        "sales",
        {
            "sku": ["a"] * 4,
            "date": [MONDAY + timedelta(days) for days in (0, 1, 7, 21)],
            "units": [1.0, 2.0, 3.0, 4.0],
            "in_stock": [0.5, 1.0, None, 0.25],
            "promo": [0.0, 1.0, NAN, 1.0],
            "rain": [None, 2.0, None, None],
        },
    )
    read = series(shop.prepare(covariates=["promo", "rain", "price"]))["a", "all"]
    assert read["observed"] == [0.75, 1, 1, 0.25]
    np.testing.assert_array_equal(read["promo"], [0.5, NAN, 0, 1])
    np.testing.assert_array_equal(read["rain"], [2, NAN, NAN, NAN])
    assert "price" not in read


def test_a_renamed_column_that_no_covariate_uses_is_left_alone(shop: Shop) -> None:
    intake = shop.prepare(covariates=[], columns={"sales": {"price": "promo", "cost": "price"}})
    assert intake.covariates == ()


def test_all_is_the_name_of_no_location(shop: Shop) -> None:
    terms = {"sku": ["a", "b"], "unit_cost": [1.0] * 2, "unit_price": [2.0] * 2, "lead_time": [1, 2]}
    shop.put("supply", terms | {"location": ["all", "x"]})
    shop.put("future", {"sku": ["a"], "location": ["all"], "date": [MONDAY + timedelta(21)], "price": [5.0]})
    shop.put("events", {"date": [MONDAY], "location": ["all"], "event": ["fair"]})
    intake = shop.prepare()
    read = series(intake, 1)
    assert [read[key]["supply"]["lead_time"] for key in sorted(read)] == [1, 1, 2]
    assert [read["a", at]["ahead"] for at in ("x", "y")] == [[[5, 0, 0]], [[5, 0, 0]]]  # price, event, routine
    assert intake.events is not None
    assert intake.events["location"].to_list() == [None]
    assert rejects(intake) == []


def test_a_series_without_supply_is_named(shop: Shop) -> None:
    supply = {
        "sku": ["a", "b"],
        "location": ["x", "x"],
        "unit_cost": [1.0, -1.0],
        "unit_price": [2.0] * 2,
        "lead_time": [1, 2],
    }
    shop.put("supply", supply)
    intake = shop.prepare(run={"shards": 1})
    given = intake.read(0, 1)
    assert given.rejects.rows() == [
        ("series", "a/y", "no_supply", None, None),
        ("series", "b/x", "no_supply", None, None),
    ]
    assert given.counts["series"].used == 1
    assert given.supply["planned"].to_list() == [True, False, False]
    assert rejects(intake) == [("supply", "b/x", "unit_cost_negative", "-1.0", 2)]
    assert intake.supply_terms.rows() == [(1.0, 0.0, 1.0)]


def test_without_a_supply_table_no_series_is_rejected(shop: Shop) -> None:
    intake = shop.prepare()
    given = intake.read(0, 1)
    assert given.rejects.is_empty()
    assert given.counts["series"].used == 3
    assert intake.supply_terms.is_empty()


def test_what_is_known_ahead_is_laid_out_by_period_and_a_row_by_location_wins(shop: Shop) -> None:
    first = MONDAY + timedelta(21)
    shop.put(
        "future",
        pl.DataFrame(
            [
                ("a", "x", first, 1.0),
                ("a", "x", first + timedelta(6), 2.0),
                ("a", None, first, 5.0),
                ("a", None, first + timedelta(7), 6.0),
                ("b", "x", first + timedelta(14), 7.0),
                ("b", "x", MONDAY, 8.0),
                ("b", "z", first, 9.0),
                ("c", None, first, 9.0),
                ("b", "x", first, -1.0),
            ],
            schema=["sku", "location", "date", "price"],
            orient="row",
        ),
    )
    for shards in (1, 5):
        intake = shop.prepare(run={"shards": shards})
        read = series(intake, horizon=2)
        np.testing.assert_array_equal(read["a", "x"]["ahead"], [[1.5], [6]])
        np.testing.assert_array_equal(read["a", "y"]["ahead"], [[5], [6]])
        np.testing.assert_array_equal(read["b", "x"]["ahead"], [[NAN], [NAN]])
        np.testing.assert_array_equal(series(intake, 3)["b", "x"]["ahead"], [[NAN], [NAN], [7]])
        assert rejects(intake) == [
            ("future", "b/z", "no_sales", "b", 7),
            ("future", "c", "no_sales", "c", 8),
            ("future", "b/x", "price_negative", "-1.0", 9),
        ]
        assert intake.counts()["future"].used == 6


def test_a_future_table_without_a_covariate_of_the_sales_says_nothing(shop: Shop) -> None:
    shop.put("future", {"sku": ["a"], "date": [MONDAY + timedelta(21)], "promo": [1.0]})
    assert series(shop.prepare())["a", "x"]["ahead"] is None


def test_limits_and_events_are_given_whole(shop: Shop) -> None:
    limits = {"resource": ["capital", "capital", "units"], "scope": ["all", "all", "supplier=s"], "amount": [9, 8, 7]}
    shop.put("limits", limits)
    shop.put("events", {"date": [MONDAY], "location": [""], "event": ["fair"]})
    intake = shop.prepare()
    assert intake.limits is not None
    assert intake.limits.rows() == [("capital", "all", 9.0), ("units", "supplier=s", 7.0)]
    assert intake.events is not None
    assert intake.events.rows() == [(MONDAY, None, "fair")]
    assert rejects(intake) == [("limits", "capital/all", "duplicate", "all", 2)]


cells = st.sampled_from([1.0, 0.0, -2.0, None, NAN, float("inf"), 1e13])
skus, places = st.sampled_from(["a", "b", "c", None, ""]), st.sampled_from(["x", "y", None, ""])
days = st.integers(0, 30).map(lambda i: MONDAY + timedelta(i)) | st.sampled_from([None, date(1800, 1, 1)])


def frame(columns: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[pl.DataFrame]:
    types = {"sku": pl.String, "location": pl.String, "date": pl.Date}
    schema = {name: types.get(name, pl.Float64) for name in columns}
    rows = st.lists(st.tuples(*columns.values()), min_size=1, max_size=12)
    return rows.map(lambda rows: pl.DataFrame(rows, schema=schema, orient="row"))


@settings(max_examples=25, deadline=None)
@given(
    frame({"sku": skus, "location": places, "date": days, "units": cells, "price": cells}),
    frame({"sku": skus, "location": places, "unit_cost": cells, "unit_price": cells, "lead_time": cells}),
    frame({"sku": skus, "location": places, "on_hand": cells, "on_order": cells}),
    frame({"sku": skus, "location": places, "date": days, "price": cells}),
    st.integers(1, 4),
)
def test_rows_read_are_rows_used_and_rows_rejected_in_every_table(
    tmp_path_factory: Any,
    sales: pl.DataFrame,
    supply: pl.DataFrame,
    stock: pl.DataFrame,
    future: pl.DataFrame,
    shards: int,
) -> None:
    shop = Shop(tmp_path_factory.mktemp("shop"))
    tables = {"sales": sales, "supply": supply, "stock": stock, "future": future}
    for name, table in tables.items():
        shop.put(name, table)
    try:
        intake = shop.prepare(run={"shards": shards}, as_of="2024-01-21")
    except InputError as e:
        assert any(words in str(e) for words in ("none of", "before the first", "no row names")), e  # noqa: PT017
        return
    found = pl.concat(
        [pl.read_parquet(file) for file in intake.reject_files] or [pl.DataFrame(schema={"table": pl.String})]
    )
    for name, table in tables.items():
        count = intake.counts()[name]
        assert count.read == table.height == count.used + count.rejected
        assert found.filter(pl.col("table") == name).height == count.rejected
    total, used = 0, 0
    for shard in range(shards):
        given = intake.read(shard, 1)
        total += given.panel.series
        used += given.counts["series"].used
        assert given.counts["series"].rejected == given.rejects.height
    assert total == len(series(intake))
    report = check(shop.config(run={"shards": shards}, as_of="2024-01-21"))
    assert (report.series, report.counts["series"].used) == (total, used)


def test_a_second_call_splits_nothing_and_gives_the_same(shop: Shop) -> None:
    shop.put("future", {"sku": ["a"], "date": [MONDAY + timedelta(21)], "price": [1.0]})
    shop.put("supply", {"sku": ["a", "q"], "unit_cost": [1.0] * 2, "unit_price": [2.0] * 2, "lead_time": [1] * 2})
    first = shop.prepare(as_of="2024-01-16")
    stages: list[str] = []
    second = prepare(shop.config(as_of="2024-01-16"), shop.cache, lambda stage, *_: stages.append(stage))
    assert "split" not in stages
    assert (first.fingerprint, first.reject_files, first.counts()) == (
        second.fingerprint,
        second.reject_files,
        second.counts(),
    )
    assert str(series(first)) == str(series(second))


def test_the_fingerprint_follows_content_not_names_and_not_order(shop: Shop) -> None:
    first = shop.prepare().fingerprint
    (shop.folder / "sales.parquet").rename(shop.folder / "other.parquet")
    shop.values["inputs"]["sales"] = str(shop.folder / "other.parquet")
    assert shop.prepare().fingerprint == first
    table = pl.read_parquet(shop.folder / "other.parquet")
    shop.put("sales", table.with_columns(pl.col("units") + 1), "other.parquet")
    changed = shop.prepare().fingerprint
    assert changed != first
    shop.put("skus", {"sku": ["a"], "title": ["tea"]})
    assert shop.prepare().fingerprint != changed
    renamed = shop.config(columns={"skus": {"title": "description"}})
    assert prepare(renamed, shop.cache).fingerprint != shop.prepare().fingerprint


def test_the_cache_keeps_only_what_the_last_call_used(shop: Shop) -> None:
    for shards in (1, 3):
        shop.prepare(run={"shards": shards}, as_of="2024-01-09")
        kinds = sorted(f.name.split("-")[0] for f in shop.cache.iterdir() if f.is_dir())
        assert kinds == ["rejects", "sales"]


def test_shards_are_read_from_several_threads(shop: Shop) -> None:
    draw = np.random.default_rng(3)
    n = 4000
    shop.put(
        "sales",
        {
            "sku": [f"s{i}" for i in draw.integers(0, 50, n)],
            "date": [MONDAY + timedelta(int(i)) for i in draw.integers(0, 90, n)],
            "units": draw.poisson(2, n),
        },
    )
    intake = shop.prepare(run={"shards": 8})
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda shard: intake.read(shard, 3).panel.units.tobytes(), [*range(8)] * 4))
    assert together == [intake.read(shard, 3).panel.units.tobytes() for shard in range(8)] * 4


def test_more_shards_than_series_leave_some_empty(shop: Shop) -> None:
    shop.put("future", {"sku": ["a"], "date": [MONDAY + timedelta(21)], "price": [1.0]})
    intake = shop.prepare(run={"shards": 32})
    sizes = [intake.read(shard, 1).panel.series for shard in range(32)]
    assert sorted(sizes)[-3:] in ([1, 1, 1], [0, 1, 2], [0, 0, 3])
    assert sum(sizes) == 3


@pytest.mark.parametrize(
    ("rows", "shards"), [(0, 1), (1 << 20, 1), ((1 << 20) + 1, 2), (365_000_000, 512), (10**12, 65536)]
)
def test_shards_hold_about_a_million_rows(rows: int, shards: int) -> None:
    assert default_shards(rows) == shards


def none_usable(shop: Shop) -> dict[str, Any]:
    shop.put("sales", {"sku": ["a"] * 2, "date": [MONDAY] * 2, "units": [NAN, None]})
    return {}


def no_rows(shop: Shop) -> dict[str, Any]:
    shop.put("sales", {"sku": [], "date": [], "units": []})
    return {}


def renamed(**columns: str) -> Any:
    return lambda shop: {"columns": {"sales": columns}}


@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (none_usable, InputError, r"inputs.sales: none of 2 rows can be used in .*sales.parquet; was the export cut"),
        (no_rows, InputError, r"inputs.sales: no rows in .*sales.parquet"),
        (
            renamed(prise="price", colour="promo"),
            InputError,
            "columns.sales: no file of this table has a column 'prise'",
        ),
        (renamed(price="pice"), ConfigError, "'price' is mapped to 'pice', which .* did you mean 'price'"),
        (renamed(sku="units", price="units"), ConfigError, "columns.sales: two columns are mapped to the same one"),
        (lambda s: {"covariates": ["prices"]}, InputError, "no sales file has a column 'prices'; did you mean 'price'"),
        (lambda s: {"covariates": ["units"]}, ConfigError, "'units' is a column of the sales table with its own"),
        (lambda s: {"inputs": {"sales": f"{s.folder}/no.csv"}}, InputError, "inputs.sales: .*no.csv: does not exist"),
    ],
)
def test_what_cannot_be_used_is_explained(shop: Shop, spoil: Any, error: type[FullshelfError], message: str) -> None:
    with pytest.raises(error, match=message):
        shop.prepare(**({"covariates": ["price"]} | spoil(shop)))
    with pytest.raises(error, match=message):
        check(shop.config(**({"covariates": ["price"]} | spoil(shop))))


def test_two_preparations_in_one_cache_do_not_mix(shop: Shop) -> None:
    def again(stage: str, done: int, total: int | None) -> None:
        shop.prepare()

    with pytest.raises(RunError, match=rf"another preparation of inputs is at work already \(process {os.getpid()}\)"):
        prepare(shop.config(), shop.cache, again)


def test_the_end_can_be_asked_for(shop: Shop) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(shop.config(), shop.cache, stop=stop)
    assert not list(shop.cache.rglob("*.parquet"))
    assert len(series(shop.prepare())) == 3


def test_a_file_that_changes_meanwhile_is_noticed_and_not_kept(shop: Shop) -> None:
    def change(stage: str, done: int, total: int | None) -> None:
        if stage == "split":
            shop.put("sales", {"sku": ["z"], "date": [MONDAY], "units": [1]})

    with pytest.raises(RunError, match=r"sales.parquet: changed while it was read; call again when it is complete"):
        prepare(shop.config(), shop.cache, change)
    assert list(series(shop.prepare())) == [("z", "all")]


PREPARE = """
import os, signal, sys
from pathlib import Path
from fullshelf.engine.config import load_config
from fullshelf.engine.intake import prepare

def progress(stage, done, total):
    if [stage, str(done)] == sys.argv[3:]:
        os.kill(os.getpid(), signal.SIGKILL)

prepare(load_config(Path(sys.argv[1])), Path(sys.argv[2]), progress)
"""


def many(shop: Shop, n: int) -> Path:
    draw = np.random.default_rng(0)
    day = pl.Series(draw.integers(19000, 19400, n).astype(np.int32)).cast(pl.Date)
    shop.put(
        "sales", {"sku": pl.Series(draw.integers(0, 9999, n)).cast(pl.String), "date": day, "units": draw.poisson(2, n)}
    )
    file = shop.folder / "shop.yaml"
    file.write_text(f"period: day\ninputs: {{sales: {shop.folder}/sales.parquet}}\nrun: {{shards: 16}}\n")
    return file


def test_killed_while_it_looks_splits_or_sorts_the_next_call_gives_the_same(shop: Shop) -> None:
    config = many(shop, 400_000)
    expected = prepare(shop.config(period="day", run={"shards": 16}), shop.folder / "clean")
    for moment in (("fingerprint", "1"), ("split", "400000"), ("sort", "9")):
        done = subprocess.run([sys.executable, "-c", PREPARE, config, shop.cache, *moment], check=False)
        assert done.returncode == -signal.SIGKILL
    again = prepare(shop.config(period="day", run={"shards": 16}), shop.cache)
    for shard in (0, 7, 15):
        assert again.read(shard, 1).panel.units.tobytes() == expected.read(shard, 1).panel.units.tobytes()
    assert not list(shop.cache.rglob(".tmp-*"))


def test_a_full_disk_ends_with_a_sentence_and_the_next_call_goes_on(shop: Shop, tmp_path: Path) -> None:
    config, disk = many(shop, 200_000), tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", disk], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("mounting a small file system needs root")
    words = [sys.executable, "-c", PREPARE, str(config), str(disk / "cache")]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert "RunError" in done.stderr
        assert "the disk is full" in done.stderr
        assert not list(disk.rglob("shard-*"))
        subprocess.run(["mount", "-o", "remount,size=100m", disk], check=True)
        subprocess.run(words, check=True)
    finally:
        subprocess.run(["umount", disk], check=True)
