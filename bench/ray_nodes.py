"""A Ray cluster of several nodes on this machine, for benchmarks that need one."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import psutil

T = TypeVar("T")

STARTS = 4  # of a node
WORKERS = ("ray::ShardWorker", "ray::SplitWorker")  # titles of actors' processes
NODE = {"num_cpus": 1, "num_gpus": 1, "object_store_memory": 80 << 20}  # a core and a made-up GPU


@contextmanager
def nodes(count: int) -> Iterator[Any]:
    """Give a `ray.cluster_utils.Cluster` of so many nodes, with token authentication, and end it.

    Import nothing of Ray before: it reads the mode of authentication once.
    """
    os.environ.setdefault("RAY_AUTH_MODE", "token")
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    os.environ.setdefault("RAY_agent_register_timeout_ms", "120000")  # a busy machine takes longer than Ray's 15 s
    Path("/tmp/ray").mkdir(exist_ok=True)  # Ray notes the address of the newest cluster there
    import ray

    folder = Path(tempfile.mkdtemp(prefix="fs-ray-", dir="/tmp"))  # short: sockets lie below it
    try:
        cluster = _head(folder)
        try:
            for _ in range(count - 1):
                add_node(cluster)
            yield cluster
        finally:
            ray.shutdown()  # where this process has connected to it
            cluster.shutdown()
    finally:
        _end_processes(folder)  # of a head that never got ready
        shutil.rmtree(folder, ignore_errors=True)


def add_node(cluster: Any) -> None:
    """Let another node join."""
    _patiently(lambda: cluster.add_node(**NODE), lambda: None)


def _head(folder: Path) -> Any:
    """Start the first node in a folder of its own."""
    from ray.cluster_utils import Cluster

    head = NODE | {"include_dashboard": False, "temp_dir": str(folder)}
    return _patiently(lambda: Cluster(initialize_head=True, head_node_args=head), lambda: _end_processes(folder))


def _end_processes(folder: Path) -> None:
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if any(str(folder) in word for word in process.cmdline()):
                process.kill()


def _patiently(start: Callable[[], T], clear: Callable[[], None]) -> T:
    """Start a node, again where Ray gave up on it: a node dies whose agents, Python processes, take more than 15 s."""
    for _ in range(STARTS - 1):
        try:
            return start()
        except Exception as e:
            if "timed out during startup" not in str(e):  # Ray raises a bare Exception
                raise
            clear()
    return start()


def actor_processes() -> list[psutil.Process]:
    """Return the processes of the actors that work for a refresh below this process, and are not stopped."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            title = (process.cmdline() or [""])[0]
            if title.startswith(WORKERS) and process.status() != psutil.STATUS_STOPPED:
                found.append(process)
        except psutil.Error:  # it has just ended
            continue
    return sorted(found, key=lambda process: process.pid)
