"""Sales split by other processes: what one process alone would make, byte by byte, whatever is killed or repeated."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from fullshelf.engine import exchange as steps
from fullshelf.engine import split_elsewhere as driver
from fullshelf.engine.errors import InputError, RunError
from fullshelf.engine.exchange import Exchange, join_range, split_piece
from fullshelf.engine.fingerprints import Fingerprints
from fullshelf.engine.pickled import JobFile, read_job
from fullshelf.engine.sales import SalesStore
from fullshelf.engine.sources import find_files
from fullshelf.engine.split_elsewhere import Step, Steps
from fullshelf.engine.tables import table_of
from fullshelf.engine.watch import Watch

WATCH = Watch(lambda stage, done, total: None, lambda: None, 1)
DAY = date(2024, 1, 1)


class Here:
    """Runs the steps in this process, the last one first; what a test does to a step comes before it."""

    def __init__(self, before: Callable[[Step, int, Exchange], None] = lambda step, number, exchange: None) -> None:
        self.ran: list[tuple[Step, int]] = []
        self._before = before

    def takes(self, rows: int) -> bool:
        return True

    @contextmanager
    def working(self, job: JobFile) -> Iterator[Steps]:
        exchange: Exchange = read_job(job)["exchange"]

        def run(step: Step, numbers: Sequence[int]) -> Iterator[int]:
            for number in reversed(numbers):
                self._before(step, number, exchange)
                if step == "piece":
                    split_piece(exchange, number, lambda: None)
                else:
                    join_range(exchange, number, 1, lambda: None)
                self.ran.append((step, number))
                yield number

        yield run


def rows(seed: int, count: int = 60, bad: int = 0, price: bool = True) -> pl.DataFrame:
    draw = np.random.default_rng(seed)
    frame = pl.DataFrame(
        {
            "sku": [f"s{i}" for i in draw.integers(0, 12, count)],
            "location": [("x", "y", "")[i] for i in draw.integers(0, 3, count)],
            "date": [DAY + timedelta(int(i)) for i in draw.integers(0, 20, count)],
            "units": [None] * bad + np.round(draw.normal(2, 3, count - bad), 1).tolist(),
        }
    )
    return frame.with_columns(pl.Series("price", np.round(draw.uniform(1, 9, count), 2))) if price else frame


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Files of all kinds: long, short, empty, with rejects in several places, without a column, CSV."""
    folder = tmp_path / "data"
    folder.mkdir()
    pl.concat([rows(0), rows(1, bad=7), rows(2, bad=3)]).write_parquet(folder / "a.parquet", row_group_size=50)
    rows(3, 5).write_parquet(folder / "b.parquet")
    rows(4, price=False).write_parquet(folder / "c.parquet")
    rows(5, 40, bad=2).write_csv(folder / "d.csv")
    rows(6, 0).write_parquet(folder / "e.parquet")
    return folder


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "PIECE_ROWS", 37)
    monkeypatch.setattr(driver, "RANGE_ROWS", 50)
    monkeypatch.setattr(steps, "CHUNK_ROWS", 16)


def split(data: Path, folder: Path, elsewhere: Here | None, watch: Watch = WATCH, shards: int = 8) -> SalesStore:
    files = find_files("sales", [str(data)])
    known = Fingerprints(folder / "memory.json").of(files, watch)
    store = SalesStore(folder / "sales", table_of("sales", ["price"]), {}, shards, elsewhere)
    store.update([(file, known[file.path]) for file in files], watch)
    return store


def content(store: SalesStore) -> dict[str, bytes]:
    folder = store.folder
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.parametrize("shards", [1, 3, 64])
def test_the_split_sales_are_those_of_one_process_byte_by_byte(data: Path, tmp_path: Path, shards: int) -> None:
    alone = split(data, tmp_path / "alone", None, shards=shards)
    elsewhere = Here()
    together = split(data, tmp_path / "together", elsewhere, shards=shards)
    assert content(together) == content(alone)
    assert sum(step == "piece" for step, _ in elsewhere.ran) >= 7
    assert sum(step == "range" for step, _ in elsewhere.ran) == min(shards, 6)
    (generation,) = together.generations
    assert sum(file.read - file.used for file in generation.files) == 12
    assert sum(file.rejects is not None for file in generation.files) == 2


def test_one_file_that_is_one_piece_gives_the_bytes_of_one_process(data: Path, tmp_path: Path) -> None:
    for name in "bcde":
        next(data.glob(f"{name}.*")).unlink()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(driver, "PIECE_ROWS", 1000)
        elsewhere = Here()
        together = split(data, tmp_path / "together", elsewhere)
    assert content(together) == content(split(data, tmp_path / "alone", None))
    assert [number for step, number in elsewhere.ran if step == "piece"] == [0]


@pytest.mark.parametrize("at", [("piece", 3), ("range", 2)])
def test_a_driver_that_died_goes_on_from_the_steps_that_are_done(
    data: Path, tmp_path: Path, at: tuple[Step, int]
) -> None:
    def die(step: Step, number: int, exchange: Exchange) -> None:
        if (step, number) == at:
            raise KeyboardInterrupt

    first, second = Here(die), Here()
    with pytest.raises(KeyboardInterrupt):
        split(data, tmp_path / "together", first)
    together = split(data, tmp_path / "together", second)
    assert first.ran
    assert not set(first.ran) & set(second.ran)
    assert len(first.ran) + len(second.ran) == len({*first.ran, *second.ran})
    assert content(together) == content(split(data, tmp_path / "alone", None))


def test_steps_that_run_twice_or_were_killed_half_way_change_nothing(data: Path, tmp_path: Path) -> None:
    def twice(step: Step, number: int, exchange: Exchange) -> None:
        if step == "piece":
            split_piece(exchange, number, lambda: None)
            (exchange.folder / "pieces" / ".tmp-1-half.part").write_bytes(b"half")
        else:
            join_range(exchange, number, 1, lambda: None)
            (exchange.folder / ".tmp-half" / "buckets").mkdir(parents=True, exist_ok=True)

    together = split(data, tmp_path / "together", Here(twice))
    assert content(together) == content(split(data, tmp_path / "alone", None))


def test_results_that_got_lost_are_made_again(data: Path, tmp_path: Path) -> None:
    def die(step: Step, number: int, exchange: Exchange) -> None:
        if (step, number) == ("range", 1):
            next(exchange.out.glob("shard-*")).unlink()
            next((exchange.folder / "pieces").glob("00000-*.segments")).unlink()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        split(data, tmp_path / "together", Here(die))
    second = Here()
    together = split(data, tmp_path / "together", second)
    assert ("piece", 0) in second.ran
    assert content(together) == content(split(data, tmp_path / "alone", None))


def test_a_damaged_segment_is_noticed_by_who_reads_it(data: Path, tmp_path: Path) -> None:
    def damage(step: Step, number: int, exchange: Exchange) -> None:
        if step == "range":
            file = next((exchange.folder / "pieces").glob("00000-*.segments"))
            file.write_bytes(bytes(file.stat().st_size))

    with pytest.raises(RunError, match=r"segments: is damaged, gone or not seen.*delete .*exchange-"):
        split(data, tmp_path / "together", Here(damage))


def test_rows_that_get_lost_on_the_way_end_the_run(data: Path, tmp_path: Path) -> None:
    def lose(step: Step, number: int, exchange: Exchange) -> None:
        if (step, number) == ("range", 0):
            index = steps.index_path(exchange, 0)
            pl.read_parquet(index)[1:].write_parquet(index)

    with pytest.raises(RunError, match=r"rows were read, but .* written"):
        split(data, tmp_path / "together", Here(lose))


class Absent(Here):
    """Says that it did a step, but nobody sees what it wrote; or only after a while."""

    def __init__(self, hidden: float) -> None:
        super().__init__()
        self._hidden = hidden

    @contextmanager
    def working(self, job: JobFile) -> Iterator[Steps]:
        exchange: Exchange = read_job(job)["exchange"]
        with super().working(job) as run:

            def late(step: Step, numbers: Sequence[int]) -> Iterator[int]:
                for number in run(step, numbers):
                    record = steps.piece_record(exchange, number)
                    if step == "piece" and number == 0:
                        aside = record.rename(record.with_suffix(".late"))
                        show = threading.Timer(self._hidden, aside.rename, (record,))
                        show.start()
                        try:
                            yield number
                        finally:
                            show.join()
                    else:
                        yield number

            yield late


def test_records_that_appear_late_are_waited_for_and_those_that_never_do_end_the_run(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = split(data, tmp_path / "together", Absent(0.3))
    assert content(together) == content(split(data, tmp_path / "alone", None))
    monkeypatch.setattr(driver, "APPEAR_SECONDS", 0.1)
    with pytest.raises(RunError, match=r"00000\.json: was written on another machine, but is not to be seen"):
        split(data, tmp_path / "again", Absent(0.5))


def test_a_file_that_changes_meanwhile_ends_the_run(data: Path, tmp_path: Path) -> None:
    def change(step: Step, number: int, exchange: Exchange) -> None:
        if (step, number) == ("piece", 1):
            rows(9, 77).write_parquet(data / "a.parquet")

    with pytest.raises(RunError, match="does not see the file that the driver saw"):
        split(data, tmp_path / "together", Here(change))


def test_a_file_without_one_usable_row_is_explained_as_by_one_process(data: Path, tmp_path: Path) -> None:
    rows(7).with_columns(units=pl.lit("many")).write_parquet(data / "f.parquet")
    for folder, elsewhere in (("alone", None), ("together", Here())):
        with pytest.raises(InputError, match=r"f\.parquet: no cell of column 'units' .* 'many'"):
            split(data, tmp_path / folder, elsewhere)


def test_the_next_night_splits_what_is_new_and_keeps_the_rest(data: Path, tmp_path: Path) -> None:
    for folder in ("alone", "together"):
        split(data, tmp_path / folder, None if folder == "alone" else Here())
    rows(8, 30).write_parquet(data / "g.parquet")
    second = Here()
    together = split(data, tmp_path / "together", second)
    assert [number for step, number in second.ran if step == "piece"] == [0]
    assert content(together) == content(split(data, tmp_path / "alone", None))


def test_many_rejects_have_the_bytes_of_one_process_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "PIECE_ROWS", 50_000)
    monkeypatch.setattr(steps, "CHUNK_ROWS", 1 << 21)
    (tmp_path / "data").mkdir()
    many = rows(0, 400_000).with_columns(units=pl.when(pl.int_range(pl.len()) % 3 > 0).then(1e15).otherwise("units"))
    many.write_parquet(tmp_path / "data" / "a.parquet", row_group_size=30_000)
    together = split(tmp_path / "data", tmp_path / "together", Here())
    assert content(together) == content(split(tmp_path / "data", tmp_path / "alone", None))
