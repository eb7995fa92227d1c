"""What all tests share: steady examples of Hypothesis, and a real S3 API on loopback.

Hypothesis tries the same examples in every run, so that `make test` answers the same on each machine;
`HYPOTHESIS_PROFILE=search make test` looks for new ones.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from hypothesis import settings

from fullshelf.bench.faulty_store import store_environment

settings.register_profile("steady", derandomize=True, deadline=None, database=None)
settings.register_profile("search", deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))


@pytest.fixture(scope="module")
def one_torch_thread() -> Iterator[None]:
    """Compute with one thread: two that wait for each other on a busy machine took six times as long."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class S3:
    """moto's server in this process; `refuse` makes it answer 403 to the requests that a test chooses."""

    def __init__(self, endpoint: str) -> None:
        self.environment = store_environment(endpoint)
        self.written: list[str] = []  # names in the bucket, in the order of their PUTs
        self.refuse: Callable[[str, str], bool] = lambda method, name: False


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3]:
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    moto = DomainDispatcherApplication(create_backend_app)

    def application(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        method, name = environ["REQUEST_METHOD"], environ["PATH_INFO"].removeprefix("/bucket/")
        if s3.refuse(method, name):
            start("403 Forbidden", [("Content-Type", "application/xml")])
            return [b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"]
        if method == "PUT":
            s3.written.append(name)
        answer: Iterable[bytes] = moto(environ, start)
        return answer

    server = make_server("127.0.0.1", 0, application, threaded=True)
    s3 = S3(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, name="s3")
    thread.start()
    yield s3
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def s3(s3_server: S3, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3]:
    """An empty bucket called `bucket`, reached by the environment."""
    import boto3

    from fullshelf.engine import storage

    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    storage._client.cache_clear()
    bucket = boto3.resource("s3").Bucket("bucket")
    bucket.create()
    s3_server.written.clear()
    yield s3_server
    s3_server.refuse = lambda method, name: False
    bucket.objects.all().delete()
    bucket.delete()
    storage._client.cache_clear()
