"""An S3 server on this machine that fails when it is told to: moto's, in a process of its own.

What lies in it is kept while it fails, as in a real store. It answers every request with an error, or none at all.
"""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["FaultyStore", "faulty_store", "store_environment"]

START_SECONDS = 60.0
WORDS = {403: "AccessDenied", 503: "SlowDown"}


def store_environment(endpoint: str) -> dict[str, str]:
    """Return the environment variables by which a client finds a server of moto's on this machine."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "dummy",
        "AWS_SECRET_ACCESS_KEY": "dummy",
        "NO_PROXY": "127.0.0.1",
    }


class FaultyStore:
    """A server at work, and what can be done to it."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, mode: Path) -> None:
        self._process, self._mode, self._refused = process, mode, _refused(mode)
        self.environment = store_environment(f"http://127.0.0.1:{port}")

    def answer(self, status: int) -> None:
        """Answer every request from now on with an error of this status, 403 or 503."""
        self._mode.write_text(str(status), encoding="utf-8")

    def refused(self) -> int:
        """Return how many requests were answered with an error so far."""
        return self._refused.stat().st_size if self._refused.exists() else 0

    def heal(self) -> None:
        """Serve again."""
        self._mode.write_text("", encoding="utf-8")

    def freeze(self) -> None:
        """Answer nothing; connections stay open."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Go on after `freeze`."""
        self._process.send_signal(signal.SIGCONT)


@contextmanager
def faulty_store(folder: Path, bucket: str) -> Iterator[FaultyStore]:
    """Start a server with an empty bucket; its small files lie in `folder`.

    Raises
    ------
    RuntimeError
        If it does not start.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port, mode = folder / "port", folder / "mode"
    mode.write_text("", encoding="utf-8")
    words = [sys.executable, "-m", "fullshelf.bench.faulty_store", bucket, str(port), str(mode)]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        begun = time.monotonic()
        while not port.exists():
            if process.poll() is not None or time.monotonic() - begun > START_SECONDS:
                process.kill()
                said = process.communicate()[1].decode()[-500:]
                raise RuntimeError(f"the S3 server for the faults did not start: {said}")
            time.sleep(0.05)
        yield FaultyStore(process, int(port.read_text(encoding="utf-8")), mode)
    finally:
        process.kill()
        process.communicate()


def _refused(mode: Path) -> Path:
    """Return the file that holds a byte for each request that was refused."""
    return mode.with_name("refused")


def _serve(bucket: str, port: Path, mode: Path) -> None:
    """Serve until the process is killed."""
    from moto.core.models import DEFAULT_ACCOUNT_ID
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from moto.s3.models import s3_backends
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    moto = DomainDispatcherApplication(create_backend_app)
    s3_backends[DEFAULT_ACCOUNT_ID]["aws"].create_bucket(bucket, "us-east-1")

    def application(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        status = mode.read_text(encoding="utf-8")
        if status:
            word = WORDS[int(status)]
            with _refused(mode).open("ab") as count:
                count.write(b".")
            start(f"{status} {word}", [("Content-Type", "application/xml")])
            return [f"<Error><Code>{word}</Code><Message>as asked for</Message></Error>".encode()]
        answer: Iterable[bytes] = moto(environ, start)
        return answer

    server = make_server("127.0.0.1", 0, application, threaded=True)
    unfinished = port.with_suffix(".new")
    unfinished.write_text(str(server.server_port), encoding="utf-8")
    unfinished.replace(port)
    server.serve_forever()


if __name__ == "__main__":
    _serve(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
