import errno
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from fullshelf.engine.commit import (
    only_one,
    read_current,
    read_record,
    replacing,
    switch_current,
    write_json,
    write_parquet,
)
from fullshelf.engine.errors import RunError


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    write_json(file, {"old": 1})

    def fail_halfway() -> None:
        with replacing(file) as temporary:
            temporary.write_text("half")
            tmp_path.write_text("broken")

    with pytest.raises(IsADirectoryError):
        fail_halfway()
    assert '"old": 1' in file.read_text()
    assert list(tmp_path.iterdir()) == [file]


def test_what_a_kill_leaves_behind_is_no_parquet_file(tmp_path: Path) -> None:
    with replacing(tmp_path / "part-00000.parquet") as temporary:
        pl.DataFrame({"a": [1]}).write_parquet(temporary)
        assert temporary.parent == tmp_path
        assert not list(tmp_path.glob("*.parquet"))
    assert pl.read_parquet(tmp_path / "*.parquet").height == 1


@pytest.mark.parametrize(
    "error",
    [OSError(errno.ENOSPC, "No space left on device"), ValueError("polars: No space left on device (os error 28)")],
)
def test_a_full_disk_is_a_run_error_that_says_what_to_do(tmp_path: Path, error: Exception) -> None:
    with pytest.raises(RunError, match=r"disk is full.*make room and call again"), replacing(tmp_path / "x"):
        raise error


def test_a_really_full_disk_is_noticed() -> None:
    """/dev/full answers every write with ENOSPC."""
    with pytest.raises(OSError, match="No space left"), open("/dev/full", "wb", buffering=0) as file:  # noqa: PTH123
        file.write(b"x")


def test_a_record_counts_only_while_its_files_are_whole(tmp_path: Path) -> None:
    entry = write_parquet(tmp_path / "orders" / "part-00000.parquet", pl.DataFrame({"a": [1, 2]}))
    record = tmp_path / "_shards" / "0.json"
    assert read_record(record, tmp_path) is None
    write_json(record, {"files": [entry]})
    assert read_record(record, tmp_path) == {"files": [entry]}
    with (tmp_path / entry["file"]).open("ab") as file:
        file.write(b"more")
    assert read_record(record, tmp_path) is None
    record.write_text('{"files": [')
    assert read_record(record, tmp_path) is None


def test_the_same_table_gives_the_same_bytes(tmp_path: Path) -> None:
    frame = pl.DataFrame({"sku": [f"s{i}" for i in range(5000)], "x": [i / 7 for i in range(5000)]})
    assert (
        write_parquet(tmp_path / "a.parquet", frame)["sha256"] == write_parquet(tmp_path / "b.parquet", frame)["sha256"]
    )


def test_current_names_only_a_complete_run_and_can_be_switched(tmp_path: Path) -> None:
    assert read_current(tmp_path) is None
    for run in ("one", "two"):
        (tmp_path / run).mkdir()
        switch_current(tmp_path, run)
        assert read_current(tmp_path) is None
        (tmp_path / run / "_SUCCESS").touch()
        assert read_current(tmp_path) == tmp_path / run


def test_current_may_be_a_file_where_links_are_not_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "_SUCCESS").touch()
    switch_current(tmp_path, "one")
    assert (tmp_path / "current").read_text() == "one\n"
    assert read_current(tmp_path) == tmp_path / "one"


def test_a_second_process_is_told_who_is_at_work(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    code = f"""
from pathlib import Path
from fullshelf.engine.commit import only_one
with only_one(Path({str(lock)!r}), "a refresh"):
    print("held")
"""
    with only_one(lock, "a refresh"):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert f"a refresh is at work already (process {os.getpid()})" in done.stderr
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "held\n"
