"""Content decides; a stat is trusted where it can be; and a file that changes meanwhile is noticed."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import polars as pl
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from fullshelf.engine import fingerprints, url_files
from fullshelf.engine.errors import InputError, RunError
from fullshelf.engine.fingerprints import Fingerprints, Known, check_unchanged, combine
from fullshelf.engine.sources import SourceFile, find_files
from fullshelf.engine.watch import Watch

WATCH = Watch(lambda stage, done, total: None, lambda: None, 2)


def look(folder: Path) -> dict[str, Known]:
    known = Fingerprints(folder / "memory.json").of(find_files("sales", [str(folder / "data")]), WATCH)
    return {Path(path).name: k for path, k in known.items()}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    pl.DataFrame({"sku": ["a", "b", "c"]}).write_parquet(tmp_path / "data" / "a.parquet")
    (tmp_path / "data" / "b.csv").write_text("sku,date,units\n" * 64)
    return tmp_path


def age(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the clock be an hour later than the file."""
    now = file.stat().st_ctime_ns + 3600 * 10**9
    monkeypatch.setattr(fingerprints.time, "time_ns", lambda: now)


def test_a_fingerprint_is_the_sha256_of_the_content_and_rows_are_counted_or_guessed(data: Path) -> None:
    known = look(data)
    for name, k in known.items():
        assert k.content == hashlib.sha256((data / "data" / name).read_bytes()).hexdigest()
    assert known["a.parquet"].rows == 3
    assert 10 <= known["b.csv"].rows <= 100


def test_a_file_left_alone_is_not_read_again_but_a_new_time_means_a_new_look(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = data / "data" / "b.csv"
    age(file, monkeypatch)
    first = look(data)
    read = []
    plain = fingerprints._look
    monkeypatch.setattr(fingerprints, "_look", lambda f, stop: read.append(Path(f.path).name) or plain(f, stop))
    assert look(data) == first
    assert read == []
    os.utime(file)
    assert look(data)["b.csv"].content == first["b.csv"].content
    assert read == ["b.csv"]


def test_a_file_of_the_same_size_written_at_once_is_noticed(data: Path) -> None:
    file = data / "data" / "b.csv"
    first = look(data)["b.csv"]
    times = file.stat().st_atime_ns, file.stat().st_mtime_ns
    file.write_text("ski,date,units\n" * 64)
    os.utime(file, ns=times)
    assert look(data)["b.csv"].content != first.content


def test_a_torn_memory_is_forgotten(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    age(data / "data" / "b.csv", monkeypatch)
    first = look(data)
    (data / "memory.json").write_text("{")
    assert look(data) == first


def test_the_identity_tells_apart_how_a_content_is_read() -> None:
    known = Known("0" * 64, 1, ())
    files = [SourceFile("a", "csv"), SourceFile("b", "parquet"), SourceFile("c", "csv", (("day", "1"),))]
    assert len({known.identity(file) for file in files}) == 3
    assert known.identity(SourceFile("x", "csv")) == known.identity(SourceFile("y", "csv"))


def test_combined_texts_cannot_be_shifted_into_each_other() -> None:
    assert combine(["ab", "c"]) != combine(["a", "bc"])


def test_an_empty_file_is_an_error(data: Path) -> None:
    (data / "data" / "c.csv").touch()
    with pytest.raises(InputError, match=r"c.csv: the file is empty \(0 bytes\); was its export cut short\?"):
        look(data)


def test_an_unreadable_file_is_an_error(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = find_files("sales", [str(data / "data" / "b.csv")])
    (data / "data" / "b.csv").unlink()
    with pytest.raises(InputError, match=r"b.csv: cannot be read: No such file or directory"):
        Fingerprints(data / "memory.json").of(files, WATCH)


def test_a_file_that_changes_while_it_is_read_is_an_error(data: Path) -> None:
    files = find_files("sales", [str(data / "data" / "b.csv")])
    known = list(Fingerprints(data / "memory.json").of(files, WATCH).values())
    check_unchanged(files, known)
    (data / "data" / "b.csv").write_text("more")
    with pytest.raises(RunError, match=r"b.csv: changed while it was read; call again when it is complete"):
        check_unchanged(files, known)


def test_files_of_an_object_store_are_known_by_their_tag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tag = ["one"]

    class Tagged(MemoryFileSystem):  # type: ignore[misc]
        def info(self, path: str, **options: object) -> dict[str, object]:
            return {"name": path, "size": 320, "type": "file", "ETag": tag[0]}

    monkeypatch.setattr(url_files, "_file_system", lambda url: (Tagged(), "/x.csv"))
    file = SourceFile("oci://bucket/x.csv", "csv")
    of = [Fingerprints(tmp_path / "memory.json").of([file], WATCH)[file.path] for tag[0] in ("one", "one", "two")]
    assert of[0] == of[1] != of[2]
    assert of[0].rows == 11


def test_the_end_can_be_asked_for_while_hashing(data: Path) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Fingerprints(data / "memory.json").of(find_files("sales", [str(data / "data")]), Watch(WATCH.progress, stop, 1))
