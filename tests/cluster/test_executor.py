"""The Ray executor on a real cluster of two nodes: the local executor's bytes, whatever happens."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import psutil
import pytest

from fullshelf.cluster import scheduler
from fullshelf.cluster.executor import RayExecutor
from fullshelf.cluster.fleet import Fleet
from fullshelf.cluster.scheduler import Patience
from fullshelf.cluster.worker import ShardWorker
from fullshelf.engine.config import Config, load_config
from fullshelf.engine.errors import ConfigError
from fullshelf.engine.refresh import refresh

HASTY = Patience(least_seconds=3.0)
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # Ray's sockets
    pytest.mark.usefixtures("by_value"),
]


class Poisoned(ShardWorker):
    """Fails at shard 1."""

    def run(self, shard: int) -> dict[str, Any]:
        if shard == 1:
            raise ValueError("poison")
        return super().run(shard)


class Dying(ShardWorker):
    """Fails at shard 9 and, once, dies at shard 11 after it has done it."""

    def run(self, shard: int) -> dict[str, Any]:
        if shard == 9:
            raise ValueError("poison")
        record = super().run(shard)
        died = Path(self._opened.folder.path) / "died"
        if shard == 11 and not died.exists():
            died.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return record


class Slow(ShardWorker):
    """Takes its time, so that a fault has some to happen in."""

    def run(self, shard: int) -> dict[str, Any]:
        time.sleep(0.4)
        return super().run(shard)


def tables(folder: str | Path) -> dict[str, str]:
    folder = Path(folder)
    names = ("forecasts", "lead_time_demand", "orders", "rejects")
    files = (file for name in names for file in sorted((folder / name).iterdir()))
    return {str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


def here(shop: Any, folder: Path) -> dict[str, str]:
    return tables(refresh(load_config(shop.config, ["run.shards=8", f"output={folder}"]))["folder"])


def there(shop: Any, cluster: Any, *more: str) -> Config:
    words = ["run.shards=8", "run.executor=ray", f"run.address={cluster.address}", "run.gpus_per_actor=1", *more]
    return load_config(shop.config, words)


def run(config: Config, worker: type[ShardWorker] = ShardWorker, patience: Patience | None = None) -> dict[str, Any]:
    with RayExecutor(config, patience, worker) as executor:
        return refresh(config, executor=executor)


def actors() -> list[psutil.Process]:
    """Processes of actors, of whatever node."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if any(word.startswith(("ray::Shard", "ray::Slow", "ray::Poisoned")) for word in process.cmdline()[:1]):
                found.append(process)
        except psutil.Error:
            continue
    return found


def meanwhile(shop: Any, deed: Callable[[], None]) -> threading.Thread:
    """Do something as soon as another shard is committed."""

    def records() -> int:
        return len(list(shop.runs.glob("*/_shards/*.json")))

    def wait() -> None:
        deadline = time.monotonic() + 60
        while records() == before and time.monotonic() < deadline:
            time.sleep(0.02)
        deed()

    before = records()
    thread = threading.Thread(target=wait)
    thread.start()
    return thread


@pytest.mark.parametrize(
    "limited",
    [pytest.param(False, id="without limits", marks=pytest.mark.slow), pytest.param(True, id="with limits")],
)
def test_the_outputs_are_the_local_executors_byte_by_byte(
    shop: Any, cluster: Any, tmp_path: Path, limited: bool
) -> None:
    shop.tables["skus"] = shop.tables["supply"].select("sku").unique().with_columns(category=pl.lit("a/b"))
    if limited:
        rows = {"resource": ["capital", "units"], "scope": ["all", "location=north"], "amount": [1500.0, 20.0]}
        shop.tables["limits"] = pl.DataFrame(rows)
    shop.write()
    expected = here(shop, tmp_path / "here")
    summary = run(there(shop, cluster))
    assert tables(summary["folder"]) == expected
    assert len(expected) >= 4 * 8
    assert not (Path(summary["folder"]) / "_work").exists()
    assert len(summary["limits"]) == (2 if limited else 0)
    assert all(0 < limit["used"] <= limit["amount"] for limit in summary["limits"])
    records = [json.loads(file.read_text()) for file in Path(summary["folder"]).glob("_shards/*-orders.json")]
    turns = [turn for record in records for turn in record["turns"]]
    assert len(turns) == 8 * (2 if limited else 1)
    assert all(turn["begun"] <= turn["ended"] for turn in turns)
    assert f"{socket.gethostname()}:{os.getpid()}" not in {turn["worker"] for turn in turns}  # it was an actor


def test_a_killed_actor_costs_no_row(shop: Any, cluster: Any, tmp_path: Path) -> None:
    expected, killed = here(shop, tmp_path / "here"), list[int]()

    def kill() -> None:
        process = actors()[0]
        process.kill()
        killed.append(process.pid)

    thread = meanwhile(shop, kill)
    summary = run(there(shop, cluster), Slow)
    thread.join()
    assert killed
    assert tables(summary["folder"]) == expected
    assert not summary["quarantined"]


def test_a_poison_shard_is_quarantined_and_healed_by_the_next_call(shop: Any, cluster: Any, tmp_path: Path) -> None:
    expected = here(shop, tmp_path / "here")
    summary = run(there(shop, cluster), Poisoned)
    assert summary["quarantined"] == {"1": "ValueError: poison"}
    healed = run(there(shop, cluster))
    assert healed["folder"] == summary["folder"]
    assert tables(healed["folder"]) == expected


def test_shards_that_go_together_fail_alone_and_are_lost_together(
    shop: Any, cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = list[tuple[int, ...]]()
    call = Fleet.call

    def spy(self: Fleet, actor: int, method: str, *arguments: Any, tag: Any) -> None:
        if method == "each":
            calls.append(tag)
        call(self, actor, method, *arguments, tag=tag)

    expected = tables(refresh(load_config(shop.config, ["run.shards=20", f"output={tmp_path / 'here'}"]))["folder"])
    monkeypatch.setattr(scheduler, "CALLS", 0.1)  # as if the driver were slow, so that calls are as large as can be
    monkeypatch.setattr(Fleet, "call", spy)
    summary = run(there(shop, cluster, "run.shards=20"), Dying)
    assert summary["quarantined"] == {"9": "ValueError: poison"}
    for shard in (9, 11):
        first, *others = [tag for tag in calls if shard in tag]
        assert len(first) > 1
        assert set(others) == {(shard,)}
    healed = run(there(shop, cluster, "run.shards=20"))
    assert tables(healed["folder"]) == expected


def test_a_cluster_that_is_not_there_is_a_bad_configuration(shop: Any) -> None:
    config = load_config(shop.config, ["run.executor=ray", "run.address=ray://example:10001"])
    with pytest.raises(ConfigError, match="must run on the cluster"):
        run(config)


@pytest.mark.slow
def test_a_hung_actor_is_overtaken_and_killed(shop: Any, cluster: Any, tmp_path: Path) -> None:
    expected = here(shop, tmp_path / "here")
    thread = meanwhile(shop, lambda: actors()[0].suspend())
    summary = run(there(shop, cluster), Slow, HASTY)
    thread.join()
    assert tables(summary["folder"]) == expected


@pytest.mark.slow
def test_a_node_that_leaves_and_one_that_joins_cost_no_row(shop: Any, cluster: Any, tmp_path: Path) -> None:
    expected = here(shop, tmp_path / "here")
    node = cluster.add_node(num_cpus=1, num_gpus=1, object_store_memory=80 << 20)
    thread = meanwhile(shop, lambda: cluster.remove_node(node, allow_graceful=False))
    summary = run(there(shop, cluster), Slow)
    thread.join()
    assert tables(summary["folder"]) == expected


@pytest.mark.slow
def test_a_killed_driver_loses_nothing_and_a_stopped_one_ends_with_75(shop: Any, cluster: Any, tmp_path: Path) -> None:
    expected = here(shop, tmp_path / "here")
    words = [sys.executable, "-m", "fullshelf.engine", "refresh", str(shop.config), "--address", cluster.address]
    words += ["--set", "run.shards=8", "--quiet"]
    for number, codes in ((signal.SIGKILL, (-9, 0)), (signal.SIGTERM, (75, 0))):  # 0: it was faster than the signal
        process = subprocess.Popen(words, env=os.environ | {"POLARS_MAX_THREADS": "1"})
        thread = meanwhile(shop, lambda process=process, number=number: process.send_signal(number))
        assert process.wait(180) in codes
        thread.join()
    assert tables(run(there(shop, cluster))["folder"]) == expected
