"""Inputs in an object store: listed through fsspec, read by Polars; here from a small S3 server in this process."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import fsspec
import polars as pl
import pytest
from fsspec.implementations.dirfs import DirFileSystem
from fsspec.implementations.local import LocalFileSystem

from fullshelf.engine.config import parse_config
from fullshelf.engine.errors import InputError
from fullshelf.engine.intake import prepare

DAY = date(2024, 1, 1)


class Bucket(DirFileSystem):  # type: ignore[misc]
    """A folder that answers as s3fs would."""

    protocol = "s3"

    def unstrip_protocol(self, name: str) -> str:
        return f"s3://bucket/{name}"


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    root = tmp_path / "bucket"
    root.mkdir()

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            file = root / self.path.split("?")[0].removeprefix("/bucket/")
            if not file.is_file():
                self.send_error(404)
                return
            content, wanted = file.read_bytes(), self.headers.get("Range")
            begin, end = 0, len(content)
            if wanted:
                first, last = wanted.removeprefix("bytes=").split("-")
                begin, end = (int(first), min(end, int(last or end) + 1)) if first else (max(0, end - int(last)), end)
            self.send_response(206 if wanted else 200)
            self.send_header("Content-Length", str(end - begin))
            self.send_header("Content-Range", f"bytes {begin}-{end - 1}/{len(content)}")
            self.send_header("ETag", f'"{hash(content)}"')
            self.send_header("Last-Modified", "Mon, 01 Jan 2024 00:00:00 GMT")
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content[begin:end])

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    settings = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "NO_PROXY": "127.0.0.1",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    plain = fsspec.core.url_to_fs

    def url_to_fs(url: str) -> tuple[Any, str]:
        if not url.startswith("s3://"):
            found: tuple[Any, str] = plain(url)
            return found
        return Bucket(path=str(root), fs=LocalFileSystem()), url.removeprefix("s3://bucket/")

    monkeypatch.setattr(fsspec.core, "url_to_fs", url_to_fs)
    yield root
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("where", ["sales", "sales/*.parquet", "sales/a.parquet"])
def test_sales_of_an_object_store_are_read_and_followed(bucket: Path, tmp_path: Path, where: str) -> None:
    (bucket / "sales").mkdir()
    pl.DataFrame({"sku": ["a"], "date": [DAY], "units": [2.0]}).write_parquet(bucket / "sales" / "a.parquet")
    (bucket / "stock.csv").write_text("sku;on_hand\na;7\n")
    inputs = {"sales": f"s3://bucket/{where}", "stock": "s3://bucket/stock.csv"}
    config = parse_config({"period": "day", "inputs": inputs}, base=tmp_path)
    first = prepare(config, tmp_path / "cache")
    given = first.read(0, 1)
    assert given.panel.units.tolist() == [2]
    assert given.stock["on_hand"].to_list() == [7]
    assert prepare(config, tmp_path / "cache").fingerprint == first.fingerprint
    pl.DataFrame({"sku": ["a"] * 2, "date": [DAY] * 2, "units": [2.0, 3.0]}).write_parquet(
        bucket / "sales" / "a.parquet"
    )
    second = prepare(config, tmp_path / "cache")
    assert second.fingerprint != first.fingerprint
    assert second.read(0, 1).panel.units.tolist() == [5]


def test_a_store_that_does_not_hold_the_file_says_so(
    bucket: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pl.DataFrame({"sku": ["a"], "date": [DAY], "units": [2.0]}).write_parquet(bucket / "a.parquet")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"{os.environ['AWS_ENDPOINT_URL']}/elsewhere")
    config = parse_config({"period": "day", "inputs": {"sales": "s3://bucket/a.parquet"}}, base=tmp_path)
    with pytest.raises(InputError, match=r"s3://bucket/a.parquet: cannot be read \(.*\); check the file, the address"):
        prepare(config, tmp_path / "cache")
