"""From paths to files: every way to name them, and a message for every way to get it wrong."""

from __future__ import annotations

from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from fullshelf.engine.errors import InputError
from fullshelf.engine.sources import SourceFile, find_files


def names(folder: Path, *paths: str) -> list[str]:
    files = find_files("sales", [str(folder / path) for path in paths])
    return [str(Path(file.path).relative_to(folder)) for file in files]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name in ("b.parquet", "a.csv", "year=2024/c.PARQUET", "year=2025/store=x/d.csv.gz", "_old/e.csv", ".f.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"PAR1")
    (tmp_path / "notes.txt").write_text("no data")
    return tmp_path


def test_a_folder_gives_its_data_files_however_deep_and_none_that_is_hidden(data: Path) -> None:
    assert names(data, ".") == ["a.csv", "b.parquet", "year=2024/c.PARQUET", "year=2025/store=x/d.csv.gz"]


def test_a_pattern_gives_what_it_matches_and_a_list_gives_each_file_once_in_order(data: Path) -> None:
    assert names(data, "*.parquet") == ["b.parquet"]
    assert names(data, "year=*") == ["year=2024/c.PARQUET", "year=2025/store=x/d.csv.gz"]
    assert names(data, "b.parquet", "a.csv", "*.csv") == ["a.csv", "b.parquet"]


def test_folders_between_give_columns(data: Path) -> None:
    partitions = [file.partition for file in find_files("sales", [str(data)])]
    assert partitions == [(), (), (("year", "2024"),), (("year", "2025"), ("store", "x"))]


def test_the_name_says_the_format_and_otherwise_the_first_bytes(data: Path) -> None:
    (data / "export").write_bytes(b"PAR1....")
    (data / "export.dat").write_bytes(b"sku,date,units\n")
    formats = {Path(f.path).name: f.format for f in find_files("sales", [str(data), f"{data}/export*"])}
    assert formats == {
        "a.csv": "csv",
        "b.parquet": "parquet",
        "c.PARQUET": "parquet",
        "d.csv.gz": "csv",
        "export": "parquet",
        "export.dat": "csv",
    }


def test_a_file_url_is_a_local_file(data: Path) -> None:
    assert find_files("sales", [f"file://{data}/a.csv"]) == [SourceFile(str(data / "a.csv"), "csv")]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("c.parquet", r"inputs.sales: .*c.parquet: does not exist; .* holds _old, a.csv, b.parquet, empty"),
        ("none/c.parquet", r"does not exist; .* holds _old, a.csv"),
        ("*.json", r"no file matches this pattern; check the folder"),
        ("empty", r"no Parquet or CSV file in this folder \(it is empty\); expected .parquet, .pq, .csv"),
        ("texts", r"no Parquet or CSV file in this folder \(it holds notes.txt\)"),
        ("loop", r"cannot be read: Too many levels of symbolic links; check that this user may read it"),
    ],
)
def test_a_path_that_gives_nothing_says_why(data: Path, path: str, message: str) -> None:
    (data / "empty").mkdir()
    (data / "texts").mkdir()
    (data / "texts" / "notes.txt").touch()
    (data / "loop").symlink_to(data / "loop")
    with pytest.raises(InputError, match=message):
        names(data, path)


def test_a_folder_without_permission_says_so(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr("os.scandir", denied)  # as root, every real folder can be read
    with pytest.raises(InputError, match=r"cannot be read: Permission denied; check that this user may read it"):
        names(data, ".")


def test_an_object_store_is_listed() -> None:
    store = MemoryFileSystem()
    for name in ("/shop/a.parquet", "/shop/day=1/b.csv", "/shop/_tmp/c.csv"):
        store.pipe_file(name, b"x")
    assert find_files("sales", ["memory://shop"]) == [
        SourceFile("memory:///shop/a.parquet", "parquet"),
        SourceFile("memory:///shop/day=1/b.csv", "csv", (("day", "1"),)),
    ]
    assert [f.path for f in find_files("sales", ["memory://shop/*.parquet"])] == ["memory:///shop/a.parquet"]
    assert [f.path for f in find_files("sales", ["memory://shop/a.parquet"])] == ["memory:///shop/a.parquet"]
    with pytest.raises(InputError, match=r"inputs.sales: memory://none: no file matches; check the address"):
        find_files("sales", ["memory://none"])


def test_a_store_that_cannot_be_used_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="no store is known by nosuch://"):
        find_files("sales", ["nosuch://bucket/a.parquet"])

    def lacking(url: str) -> None:
        raise ImportError("Install ocifs to access OCI")

    monkeypatch.setattr(fsspec.core, "url_to_fs", lacking)
    with pytest.raises(InputError, match=r"oci:// needs a library that is not installed: Install ocifs"):
        find_files("sales", ["oci://bucket/a.parquet"])


def test_a_store_that_refuses_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing(MemoryFileSystem):  # type: ignore[misc]
        def isfile(self, path: str) -> bool:
            raise RuntimeError("403 Forbidden")

    monkeypatch.setattr(fsspec.core, "url_to_fs", lambda url: (Refusing(), "x"))
    with pytest.raises(InputError, match=r"cannot be listed: RuntimeError: 403 Forbidden; check .* credentials"):
        find_files("sales", ["oci://bucket/a.parquet"])
