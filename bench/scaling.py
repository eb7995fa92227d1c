"""`fullshelf bench scaling`: what the Ray executor costs beside the local one, part by part.

The same refresh on the same machine, by two threads and, when that has ended and Ray has started, by two actors of a
core each; the driver's loop with shards that do nothing; the scheduler alone with a thousand actors that are not there.
How these parts add up for a large cluster stands in docs/cluster.md.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from fullshelf.bench.machine import Limits, Machine
from fullshelf.bench.ray_nodes import nodes
from fullshelf.bench.result import OURS, Report, Row
from fullshelf.bench.timing import Timing, once
from fullshelf.cluster.actor import Actor
from fullshelf.engine.config import Config, load_config
from fullshelf.engine.executor import Executor, LocalExecutor
from fullshelf.engine.refresh import refresh
from fullshelf.engine.simulate import simulate_marketplace
from fullshelf.engine.stopping import Stop

SERIES = {"small": 4_000, "full": 1_000_000}
PERIODS = 120
PER_SHARD = 2_000  # series of a shard at the full size
WORKERS = 2
EMPTY = 10_000  # shards that do nothing
REPEATS = 5  # of what takes seconds; the first starts actors
SIMULATED = {"small": 20_000, "full": 100_000}  # shards of the scheduler alone
ACTORS = 1_000
ALONE = 60.0  # seconds of a shard, so long that each goes alone
SEED = 13

READING = (
    "after start-up: from the moment when four shards are done, two for each worker, to the last one. Start-up is what "
    "comes before, from the moment when the sales are split: writing the job for the actors, starting them, loading "
    "libraries and compiled code, and those four shards. Splitting and the report, which both executors leave to the "
    "driver, are in the whole alone. Empty shards go several to a call, as any go that the driver could not keep up "
    "with one by one."
)


def measure_scaling(
    machine: Machine,
    limits: Limits,
    work: Path,
    series: int,
    *,
    simulated: int = SIMULATED["full"],
    say: Callable[[str], None] = print,
) -> Report:
    """Measure under `work` and compare the two executors' tables on the way.

    Raises
    ------
    RuntimeError
        If the two executors' outputs differ.
    """
    rows = [_scheduler(simulated, say)]
    shards = max(64, series // PER_SHARD)
    say(f"simulating {series:,} series × {PERIODS} days")
    market = simulate_marketplace(series, PERIODS, work / "market", seed=SEED, overwrite=True)
    plan = yaml.safe_load((market.folder / "fullshelf.yaml").read_text(encoding="utf-8"))
    del plan["inputs"]["limits"]
    plan["run"] = {"shards": shards, "threads": WORKERS, "actors": WORKERS, "gpus_per_actor": 0}
    size = f"{series:,} series, {shards} shards"
    say("refresh: local")
    found = {"local": _timed(_configured(market.folder, work, plan, "local"), LocalExecutor(WORKERS))}
    with nodes(WORKERS) as cluster:
        from fullshelf.cluster.executor import RayExecutor, connect

        connect(cluster.address)
        plan["run"]["address"] = cluster.address
        say("refresh: ray")
        config = _configured(market.folder, work, plan, "ray")
        with RayExecutor(config) as executor:
            found["ray"] = _timed(config, executor)
        rows += [_row(name, run, size, series / shards) for name, run in found.items()]
        if found["local"].files != found["ray"].files:
            raise RuntimeError("the two executors' outputs differ")
        rows.append(_empty(say))
    figures = {
        f"Ray's seconds over the local executor's, {name}": of(found["ray"]) / of(found["local"])
        for name, of in {"after start-up": _Run.after_start_up, "whole run": _Run.whole}.items()
    }
    return Report("scaling", machine, limits, tuple(rows), {"marketplace": SEED}, (READING,), figures)


@dataclass(frozen=True, slots=True)
class _Run:
    """One refresh: what it wrote and when its shards were done."""

    files: dict[str, str]  # sha256 of each part
    shards: tuple[float, ...]  # seconds from the end of the split until each shard was done
    seconds: float  # of the whole

    def start_up(self) -> float:
        return self.shards[2 * WORKERS - 1]

    def after_start_up(self) -> float:
        return self.shards[-1] - self.start_up()

    def whole(self) -> float:
        return self.seconds


def _configured(market: Path, work: Path, plan: dict[str, Any], name: str) -> Config:
    """Return the configuration of one executor's run, in a folder of its own; an earlier benchmark's run goes."""
    shutil.rmtree(work / name, ignore_errors=True)
    plan["output"], plan["run"]["executor"] = str(work / name), name
    file = market / f"{name}.yaml"
    file.write_text(yaml.safe_dump(plan), encoding="utf-8")
    return load_config(file)


def _timed(config: Config, executor: Executor) -> _Run:
    """Run a refresh."""
    times: list[float] = []

    def progress(stage: str, done: int, total: int | None) -> None:
        if stage == "shards":
            times.append(time.perf_counter())

    begun = time.perf_counter()
    summary = refresh(config, progress, Stop(), executor)
    seconds = time.perf_counter() - begun
    if summary["quarantined"]:
        raise RuntimeError(f"shards failed: {summary['quarantined']}")
    records = sorted(Path(summary["folder"]).glob("_shards/*-orders.json"))
    files = [entry for record in records for entry in json.loads(record.read_text(encoding="utf-8"))["files"]]
    return _Run({f["file"]: f["sha256"] for f in files}, tuple(t - times[0] for t in times[1:]), seconds)


def _row(name: str, run: _Run, size: str, per_shard: float) -> Row:
    """Describe the part of a run after start-up."""
    work = (len(run.shards) - 2 * WORKERS) * per_shard
    who = f"{OURS}, {WORKERS} {'threads' if name == 'local' else 'actors'}"
    figures = {"start-up s": run.start_up(), "whole run s": run.seconds}
    return Row("refresh after start-up", who, size, work, "series", once(run.after_start_up()), WORKERS, figures)


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

    class Counting(Fleet):
        """A fleet that counts its calls."""

        calls = 0

        def call(self, actor: int, method: str, *arguments: Any, tag: Any) -> None:
            self.calls += 1
            super().call(actor, method, *arguments, tag=tag)

    say("the driver's loop with empty shards")
    start = ray.remote(Idle).options(num_cpus=1, num_gpus=0, max_restarts=0, max_task_retries=0)
    fleet, seconds = Counting(lambda: start.remote(1.0), (None,)), []
    for _ in range(REPEATS):
        fleet.calls, begun = 0, time.perf_counter()
        done = sum(1 for _ in drive(fleet, Scheduler(range(EMPTY)), lambda: WORKERS, Stop()))
        if done != EMPTY:
            raise RuntimeError(f"{done:,} of {EMPTY:,} empty shards came back")
        seconds.append(time.perf_counter() - begun)
    fleet.close()
    timing, figures = Timing(seconds[0], tuple(seconds[1:])), {"calls a shard": fleet.calls / EMPTY}
    return Row("driver", OURS, f"{EMPTY:,} empty shards, {WORKERS} actors", EMPTY, "shards", timing, figures=figures)


def _scheduler(shards: int, say: Callable[[str], None]) -> Row:
    """Let the scheduler alone give so many shards to a thousand actors."""
    from fullshelf.cluster.scheduler import Assign, Scheduler

    say("the scheduler alone")

    def simulate() -> Iterator[float]:
        scheduler, hands = Scheduler(range(shards)), list[tuple[int, tuple[int, ...]]]()
        begun = time.perf_counter()
        for actor in range(ACTORS):
            hands += [(a.actor, a.shards) for a in scheduler.joined(actor, 0.0) if isinstance(a, Assign)]
        for done, (actor, given) in enumerate(hands):
            found = scheduler.answered(actor, dict.fromkeys(given), ALONE, float(done))
            hands += [(a.actor, a.shards) for a in found if isinstance(a, Assign)]
        if not scheduler.finished:
            raise RuntimeError("the scheduler left shards undone")
        yield time.perf_counter() - begun

    seconds = [s for _ in range(REPEATS) for s in simulate()]
    size = f"{shards:,} shards, {ACTORS:,} simulated actors"
    return Row("scheduler", OURS, size, shards, "shards", Timing(seconds[0], tuple(seconds[1:])))
