"""Large sales split by actors on a real cluster of two nodes: the driver's own bytes, whatever happens."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import psutil
import pytest

from fullshelf.cluster.executor import RayExecutor
from fullshelf.cluster.split_worker import SplitWorker
from fullshelf.cluster.splitting import AUTO_ROWS
from fullshelf.engine import split_elsewhere
from fullshelf.engine.config import Config, load_config
from fullshelf.engine.errors import ConfigError, Interrupted, RunError
from fullshelf.engine.executor import LocalExecutor
from fullshelf.engine.refresh import refresh
from fullshelf.engine.stopping import Stop

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # Ray's sockets
    pytest.mark.usefixtures("by_value"),
]
FILES = 4


class Poisoned(SplitWorker):
    """Fails at piece 2."""

    def piece(self, number: int) -> int:
        if number == 2:
            raise ValueError("poison")
        return super().piece(number)


class Slow(SplitWorker):
    """Takes its time, so that a fault has some to happen in."""

    def piece(self, number: int) -> int:
        time.sleep(0.3)
        return super().piece(number)


@pytest.fixture
def market(shop: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The shop with its sales in several files, some rows of which are bad; pieces and ranges are small."""
    sales = shop.tables.pop("sales").with_columns(row=pl.int_range(pl.len()))
    sales = sales.with_columns(units=pl.when(pl.col("row") % 97 == 5).then(None).otherwise("units"))
    shop.write()
    folder = shop.folder / "sales"
    folder.mkdir()
    for number in range(FILES):
        part = sales.filter(pl.col("row") * FILES // sales.height == number).drop("row")
        part.write_csv(folder / "2.csv") if number == 2 else part.write_parquet(folder / f"{number}.parquet")
    config = shop.config.read_text().replace("inputs:\n", "inputs:\n  sales: sales\n")
    shop.config.write_text(config)
    monkeypatch.setattr(split_elsewhere, "PIECE_ROWS", 150)
    monkeypatch.setattr(split_elsewhere, "RANGE_ROWS", 400)
    return shop


def outputs(folder: str | Path) -> dict[str, str]:
    folder = Path(folder)
    names = ("forecasts", "lead_time_demand", "orders", "rejects")
    files = (file for name in names for file in sorted((folder / name).iterdir()))
    return {str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


def generations(runs: Path) -> dict[str, bytes]:
    """What the cache holds of the sales, all its bytes."""
    return {str(f.relative_to(runs)): f.read_bytes() for f in runs.glob(".cache/sales-*/**/*") if f.is_file()}


def here(shop: Any, folder: Path) -> tuple[dict[str, str], dict[str, bytes], dict[str, Any]]:
    config = load_config(shop.config, ["run.shards=8", f"output={folder}"])
    summary = refresh(config, executor=LocalExecutor(1))
    return outputs(summary["folder"]), generations(folder), summary


def there(shop: Any, cluster: Any, *more: str) -> Config:
    words = ["run.shards=8", "run.executor=ray", f"run.address={cluster.address}", "run.gpus_per_actor=1"]
    return load_config(shop.config, [*words, "run.split=cluster", *more])


def run(config: Config, splitter: type[SplitWorker] = SplitWorker, **more: Any) -> dict[str, Any]:
    with RayExecutor(config, splitter=splitter) as executor:
        return refresh(config, executor=executor, **more)


def records(shop: Any, step: str = "pieces") -> list[Path]:
    return sorted(shop.runs.glob(f".cache/sales-*/exchange-*/{step}/*.json"))


def meanwhile(shop: Any, deed: Callable[[], None]) -> threading.Thread:
    """Do something as soon as the second piece is done."""

    def wait() -> None:
        deadline = time.monotonic() + 90
        while len(records(shop)) < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        deed()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def splitting_actors() -> list[psutil.Process]:
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if process.cmdline()[:1] and process.cmdline()[0].startswith(("ray::Slow", "ray::SplitWorker")):
                found.append(process)
        except psutil.Error:
            continue
    return found


def test_sales_split_on_the_cluster_give_the_drivers_bytes(market: Any, cluster: Any, tmp_path: Path) -> None:
    expected, cache, summary = here(market, tmp_path / "here")
    stages: dict[str, list[int]] = {}
    found = run(there(market, cluster), progress=lambda stage, done, of: stages.setdefault(stage, []).append(done))
    assert outputs(found["folder"]) == expected
    assert generations(market.runs) == cache
    assert found["counts"] == summary["counts"]
    sales = found["counts"]["tables"]["sales"]
    assert sales["rejected"] > 0
    assert sales["read"] == sales["used"] + sales["rejected"] == stages["split"][-1]
    assert len(stages["split"]) > FILES
    assert len(stages["sort"]) > 2


@pytest.mark.slow
def test_an_actor_killed_while_it_splits_costs_no_row(market: Any, cluster: Any, tmp_path: Path) -> None:
    expected, cache, _ = here(market, tmp_path / "here")
    killed = list[int]()

    def kill() -> None:
        process = splitting_actors()[0]
        process.kill()
        killed.append(process.pid)

    thread = meanwhile(market, kill)
    found = run(there(market, cluster), Slow)
    thread.join()
    assert killed
    assert generations(market.runs) == cache
    assert outputs(found["folder"]) == expected


@pytest.mark.slow
def test_a_stopped_driver_goes_on_with_the_pieces_that_are_left(market: Any, cluster: Any, tmp_path: Path) -> None:
    expected, cache, _ = here(market, tmp_path / "here")
    stop = Stop()

    def end(stage: str, done: int, of: int | None) -> None:
        if stage == "split" and done:
            stop.set()

    with pytest.raises(Interrupted):
        run(there(market, cluster), Slow, stop=stop, progress=end)
    before = {path.name: path.stat().st_mtime_ns for path in records(market)}
    assert before
    seen = dict[str, int]()

    def look(stage: str, done: int, of: int | None) -> None:
        seen.update({path.name: path.stat().st_mtime_ns for path in records(market)})

    found = run(there(market, cluster), progress=look)
    assert before.items() <= seen.items()
    assert len(seen) > len(before)
    assert generations(market.runs) == cache
    assert outputs(found["folder"]) == expected


@pytest.mark.slow
def test_a_piece_that_no_actor_can_read_ends_the_run_with_its_error(market: Any, cluster: Any) -> None:
    with pytest.raises(RunError, match=r"piece of the sales 2: ValueError: poison; .* call again to resume"):
        run(there(market, cluster), Poisoned)


def test_auto_leaves_small_sales_to_the_driver_and_an_unshared_cache_is_refused(shop: Any) -> None:
    def elsewhere(*words: str) -> Any:
        return RayExecutor(load_config(shop.config, ["run.executor=ray", *words])).elsewhere(Stop())

    assert [elsewhere().takes(rows) for rows in (1, AUTO_ROWS - 1, AUTO_ROWS)] == [False, False, True]
    assert elsewhere("run.split=cluster").takes(1)
    assert elsewhere("run.split=driver") is None
    assert elsewhere("output=s3://bucket/runs") is None
    with pytest.raises(ConfigError, match=r"set run\.work to a folder that every node sees"):
        elsewhere("output=s3://bucket/runs", "run.split=cluster")


@pytest.mark.slow
def test_a_driver_killed_while_it_splits_loses_nothing(market: Any, cluster: Any, tmp_path: Path) -> None:
    expected, cache, _ = here(market, tmp_path / "here")
    program = (
        "import sys; from fullshelf.engine import split_elsewhere as s; s.PIECE_ROWS, s.RANGE_ROWS = 150, 400; "
        "from fullshelf.engine.cli import app; app()"
    )
    words = [sys.executable, "-c", program, "refresh", str(market.config), "--address", cluster.address, "--quiet"]
    words += ["--set", "run.shards=8", "--set", "run.split=cluster"]
    process = subprocess.Popen(words, env=os.environ | {"POLARS_MAX_THREADS": "1"})
    thread = meanwhile(market, lambda: process.send_signal(signal.SIGKILL))
    assert process.wait(180) in (-9, 0)
    thread.join()
    assert outputs(run(there(market, cluster))["folder"]) == expected
    assert generations(market.runs) == cache
