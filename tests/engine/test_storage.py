"""Files in an object store, the lease on a prefix of it, and records whose files lie there: against a real S3 API."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from fullshelf.engine import lease
from fullshelf.engine.commit import read_current, read_record, replacing, switch_current, write_json, write_parquet
from fullshelf.engine.errors import ConfigError, Interrupted, RunError
from fullshelf.engine.stopping import Stop
from fullshelf.engine.storage import Remote, place, read_back, work_folder


@pytest.fixture
def runs(s3: Any, tmp_path: Path) -> Remote:
    return Remote("s3://bucket/shop/runs", tmp_path / "sending")


def test_a_file_is_sent_whole_and_nothing_of_it_stays_here(runs: Remote) -> None:
    file = runs / "a" / "x.txt"
    assert not file.exists()
    with replacing(file) as temporary:
        temporary.write_text("hello")
        assert not file.exists()
    assert file.read_text() == "hello"
    assert file.stat() is not None
    assert (file.name, str(file.parent)) == ("x.txt", "s3://bucket/shop/runs/a")
    assert file.read_bytes(most=2) == b"he"
    assert list(runs.scratch.iterdir()) == []


def test_a_file_that_was_not_finished_is_not_sent(runs: Remote, s3: Any) -> None:
    def half_way() -> None:
        with replacing(runs / "x") as temporary:
            temporary.write_text("half")
            raise ValueError("half-way")

    with pytest.raises(ValueError, match="half-way"):
        half_way()
    assert s3.written == []
    assert list(runs.scratch.iterdir()) == []


def test_a_large_file_appears_as_one(runs: Remote, tmp_path: Path) -> None:
    content = os.urandom(12 << 20)
    (tmp_path / "large").write_bytes(content)
    sent = (runs / "large").send(tmp_path / "large")
    assert sent.size == len(content)
    assert (runs / "large").stat() == sent
    assert (runs / "large").read_bytes() == content


def test_what_lies_below_a_prefix_is_listed_and_removed_and_its_neighbours_are_not(runs: Remote) -> None:
    for name in ("one/a", "one/b/c", "one-more/d"):
        (runs / name).send(name.encode())
    assert sorted((runs / "one").below()) == ["a", "b/c"]
    assert sorted(runs.below()) == ["one-more/d", "one/a", "one/b/c"]
    (runs / "one").remove_below()
    assert sorted(runs.below()) == ["one-more/d"]
    (runs / "one" / "a").unlink(missing_ok=True)


def test_conditions_are_kept(runs: Remote) -> None:
    file = runs / "x"
    first = file.send_if(b"1", None)
    assert first is not None
    assert file.send_if(b"2", None) is None
    second = file.send_if(b"22", first.etag)
    assert second is not None
    assert file.send_if(b"3", first.etag) is None
    assert file.read_bytes() == b"22"


def test_a_record_counts_only_while_its_files_are_as_they_were_written(runs: Remote, s3: Any) -> None:
    run = runs / "run"
    entry = write_parquet(run / "orders" / "part-00000.parquet", pl.DataFrame({"a": [1, 2]}))
    assert (entry["file"], entry["rows"]) == ("orders/part-00000.parquet", 2)
    record = run / "_shards" / "00000-orders.json"
    assert read_record(record, run) is None
    write_json(record, {"files": [entry]})
    part = run / "orders" / "part-00000.parquet"
    reads: list[str] = []
    s3.refuse = lambda method, name: method == "GET" and name.endswith(".parquet") and reads.append(name) is None
    for listed in (None, run.below()):
        assert read_record(record, run, listed) == {"files": [entry]}
    assert reads == []  # size and ETag were enough
    s3.refuse = lambda method, name: False
    content = part.read_bytes()
    write_json(record, {"files": [entry | {"etag": "of an earlier sending of the same bytes"}]})
    assert read_record(record, run) is not None
    part.send(content[:-1] + b"!")
    assert read_record(record, run) is None
    part.send(content[:-1])
    assert read_record(record, run) is None
    part.unlink()
    assert read_record(record, run) is None
    assert read_record(record, run, run.below()) is None


def test_current_names_a_complete_run(runs: Remote) -> None:
    assert read_current(runs) is None
    switch_current(runs, "one")
    assert read_current(runs) is None  # not complete
    (runs / "one" / "_SUCCESS").send(b"one\n")
    assert read_current(runs) == runs / "one"
    assert (runs / "current").read_text() == "one\n"


def test_a_store_that_fails_is_told_with_its_address(runs: Remote, s3: Any) -> None:
    s3.refuse = lambda method, name: True
    for ask in (lambda: runs.send(b""), lambda: runs.below(), lambda: runs.stat(), lambda: runs.read_bytes()):
        with pytest.raises(RunError, match=r"s3://bucket/shop/runs: cannot be .*Access Denied.*call again|403"):
            ask()
    with pytest.raises(ConfigError, match=r"cannot be written .*check the credentials"):
        runs.send_if(b"", None)
    with pytest.raises(RunError, match=r"s3://bucket/x: cannot be read \("), read_back(runs.parent.parent / "x"):
        pl.read_parquet("s3://bucket/x")


def test_a_bucket_that_does_not_exist_is_an_error_of_the_configuration(runs: Remote) -> None:
    elsewhere = Remote("s3://other-bucket/runs", runs.scratch)
    with pytest.raises(ConfigError, match="s3://other-bucket/runs/x: there is no such bucket"):
        (elsewhere / "x").send(b"")
    with pytest.raises(ConfigError, match="no such bucket"):
        (elsewhere / "x").send_if(b"", None)


def test_what_is_no_place_for_runs_is_told(tmp_path: Path) -> None:
    assert place(str(tmp_path), tmp_path) == tmp_path
    for url in ("http://host/runs", "file:///runs"):
        with pytest.raises(ConfigError, match=r"expected a local folder or s3://, gs://, az://.*found (http|file)://"):
            place(url, tmp_path)
    with pytest.raises(ConfigError, match="names no bucket"):
        place("s3:///runs", tmp_path)


def test_each_output_has_a_work_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    one = work_folder("s3://bucket/one", None)
    assert one.parent == tmp_path / "fullshelf"
    assert one == work_folder("s3://bucket/one/", None) != work_folder("s3://bucket/two", None)
    assert work_folder("s3://bucket/one", "/scratch") == Path("/scratch") / one.name


class TestLease:
    @pytest.fixture(autouse=True)
    def _short(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(lease, "LAPSE_SECONDS", 0.6)
        monkeypatch.setattr(lease, "RENEW_SECONDS", 0.1)
        monkeypatch.setattr(lease, "LOOK_SECONDS", 0.05)

    def test_it_is_held_by_one_and_given_back(self, runs: Remote) -> None:
        with lease.holding(runs, Stop()):
            owner = json.loads((runs / lease.NAME).read_text())
            assert owner["process"] == os.getpid()
            with (
                pytest.raises(RunError, match=rf"another refresh is at work there \(process {os.getpid()} on"),
                lease.holding(runs, Stop()),
            ):
                pass
        assert not (runs / lease.NAME).exists()
        with lease.holding(runs, Stop()):
            pass

    def test_one_left_by_a_dead_process_of_this_machine_is_taken_at_once(
        self, runs: Remote, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(lease, "LAPSE_SECONDS", 1000.0)
        with lease.holding(runs, Stop()):
            owner = json.loads((runs / lease.NAME).read_text())
        write_json(runs / lease.NAME, owner | {"born": owner["born"] - 1})  # its number was given to this process
        with lease.holding(runs, Stop()):
            assert json.loads((runs / lease.NAME).read_text())["born"] == owner["born"]

    def test_one_left_by_another_machine_is_taken_when_it_has_lapsed(self, runs: Remote) -> None:
        write_json(runs / lease.NAME, {"host": "elsewhere", "process": 1})
        with lease.holding(runs, Stop()):
            assert json.loads((runs / lease.NAME).read_text())["process"] == os.getpid()

    def test_who_waits_for_it_can_be_stopped(self, runs: Remote) -> None:
        write_json(runs / lease.NAME, {"host": "elsewhere", "process": 1})
        stop = Stop()
        stop.set()
        with pytest.raises(Interrupted), lease.holding(runs, stop):
            pass

    def test_who_loses_it_stops_and_leaves_it_to_the_other(self, runs: Remote) -> None:
        stop, lost = Stop(), threading.Event()
        with lease.holding(runs, stop):
            write_json(runs / lease.NAME, {"host": "elsewhere", "process": 1})
            while not stop.wanted:
                assert not lost.wait(0.01)
        assert json.loads((runs / lease.NAME).read_text())["host"] == "elsewhere"
