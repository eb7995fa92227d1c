"""Whole runs whose inputs and outputs lie in an object store: the same bytes as in a folder, whatever fails."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from fullshelf.engine import lease
from fullshelf.engine.cli import app
from fullshelf.engine.config import Config, load_config
from fullshelf.engine.errors import RunError
from fullshelf.engine.executor import LocalExecutor
from fullshelf.engine.job_file import open_job, save_job
from fullshelf.engine.local import Outcome
from fullshelf.engine.pipeline import Record, ShardJob
from fullshelf.engine.refresh import refresh
from fullshelf.engine.run_folder import TABLES
from fullshelf.engine.stopping import Stop
from fullshelf.engine.storage import Remote

URL = "s3://bucket/night=1/runs"


@pytest.fixture
def runs(s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Remote:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user-cache"))
    return Remote(URL, tmp_path / "scratch")


def run(shop: Any, *overrides: str) -> dict[str, Any]:
    return refresh(load_config(shop.config, ["run.shards=4", *overrides]))


def local(summary: dict[str, Any]) -> dict[str, str]:
    """The sha256 of every table of a run in a folder."""
    folder = Path(summary["folder"])
    files = (file for name in TABLES for file in sorted((folder / name).glob("*.parquet")))
    return {file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def remote(folder: Remote) -> dict[str, str]:
    """The sha256 of every table of a run in the store."""
    names = sorted(name for name in folder.below() if name.split("/")[0] in TABLES)
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}


def tight(shop: Any) -> None:
    shop.tables["limits"] = pl.DataFrame({"resource": ["units"], "scope": ["all"], "amount": [150.0]})
    shop.write()


@pytest.mark.parametrize("limited", [False, True], ids=["without limits", "with limits"])
def test_a_run_in_a_store_has_the_bytes_of_one_in_a_folder(shop: Any, runs: Remote, s3: Any, limited: bool) -> None:
    if limited:
        tight(shop)
    here = run(shop)
    there = run(shop, f"output={URL}")
    assert there["folder"] == f"{URL}/{here['run']}"
    folder = runs / here["run"]
    assert remote(folder) == local(here)
    assert (runs / "current").read_text() == f"{here['run']}\n"
    assert b"<html" in (folder / "report.html").read_bytes()
    assert json.loads((folder / "run.json").read_text())["counts"] == here["counts"]
    names = set(runs.below())
    assert not [name for name in names if "_work" in name or "tmp" in name or lease.NAME in name]
    assert run(shop, f"output={URL}/")["already"]


def test_the_order_of_writing_never_shows_half_a_run(shop: Any, runs: Remote, s3: Any) -> None:
    name = run(shop, f"output={URL}")["run"]
    written = [put.removeprefix("night%3D1/runs/").removeprefix("night=1/runs/") for put in s3.written]
    written = [put for put in written if put != lease.NAME]
    for shard in range(4):
        record = written.index(f"{name}/_shards/{shard:05d}-orders.json")
        parts = [at for at, put in enumerate(written) if put.endswith(f"/part-{shard:05d}.parquet")]
        assert len(parts) >= 4
        assert max(parts) < record
    assert written[-3:] == [f"{name}/run.json", f"{name}/_SUCCESS", "current"]


def test_the_night_after_compares_with_the_forecasts_in_the_store(shop: Any, runs: Remote) -> None:
    whole = shop.tables["sales"]
    shop.tables["sales"] = whole.filter(pl.col("date") < whole["date"].max())
    shop.write()
    before = run(shop, f"output={URL}")
    shop.tables["sales"] = whole
    shop.write()
    after = run(shop, f"output={URL}")
    assert before["hindsight"] is None
    assert after["hindsight"]["pairs"] > 0
    assert (runs / "current").read_text().strip() == after["run"]
    assert (runs / before["run"] / "_SUCCESS").exists()


@pytest.mark.parametrize("refused", ["orders/part-00002.parquet", "_SUCCESS", "current"])
def test_a_store_that_fails_leaves_the_last_good_run_and_the_next_call_ends_it(
    shop: Any, runs: Remote, s3: Any, refused: str
) -> None:
    good = run(shop, f"output={URL}")
    shop.tables["sales"] = shop.tables["sales"].with_columns(date=pl.col("date") + timedelta(weeks=1))
    shop.write()
    expected = run(shop)
    s3.refuse = lambda method, name: method == "PUT" and refused in name
    answer = CliRunner().invoke(app, ["refresh", str(shop.config), "--set", f"output={URL}", "--set", "run.shards=4"])
    assert answer.exit_code == 1
    assert refused.split("/")[0] in answer.stderr
    assert "cannot be written" in answer.stderr
    assert "call again to resume" in answer.stderr
    assert "Traceback" not in answer.stderr
    assert (runs / "current").read_text().strip() == good["run"]
    assert not (runs / lease.NAME).exists()
    s3.refuse = lambda method, name: False
    again = run(shop, f"output={URL}")
    assert again["run"] == expected["run"]
    assert remote(runs / again["run"]) == local(expected)
    assert (runs / "current").read_text().strip() == again["run"]


def test_a_store_that_cannot_be_read_at_the_end_is_told(shop: Any, runs: Remote, s3: Any) -> None:
    s3.refuse = lambda method, name: method == "GET" and name.endswith(".parquet")
    with pytest.raises(RunError, match=r"s3://bucket/.*cannot be read"):
        run(shop, f"output={URL}")
    s3.refuse = lambda method, name: False
    assert not run(shop, f"output={URL}")["already"]


def test_finished_shards_are_not_worked_on_again_nor_read(shop: Any, runs: Remote, s3: Any) -> None:
    s3.refuse = lambda method, name: method == "PUT" and "part-00003" in name
    with pytest.raises(RunError):
        run(shop, f"output={URL}", "run.threads=1")
    done = {name for name in runs.below() if name.endswith("-orders.json")}
    assert done
    s3.refuse = lambda method, name: False
    s3.written.clear()
    run(shop, f"output={URL}", "run.threads=1")
    assert not [put for put in s3.written if put.endswith("-orders.json") and put.split("/")[-1] in str(done)]


def test_killed_in_the_middle_it_resumes_with_the_same_bytes(shop: Any, runs: Remote, s3: Any) -> None:
    expected = run(shop, "run.shards=8")
    words = ["-m", "fullshelf.engine", "refresh", shop.config, "--quiet", "--set", f"output={URL}"]
    process = subprocess.Popen([sys.executable, *map(str, words), "--set", "run.shards=8"], env=os.environ)
    until = time.monotonic() + 120
    while not any(put.endswith("-orders.json") for put in s3.written):
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (runs / "current").exists()
    assert (runs / lease.NAME).exists()
    again = run(shop, "run.shards=8", f"output={URL}")
    assert remote(runs / again["run"]) == local(expected)
    assert not (runs / lease.NAME).exists()


def test_inputs_of_a_store_give_the_same_orders(shop: Any, runs: Remote) -> None:
    here = run(shop)
    data = runs.parent / "data"
    for name in shop.tables:
        (data / f"{name}.parquet").send(shop.folder / f"{name}.parquet")
    inputs = [f"inputs.{name}={data}/{name}.parquet" for name in shop.tables]
    there = run(shop, *inputs, f"output={URL}")
    assert remote(runs / there["run"]).keys() == local(here).keys()
    for table in ("forecasts", "lead_time_demand", "orders", "rejects"):
        parts = pl.read_parquet(f"{there['folder']}/{table}/*.parquet")
        assert parts.equals(pl.read_parquet(f"{here['folder']}/{table}/*.parquet"))


class OnAnotherMachine(LocalExecutor):
    """Opens the job from its file alone, where neither the driver's cache nor its inputs are to be seen."""

    def __init__(self, config: Config, hidden: Path) -> None:
        super().__init__(2)
        self._config, self._hidden = config, hidden

    def run(self, job: ShardJob, shards: Sequence[int], stop: Stop) -> Iterator[Outcome[Record]]:
        file = save_job(job, self._config.forecast, self._config.season, shards, 2, stop.check)
        seen = self._hidden.rename(self._hidden.with_name("hidden"))
        try:
            yield from list(super().run(open_job(file), shards, stop))
        finally:
            shutil.rmtree(self._hidden)  # that machine's own scratch
            seen.rename(self._hidden)


def test_another_machine_needs_nothing_but_the_store(shop: Any, runs: Remote, tmp_path: Path) -> None:
    shop.tables["future"] = shop.tables["sales"].select(
        "sku", "location", date=pl.col("date") + timedelta(weeks=70), price=pl.col("price") * 0.9
    )
    shop.write()
    expected = run(shop)
    config = load_config(shop.config, ["run.shards=4", f"output={URL}"])
    there = refresh(config, executor=OnAnotherMachine(config, tmp_path / "user-cache"))
    assert remote(runs / there["run"]) == local(expected)
    assert not [name for name in runs.below() if "_work" in name]


def test_bad_input_writes_nothing_there(shop: Any, runs: Remote) -> None:
    (shop.folder / "stock.parquet").unlink()
    answer = CliRunner().invoke(app, ["refresh", str(shop.config), "--set", f"output={URL}"])
    assert answer.exit_code == 2
    assert runs.below() == {}


def test_another_work_folder_holds_what_is_split(shop: Any, runs: Remote, tmp_path: Path) -> None:
    run(shop, f"output={URL}", f"run.work={tmp_path / 'work'}")
    assert list((tmp_path / "work").glob("*/sales-*"))
    assert not (tmp_path / "user-cache").exists()
    run(shop, f"run.work={tmp_path / 'work'}")  # of a run in a folder too
    assert not (shop.runs / ".cache").exists()
