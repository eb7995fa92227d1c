"""Generations of split sales: only what is new is split, what is gone no longer counts, a kill harms nothing."""

from __future__ import annotations

import shutil
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fullshelf.engine import generations, sales
from fullshelf.engine.calendar import Period
from fullshelf.engine.errors import RunError
from fullshelf.engine.fingerprints import Fingerprints
from fullshelf.engine.generations import Generation, SplitFile, plan, to_merge
from fullshelf.engine.panels import Part, all_live_keys, live_keys, read_panel
from fullshelf.engine.sales import SalesStore
from fullshelf.engine.shard_files import ShardFiles
from fullshelf.engine.sources import find_files
from fullshelf.engine.tables import table_of
from fullshelf.engine.watch import Watch

DAY = date(2024, 1, 1)
WATCH = Watch(lambda stage, done, total: None, lambda: None, 2)


class Shop:
    """A folder of sales files and the store that keeps them split."""

    def __init__(self, folder: Path, shards: int = 2) -> None:
        self.data, self.cache, self.shards = folder / "data", folder / "cache", shards
        self.data.mkdir(parents=True)
        self.splits: list[int] = []  # files split in each update

    def write(self, name: str, seed: int, rows: int = 30, bad: int = 0) -> None:
        draw = np.random.default_rng(seed)
        pl.DataFrame(
            {
                "sku": [f"s{i}" for i in draw.integers(0, 9, rows)],
                "location": [("x", "y")[i] for i in draw.integers(0, 2, rows)],
                "date": [DAY + timedelta(int(i)) for i in draw.integers(0, 40, rows)],
                "units": [None] * bad + np.round(draw.normal(3, 4, rows - bad), 1).tolist(),
                "price": np.round(draw.uniform(1, 9, rows), 2),
            }
        ).write_parquet(self.data / f"{name}.parquet")

    def update(self) -> SalesStore:
        files = find_files("sales", [str(self.data)])
        known = Fingerprints(self.cache / "memory.json").of(files, WATCH)
        store = SalesStore(self.cache / "sales", table_of("sales", ["price"]), {}, self.shards)
        with pytest.MonkeyPatch.context() as patch:
            plain = SalesStore._split

            def split(self_: SalesStore, new: Any, watch: Watch) -> Generation:
                self.splits.append(len(new))
                return plain(self_, new, watch)

            patch.setattr(SalesStore, "_split", split)
            store.update([(file, known[file.path]) for file in files], WATCH)
        return store

    def panels(self, period: Period = Period.DAY, last: int | None = None) -> list[dict[str, Any]]:
        return contents(self.update(), period, last)


def parts(store: SalesStore) -> list[Part]:
    return [Part(generation.shards, generation.alive) for generation in store.generations]


def contents(store: SalesStore, period: Period = Period.DAY, last: int | None = None) -> list[dict[str, Any]]:
    """Everything in the panels, as bytes."""
    last = period.number_of(DAY + timedelta(45)) if last is None else last
    out = []
    for shard in range(store.shards):
        panel = read_panel(parts(store), shard, ("price",), period, last)
        assert live_keys(parts(store), shard, period, last).equals(panel.keys)
        arrays = (panel.units, panel.observed, panel.covariates, panel.offsets)
        out.append({"keys": panel.keys.rows(), "arrays": [array.tobytes() for array in arrays]})
    every = [key for panel in out for key in panel["keys"]]
    assert sorted(all_live_keys(parts(store), period, last).rows()) == sorted(every)
    return out


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path / "shop")


def fresh(shop: Shop) -> list[dict[str, Any]]:
    """The panels of the same files, split from nothing."""
    copy = shop.cache.with_name("fresh")
    shutil.rmtree(copy, ignore_errors=True)
    cache, shop.cache = shop.cache, copy
    try:
        return shop.panels()
    finally:
        shop.cache = cache
        shop.splits.pop()


def test_a_night_splits_only_the_new_file(shop: Shop) -> None:
    shop.write("a", 1, 100)
    shop.panels()
    shop.write("b", 2)
    assert shop.panels() == fresh(shop)
    shop.panels()
    assert shop.splits == [1, 1]


def test_a_changed_file_is_split_again_and_its_old_rows_no_longer_count(shop: Shop) -> None:
    for name, seed in (("a", 1), ("b", 2), ("c", 3)):
        shop.write(name, seed)
    shop.panels()
    shop.write("b", 4)
    assert shop.panels() == fresh(shop)
    assert shop.splits == [3, 1]


def test_a_removed_file_is_left_out_without_any_splitting(shop: Shop) -> None:
    for name, seed in (("a", 1), ("b", 2), ("c", 3)):
        shop.write(name, seed)
    shop.panels()
    (shop.data / "a.parquet").unlink()
    store = shop.update()
    assert contents(store) == fresh(shop)
    assert shop.splits == [3]
    assert store.generations[0].alive == (False, True, True)


def test_a_renamed_file_is_the_same(shop: Shop) -> None:
    shop.write("a", 1)
    before = shop.panels()
    (shop.data / "a.parquet").rename(shop.data / "z.parquet")
    assert shop.panels() == before
    assert shop.splits == [1]


def test_two_files_of_one_content_count_twice(shop: Shop) -> None:
    shop.write("a", 1)
    once = shop.update()
    shop.write("b", 1)
    twice = shop.update()
    assert sum(g.live_rows for g in twice.generations) == 2 * sum(g.live_rows for g in once.generations)
    assert contents(twice) == fresh(shop)


nights = st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from(["write", "write", "remove"])), max_size=8)


@settings(max_examples=8, deadline=None)
@given(nights)
def test_after_any_nights_the_panels_are_those_of_a_full_split(
    tmp_path_factory: Any, nights: list[tuple[str, str]]
) -> None:
    shop = Shop(tmp_path_factory.mktemp("shop") / "x")
    shop.write("base", 99, 60, bad=3)
    for seed, (name, change) in enumerate(nights):
        if change == "write":
            shop.write(name, seed, 20 + 10 * seed, bad=seed % 2)
        else:
            (shop.data / f"{name}.parquet").unlink(missing_ok=True)
        store = shop.update()
        assert contents(store) == fresh(shop)
        files = [file for generation in store.generations for file in generation.live_files()]
        assert sum(f.read for f in files) == pl.scan_parquet(shop.data / "*.parquet").select(pl.len()).collect().item()


def test_neither_shards_nor_files_change_a_panel(tmp_path: Path) -> None:
    series: list[dict[tuple[str, str], list[bytes]]] = []
    for shards in (1, 8):
        shop = Shop(tmp_path / str(shards), shards)
        shop.write("a", 1, 200)
        store = shop.update()
        found = {}
        for shard in range(shards):
            panel = read_panel(parts(store), shard, ("price",), Period.WEEK, Period.WEEK.number_of(DAY) + 7)
            for s, key in enumerate(panel.keys.rows()):
                cells = slice(panel.offsets[s], panel.offsets[s + 1])
                found[key] = [a[cells].tobytes() for a in (panel.units, panel.observed, panel.covariates)]
        series.append(found)
    assert series[0] == series[1]
    assert len(series[0]) > 10


def generation(rows: list[int], alive: list[bool] | None = None) -> Generation:
    shards = ShardFiles(Path("x"), (), np.zeros(2, np.int64), (0,))
    day = generations.DayCount
    files = tuple(SplitFile(f"{i}:{n}", n, None, (day(0, n, 0, 0.0),)) for i, n in enumerate(rows))
    return Generation(shards, files, tuple(alive or [True] * len(rows)))


@pytest.mark.parametrize(
    ("sizes", "merged"),
    [([100], 0), ([100, 1], 0), ([100, 1, 1], 2), ([100, 3, 1], 0), ([100, 2, 1], 2), ([100, 2, 1, 1], 3), ([3, 2], 2)],
)
def test_generations_of_like_size_are_merged(sizes: list[int], merged: int) -> None:
    assert len(to_merge([generation([n]) for n in sizes])) == merged


def test_a_year_of_nights_leaves_few_generations_and_moves_each_row_a_few_times() -> None:
    held, moved = [365], 0
    for _ in range(365):
        held.append(1)
        while young := to_merge([generation([n]) for n in held]):
            held = [*held[: -len(young)], sum(g.live_rows for g in young)]
            moved += held[-1]
        assert len(held) <= 10
    assert moved <= 730 * 8


def test_a_generation_half_dead_is_written_anew() -> None:
    full, half, poor = generation([5, 5]), generation([6, 4]), generation([4, 6])
    wanted = ["0:5", "1:5"], ["0:6"], ["0:4"]
    assert [bool(plan([g], w).merge) for g, w in zip((full, half, poor), wanted, strict=True)] == [False, False, True]
    assert plan([full], ["0:5", "9:9", "0:5"]).new == [0, 1]  # one of two equal files is held


def test_a_merge_drops_dead_rows_and_keeps_the_rejects_of_the_others(shop: Shop) -> None:
    for name, seed in (("a", 1), ("b", 2), ("c", 3)):
        shop.write(name, seed, rows=30 if name != "a" else 90, bad=seed)
    shop.update()
    (shop.data / "a.parquet").unlink()
    store = shop.update()
    (only,) = store.generations
    assert only.rows == only.live_rows == 60 - 5
    assert [pl.read_parquet(only.folder / str(file.rejects)).height for file in only.files] == [2, 3]
    assert contents(store) == fresh(shop)


def test_what_a_killed_call_leaves_is_removed_and_harms_nothing(shop: Shop) -> None:
    shop.write("a", 1)
    before = shop.panels()
    folder = shop.cache / "sales"
    for left in (".tmp-99999/buckets", "generation-0000000000000000"):
        (folder / left).mkdir(parents=True)
        (folder / left / "shard-00000.parquet").write_bytes(b"PAR1")
    assert shop.panels() == before
    assert len([f for f in folder.iterdir() if f.is_dir()]) == 1


def test_a_damaged_generation_is_made_anew(shop: Shop) -> None:
    shop.write("a", 1)
    before = shop.panels()
    file = next((shop.cache / "sales").glob("generation-*/shard-*.parquet"))
    file.write_bytes(file.read_bytes()[:-4])
    assert shop.panels() == before
    assert shop.splits == [1, 1]


STEPS = [
    ("_rejects", SalesStore),
    ("_place", SalesStore),
    ("_merge", SalesStore),
    ("save", sales),
    ("write_meta", sales),
]


@pytest.mark.parametrize(("name", "owner"), STEPS, ids=lambda p: p if isinstance(p, str) else "")
def test_dying_at_any_step_loses_nothing(shop: Shop, monkeypatch: pytest.MonkeyPatch, name: str, owner: Any) -> None:
    shop.write("a", 1, bad=1)
    shop.update()
    shop.write("b", 2, bad=1)
    expected = fresh(shop)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, die)
        with pytest.raises(KeyboardInterrupt):
            shop.update()
    assert shop.panels() == expected


def test_a_full_disk_is_explained(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    shop.write("a", 1)
    monkeypatch.setattr("fullshelf.engine.shard_files.os.write", full)
    with pytest.raises(RunError, match=r"the disk is full .*make room and call again to resume, or choose another `ou"):
        shop.update()
    assert not list((shop.cache / "sales").glob("**/*.parquet"))


def test_returns_are_counted_by_day(shop: Shop) -> None:
    rows = [(-1.0, 0), (-2.5, 0), (4.0, 0), (-0.5, 3)]
    pl.DataFrame(
        {"sku": ["a"] * 4, "date": [DAY + timedelta(d) for _, d in rows], "units": [u for u, _ in rows]}
    ).write_parquet(shop.data / "a.parquet")
    (file,) = shop.update().generations[0].files
    first = (DAY - date(1970, 1, 1)).days
    assert [(d.day - first, d.rows, d.returned_rows, d.returned_units) for d in file.days] == [
        (0, 3, 2, -3.5),
        (3, 1, 1, -0.5),
    ]
