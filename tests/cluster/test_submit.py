"""`fullshelf submit` against `ray start --head` on this machine, with a token; the run lies in an object store."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from fullshelf.engine.config import load_config
from fullshelf.engine.refresh import refresh
from fullshelf.engine.run_folder import TABLES
from fullshelf.engine.storage import Remote

TOKEN = "a-throw-away-token-of-this-test-" + "1" * 16
ATTEMPTS = 3


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports


@pytest.fixture(scope="module")
def head(s3_server: Any) -> Iterator[str]:
    """A cluster of one node with a dashboard, by Ray's own command; its address."""
    folder = tempfile.mkdtemp(prefix="fs-", dir="/tmp")  # short: sockets lie below it
    here = Path(sys.executable).parent
    environment = os.environ | s3_server.environment | {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN}
    environment |= {"PATH": f"{here}:{os.environ['PATH']}", "XDG_CACHE_HOME": f"{folder}/cache"}
    environment = {name: value for name, value in environment.items() if name != "RAY_ADDRESS"}
    begun: list[subprocess.Popen[str]] = []
    try:
        for _ in range(ATTEMPTS):  # on a busy machine Ray gives up before its processes have begun
            dashboard, said = begin(here / "ray", folder, environment, begun)
            if dashboard is not None:
                break
        else:
            pytest.fail(f"ray start: {said[-2000:]}")
        yield f"http://127.0.0.1:{dashboard}"
    finally:
        for process in begun:
            end(process)
        shutil.rmtree(folder, ignore_errors=True)


def begin(
    ray: Path, folder: str, environment: dict[str, str], begun: list[subprocess.Popen[str]]
) -> tuple[int | None, str]:
    """Start a head; its dashboard's port, or None if it ended, and what it said."""
    gcs, dashboard, agent, client, metrics = free_ports(5)
    words = ["start", "--head", "--block", "--disable-usage-stats", "--num-cpus=2", "--object-store-memory=80000000"]
    ports = {"port": gcs, "dashboard-port": dashboard, "dashboard-agent-listen-port": agent}
    ports |= {"ray-client-server-port": client, "metrics-export-port": metrics}
    command = [ray, *words, f"--temp-dir={folder}", *(f"--{name}={port}" for name, port in ports.items())]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    begun.append(process)
    said = ""
    for line in process.stdout or ():
        said += line
        if "Ray runtime started" in line:
            return dashboard, said
    return None, said


def end(process: subprocess.Popen[str]) -> None:
    """End a head and all that it started."""
    if process.poll() is None:
        head = psutil.Process(process.pid)
        ours = [*head.children(recursive=True), head]
        for one in ours:
            with suppress(psutil.NoSuchProcess):
                one.terminate()
        for one in psutil.wait_procs(ours, timeout=5)[1]:
            one.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def call(*words: object, token: str = TOKEN) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token}
    command = [sys.executable, "-m", "fullshelf.engine", "submit", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


@pytest.mark.parametrize(
    "ship",
    [
        pytest.param("--no-ship", id="with the nodes' fullshelf"),
        pytest.param("--ship", id="with a wheel, whose kernels are compiled anew", marks=pytest.mark.slow),
    ],
)
def test_a_refresh_submitted_twice_runs_once_with_the_bytes_of_a_local_run(
    head: str, shop: Any, s3: Any, tmp_path: Path, ship: str
) -> None:
    expected = refresh(load_config(shop.config, ["run.shards=2"]))
    url = "s3://bucket/runs"
    words = [shop.config, ship, "--set", "run.shards=2", "--set", f"output={url}", "--set", "run.actors=1"]
    first = call(*words, "--address", head, "--json")
    assert first.returncode == 0, first.stdout + first.stderr
    said = json.loads(first.stdout)
    assert (said["found"], said["exit_code"]) == ("submitted", 0)
    assert expected["run"] in first.stderr  # the log of the job
    folder = Remote(url, tmp_path) / expected["run"]
    there = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in folder.below()}
    here = Path(expected["folder"])
    parts = [file for table in TABLES for file in (here / table).glob("*.parquet")]
    assert parts
    for file in parts:
        assert there[file.relative_to(here).as_posix()] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert (Remote(url, tmp_path) / "current").read_text().strip() == expected["run"]
    again = call(*words, "--address", head, "--json")
    assert (again.returncode, json.loads(again.stdout)["found"]) == (0, "complete")
    assert json.loads(again.stdout)["job"] == said["job"]


def test_the_exit_code_of_the_job_comes_back_and_the_next_call_is_a_new_attempt(head: str, shop: Any) -> None:
    words = [shop.config, "--no-ship", "--id", "night", "--set", "inputs.stock=/only/there.parquet", "--address", head]
    first = call(*words)
    assert first.returncode == 2, first.stdout + first.stderr
    assert "there.parquet: does not exist" in first.stdout
    assert "job night submitted; exit code 2" in first.stdout
    second = call(*words, "--no-wait")
    assert (second.returncode, second.stdout) == (0, "job night-2 submitted; exit code None\n")


def test_a_wrong_token_is_told(head: str, shop: Any) -> None:
    answer = call(shop.config, "--address", head, token="another-token-" + "2" * 32)
    assert answer.returncode == 2
    assert f"--address {head}: " in answer.stderr
    assert "RAY_AUTH_TOKEN" in answer.stderr
    assert "Traceback" not in answer.stderr
