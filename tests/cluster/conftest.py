"""A Ray cluster on this machine, of several nodes with a core and a made-up GPU each."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

TOKEN = "a-throw-away-token-of-the-tests-" + "0" * 16


@pytest.fixture(scope="session")
def cluster() -> Iterator[object]:
    """Two nodes; tests connect to it by its address, with a token."""
    from ray.cluster_utils import Cluster

    folder = Path(tempfile.mkdtemp(prefix="fs-ray-", dir="/tmp"))  # short: sockets lie below it
    before = {name: os.environ.get(name) for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_TMPDIR")}
    os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN}
    Path("/tmp/ray").mkdir(exist_ok=True)  # Ray notes the address of the newest cluster there
    node = {"num_cpus": 1, "num_gpus": 1, "object_store_memory": 80 << 20}
    made = Cluster(initialize_head=True, head_node_args=node | {"include_dashboard": False, "temp_dir": str(folder)})
    try:
        made.add_node(**node)
        yield made
    finally:
        made.shutdown()
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
        shutil.rmtree(folder, ignore_errors=True)
