"""`fullshelf bench scaling`: what the Ray executor costs beside the local one, part by part.

The same refresh on the same machine, by two threads and by two actors of a core each; the driver's loop with shards
that do nothing; the scheduler alone with a thousand actors that are not there. How these parts add up for a large
cluster stands in docs/cluster.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from fullshelf.bench.machine import Limits, Machine
from fullshelf.bench.ray_nodes import nodes
from fullshelf.bench.result import OURS, Report, Row
from fullshelf.bench.timing import Timing, once
from fullshelf.cluster.actor import Actor
from fullshelf.engine.config import load_config
from fullshelf.engine.executor import Executor, LocalExecutor
from fullshelf.engine.refresh import refresh
from fullshelf.engine.simulate import simulate_marketplace
from fullshelf.engine.stopping import Stop

SERIES = {"small": 4_000, "full": 1_000_000}
PERIODS = 120
PER_SHARD = 2_000  # series of a shard at the full size
WORKERS = 2
EMPTY = 4_000  # shards that do nothing
SIMULATED, ACTORS = 100_000, 1_000
ALONE = 60.0  # seconds of a shard, so long that each goes alone
SEED = 13

READING = (
    "after start-up: from the moment when each worker has finished two shards, to the last one; starting actors, "
    "loading libraries and compiled code come before. The ratio of seconds is Ray's over the local executor's."
)


def measure_scaling(
    machine: Machine, limits: Limits, work: Path, series: int, *, say: Callable[[str], None] = print
) -> Report:
    """Measure under `work` and compare the two executors' tables on the way.

    Raises
    ------
    RuntimeError
        If the two executors' outputs differ.
    """
    rows = [_scheduler(say)]
    shards = max(64, series // PER_SHARD)
    say(f"simulating {series:,} series × {PERIODS} days")
    market = simulate_marketplace(series, PERIODS, work / "market", seed=SEED, overwrite=True)
    plan = yaml.safe_load((market.folder / "fullshelf.yaml").read_text(encoding="utf-8"))
    del plan["inputs"]["limits"]
    plan["run"] = {"shards": shards, "threads": WORKERS, "actors": WORKERS, "gpus_per_actor": 0}
    size = f"{series:,} series, {shards} shards"
    with nodes(WORKERS) as cluster:
        from fullshelf.cluster.executor import RayExecutor, connect

        connect(cluster.address)
        plan["run"]["address"] = cluster.address
        found = {}
        for name in ("local", "ray"):
            say(f"refresh: {name}")
            plan["output"], plan["run"]["executor"] = str(work / name), name
            configuration = market.folder / f"{name}.yaml"
            configuration.write_text(yaml.safe_dump(plan), encoding="utf-8")
            config = load_config(configuration)
            executor: Executor = LocalExecutor(WORKERS)
            if name == "ray":
                with RayExecutor(config) as there:
                    found[name] = _timed(config, there)
            else:
                found[name] = _timed(config, executor)
        rows += [_row(name, times, size, series / shards) for name, (_, times) in found.items()]
        if found["local"][0] != found["ray"][0]:
            raise RuntimeError("the two executors' outputs differ")
        rows.append(_empty(say))
    seconds = {name: times[-1] - times[2 * WORKERS - 1] for name, (_, times) in found.items()}
    figures = {"Ray's seconds over the local executor's, after start-up": seconds["ray"] / seconds["local"]}
    return Report("scaling", machine, limits, tuple(rows), {"marketplace": SEED}, (READING,), figures)


def _timed(config: Any, executor: Executor) -> tuple[dict[str, str], list[float]]:
    """Run a refresh; return the sha256 of its parts, and when each shard was done, seconds from the begin of shards."""
    times: list[float] = []

    def progress(stage: str, done: int, total: int | None) -> None:
        if stage == "shards":
            times.append(time.perf_counter())

    summary = refresh(config, progress, Stop(), executor)
    records = sorted(Path(summary["folder"]).glob("_shards/*-orders.json"))
    files = [entry for record in records for entry in yaml.safe_load(record.read_text(encoding="utf-8"))["files"]]
    return {f["file"]: f["sha256"] for f in files}, [t - times[0] for t in times[1:]]


def _row(name: str, times: list[float], size: str, per_shard: float) -> Row:
    """Describe the part of a run after start-up."""
    warm = 2 * WORKERS
    work = (len(times) - warm) * per_shard
    who = f"{OURS}, {WORKERS} {'threads' if name == 'local' else 'actors'}"
    timing, note = once(times[-1] - times[warm - 1]), f"{times[warm - 1]:.1f} s of start-up before"
    return Row("refresh after start-up", who, size, work, "series", timing, WORKERS, {}, note)


class Idle(Actor[None]):
    """An actor's class whose shards do nothing."""

    def run(self, shard: int) -> dict[str, int]:
        """Do nothing."""
        return {"shard": shard}

    def _read(self, file: object) -> None:
        """There is no job."""


def _empty(say: Callable[[str], None]) -> Row:
    """Drive shards that do nothing on two actors."""
    import ray

    from fullshelf.cluster.driver import drive
    from fullshelf.cluster.fleet import Fleet
    from fullshelf.cluster.scheduler import Scheduler

    say("the driver's loop with empty shards")
    start = ray.remote(Idle).options(num_cpus=1, num_gpus=0, max_restarts=0, max_task_retries=0)
    fleet, seconds = Fleet(lambda: start.remote(1.0), (None,)), []
    for _ in range(4):
        begun = time.perf_counter()
        done = sum(1 for _ in drive(fleet, Scheduler(range(EMPTY)), lambda: WORKERS, Stop()))
        if done != EMPTY:
            raise RuntimeError(f"{done:,} of {EMPTY:,} empty shards came back")
        seconds.append(time.perf_counter() - begun)
    fleet.close()
    return Row("driver", OURS, "empty shards, 2 actors", EMPTY, "shards", Timing(seconds[0], tuple(seconds[1:])))


def _scheduler(say: Callable[[str], None]) -> Row:
    """Let the scheduler alone give a hundred thousand shards to a thousand actors."""
    from fullshelf.cluster.scheduler import Assign, Scheduler

    say("the scheduler alone")

    def simulate() -> Iterator[float]:
        scheduler, hands = Scheduler(range(SIMULATED)), list[tuple[int, tuple[int, ...]]]()
        begun = time.perf_counter()
        for actor in range(ACTORS):
            hands += [(a.actor, a.shards) for a in scheduler.joined(actor, 0.0) if isinstance(a, Assign)]
        for done, (actor, shards) in enumerate(hands):
            found = scheduler.answered(actor, dict.fromkeys(shards), ALONE, float(done))
            hands += [(a.actor, a.shards) for a in found if isinstance(a, Assign)]
        if not scheduler.finished:
            raise RuntimeError("the scheduler left shards undone")
        yield time.perf_counter() - begun

    seconds = [s for _ in range(4) for s in simulate()]
    size = f"{SIMULATED:,} shards, {ACTORS:,} simulated actors"
    return Row("scheduler", OURS, size, SIMULATED, "shards", Timing(seconds[0], tuple(seconds[1:])))
