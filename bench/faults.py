"""`fullshelf bench faults`: a refresh on a Ray cluster under fire; what comes out must be what comes out in peace.

Four nodes with made-up GPUs on this machine. From a seed: actors are killed and frozen, nodes torn out, drivers killed,
cached shards damaged, the disk filled; in rounds of their own, whose output lies in an object store, the store fails.
Some strike while the run starts or its sales are split, the others when a first shard is done. A run that ends with an
error is called again after doing what its message says, as a person would. Each round's tables are compared with those
of the local executor by sha256: no row is missing, none is there twice, and no number differs.
"""

from __future__ import annotations

import hashlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import yaml

from fullshelf.bench.fault_plan import (
    FULL_DISK,
    OF_STORE,
    ROUNDS,
    faults_of,
    moments_of,
    store_faults_of,
    struck_text,
)
from fullshelf.bench.faulty_store import FaultyStore, faulty_store
from fullshelf.bench.machine import Limits, Machine
from fullshelf.bench.ray_nodes import actor_processes, add_node, nodes
from fullshelf.bench.result import OURS, Report, Row
from fullshelf.bench.timing import once
from fullshelf.engine.simulate import simulate_marketplace
from fullshelf.engine.storage import Remote

SEED = 5
NODES = {"small": 2, "full": 4}
SERIES, PERIODS, SHARDS = 1200, 200, 48
BUCKET = "campaign"
OUTAGE = {"small": (1.0, 3.0), "full": (1.0, 10.0)}  # seconds, from and to, that a store fails or stands still
CALLS = 30  # of one round, before it counts as one that does not end
PATIENCE = 600.0  # seconds for one call
TABLES = ("forecasts", "lead_time_demand", "orders", "rejects")

READING = (
    "A fault counts when it was done to a run at work: a process that still lived, a store that turned a request away "
    "or outlasted its standstill, a disk that a message called full. One that finds nothing to strike before its round "
    "is over waits for the next round. Freezing is SIGSTOP; a node's processes are killed, and another node joins; a "
    "damaged shard has its last 64 bytes overwritten. The store is moto's S3 server; for some seconds it answers 503 "
    "to everything, or stands still, or it answers 403 until the run has ended. Rounds without limits "
    "split their sales on the cluster. In each round the first fault that needs no shard, and half of the others, "
    "strike in the first 8 s of a call, or when there is an actor to strike. seconds are those of all calls of a round."
)


def measure_faults(
    machine: Machine, limits: Limits, work: Path, size: str, seed: int = SEED, say: Callable[[str], None] = print
) -> Report:
    """Run the campaign of a size, small or full, under `work`.

    Raises
    ------
    RuntimeError
        If a round's tables differ from the peaceful run's, or a round does not end.
    """
    say("the peaceful run, on the local executor")
    market = simulate_marketplace(SERIES, PERIODS, work / "market", seed=seed, overwrite=True)
    peaceful = {limited: _Round(market.folder, work / f"peace-{limited}", limited) for limited in (False, True)}
    expected = {}
    for limited, run in peaceful.items():
        code, text = run.call(None)
        if code != 0:
            raise RuntimeError(f"the peaceful run failed with exit code {code}: {text}")
        expected[limited] = run.tables()
    campaign = [(faults, False) for faults in faults_of(seed, ROUNDS[size], os.getuid() == 0)]
    campaign += [(faults, True) for faults in store_faults_of(seed, size)]
    planned = Counter(kind for faults, _ in campaign for kind in faults)
    rows, done, early = list[Row](), Counter[str](), 0.0
    waiting: dict[bool, list[str]] = {False: [], True: []}  # faults that found nothing to strike yet
    with faulty_store(work / "store", BUCKET) as store:
        os.environ.update(store.environment)  # before the nodes begin, which hand it on to their actors
        with nodes(NODES[size]) as cluster:
            for number, (faults, stored) in enumerate(campaign):
                limited, faults = number % 2 == 0, [*faults, *waiting[stored]]
                kind = _StoreRound if stored else _Round
                run = kind(market.folder, work / f"round-{number}", limited)
                say(f"round {number + 1} of {len(campaign)}: {', '.join(faults)}")
                begun = time.perf_counter()
                dice = random.Random(seed * 1000 + number)
                felt, left = _under_fire(run, cluster, store, faults, OUTAGE[size], dice, say)
                waiting[stored] = [kind for kind in left if kind != FULL_DISK]  # one disk a round is enough
                seconds = time.perf_counter() - begun
                if run.tables() != expected[limited]:
                    raise RuntimeError(f"round {number + 1}: the tables of {run.runs} differ from the peaceful run's")
                kinds = Counter(hit.kind for hit in felt)
                done.update(kinds)
                early += (before := sum(hit.early for hit in felt))
                note = ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items()))
                note += f"; {before} before a shard was done" if before else ""
                note += f"; found nothing to strike: {', '.join(left)}" if left else ""
                what = ("with limits" if limited else "without limits") + (", in a store" if stored else "")
                size_words = f"{SERIES:,} series, {SHARDS} shards, {what}"
                rows.append(
                    Row(f"round {number + 1}", OURS, size_words, SHARDS, "shards", once(seconds), NODES[size], {}, note)
                )
                run.remove()
    missed = planned - done
    figures = {
        "faults": float(done.total()),
        "planned": float(planned.total()),
        "before a shard was done": float(early),
    }
    figures |= {"found nothing to strike": float(missed.total()), "rounds with the same bytes": float(len(rows))}
    sentences = (READING, struck_text(planned, done))
    return Report("faults", machine, limits, tuple(rows), {"faults": seed}, sentences, figures | dict(done))


class _Round:
    """One run in a folder of its own."""

    def __init__(self, market: Path, output: Path, limited: bool) -> None:
        self.output, self.runs = output, self._runs(output)
        plan = yaml.safe_load((market / "fullshelf.yaml").read_text(encoding="utf-8"))
        if not limited:
            del plan["inputs"]["limits"]
        split = "driver" if limited else "cluster"
        plan |= {"output": self.runs, "run": {"shards": SHARDS, "gpus_per_actor": 1, "split": split} | self._settings()}
        output.mkdir(parents=True, exist_ok=True)
        self.configuration = market / f"{output.name}.yaml"
        self.configuration.write_text(yaml.safe_dump(plan), encoding="utf-8")

    def _runs(self, output: Path) -> str:
        return str(output / "runs")

    def _settings(self) -> dict[str, Any]:
        return {}

    def start(self, address: str | None) -> subprocess.Popen[str]:
        words = [sys.executable, "-m", "fullshelf.engine", "refresh", str(self.configuration), "--quiet"]
        words += [] if address is None else ["--address", address]
        return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def call(self, address: str | None) -> tuple[int, str]:
        """Run to the end."""
        process = self.start(address)
        _, text = process.communicate(timeout=PATIENCE)
        return process.returncode, text

    def records(self) -> set[str]:
        """Return the names of the records of shards that are done."""
        return {file.name for file in self.output.glob("runs/*/_shards/*.json")}

    def open_shards(self) -> list[Path]:
        """Return the cached shards that are not done yet."""
        done = {int(name[:5]) for name in self.records()}
        files = sorted(self.output.glob("runs/.cache/sales-*/*/shard-*.parquet"))
        return [file for file in files if int(file.stem.removeprefix("shard-")) not in done]

    def tables(self) -> dict[str, str]:
        folder = (self.output / "runs" / "current").resolve()
        files = (file for name in TABLES for file in sorted((folder / name).iterdir()))
        return {str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}

    def remove(self) -> None:
        shutil.rmtree(self.output, ignore_errors=True)


class _StoreRound(_Round):
    """One run in the object store."""

    def _runs(self, output: Path) -> str:
        return f"s3://{BUCKET}/{output.name}"

    def _settings(self) -> dict[str, Any]:
        return {"work": str(self.output / "work")}

    @property
    def _place(self) -> Remote:
        return Remote(self.runs, self.output / "scratch")

    def records(self) -> set[str]:
        return {name.rpartition("/")[2] for name in self._place.below() if "/_shards/" in name}

    def open_shards(self) -> list[Path]:
        return []  # a run in a store reads the shards that were sent there

    def tables(self) -> dict[str, str]:
        run = self._place / (self._place / "current").read_text().strip()
        names = sorted(name for name in run.below() if name.partition("/")[0] in TABLES)
        return {name: hashlib.sha256((run / name).read_bytes()).hexdigest() for name in names}

    def remove(self) -> None:
        self._place.remove_below()
        super().remove()


@dataclass(frozen=True, slots=True)
class _Hit:
    """A fault that was done to a run at work."""

    kind: str
    early: bool  # before any of its shards was done


def _under_fire(
    run: _Round,
    cluster: Any,
    store: FaultyStore,
    faults: list[str],
    outage: tuple[float, float],
    dice: random.Random,
    say: Callable[[str], None],
) -> tuple[list[_Hit], list[str]]:
    """Call the refresh until it is complete, with faults meanwhile; return those that hit it, and the others' kinds."""
    todo, felt = list(zip(faults, moments_of(faults, dice), strict=True)), list[_Hit]()
    with _disk(run.output, small=FULL_DISK in faults) as grow:
        for _ in range(CALLS):
            process, begun, hit_store = run.start(cluster.address), time.monotonic(), False
            while process.poll() is None:
                if time.monotonic() - begun > PATIENCE:
                    process.kill()
                    raise RuntimeError(f"a call did not end within {PATIENCE:.0f} s: {run.configuration}")
                time.sleep(dice.uniform(0.1, 0.8))
                kind, moment = todo[0] if todo else (FULL_DISK, None)
                shards_done = bool(run.records())
                if kind == FULL_DISK or not (shards_done if moment is None else time.monotonic() - begun > moment):
                    continue
                if kind in OF_STORE:
                    hit_store |= (hit := _strike_store(kind, store, process, dice.uniform(*outage)))
                else:
                    hit = _strike(kind, run, cluster, process, dice)
                if hit:
                    felt.append(_Hit(kind, not shards_done))
                    todo.pop(0)
            text = process.communicate()[1]
            if process.returncode == 0:
                return felt, [kind for kind, _ in todo]
            if "disk is full" in text:
                grow()
                felt.append(_Hit(FULL_DISK, not run.records()))
                todo = [(kind, moment) for kind, moment in todo if kind != FULL_DISK]
            elif damaged := re.search(r"(\S+): a shard file is damaged", text):
                shutil.rmtree(damaged[1], ignore_errors=True)  # what the message tells a person to do
            elif process.returncode != -9 and not (hit_store and run.runs in text):
                raise RuntimeError(f"exit code {process.returncode}: {text}")
            say(f"… called again after exit code {process.returncode}")
    raise RuntimeError(f"{run.configuration}: not complete after {CALLS} calls")


def _strike_store(kind: str, store: FaultyStore, driver: subprocess.Popen[str], seconds: float) -> bool:
    """Let the store fail for some seconds, or as long as the driver lives; return whether the run can have felt it."""
    if kind == "freeze the store":
        store.freeze()
        time.sleep(seconds)
        store.thaw()
        return driver.poll() is None
    refused = store.refused()
    if kind == "let the store fail":
        store.answer(503)
        time.sleep(seconds)
    else:
        store.answer(403)
        with suppress(subprocess.TimeoutExpired):
            driver.wait(PATIENCE)
    store.heal()
    return store.refused() > refused


def _strike(kind: str, run: _Round, cluster: Any, driver: subprocess.Popen[str], dice: random.Random) -> bool:
    """Do a fault, if there is something to do it to."""
    if kind == "kill the driver":
        driver.kill()
        return driver.wait() == -signal.SIGKILL  # else it had just ended
    if kind == "damage a cached shard":
        if not (files := run.open_shards()):
            return False
        with files[-1].open("r+b") as file:
            file.seek(-64, os.SEEK_END)
            file.write(b"\0" * 64)
        return True
    if kind == "tear out a node":
        if not actor_processes():
            return False
        cluster.remove_node(dice.choice(sorted(cluster.worker_nodes, key=lambda n: n.unique_id)), allow_graceful=False)
        add_node(cluster)
        return True
    if not (actors := actor_processes()):
        return False
    actor = dice.choice(actors)
    try:
        actor.kill() if kind == "kill an actor" else actor.suspend()
    except psutil.NoSuchProcess:  # it has just ended
        return False
    return True


def _grow(folder: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=1g", str(folder)], check=True)


@contextmanager
def _disk(folder: Path, small: bool) -> Iterator[Callable[[], None]]:
    """Put a disk under the folder that is too small at first; give what makes it large."""
    if not small:
        yield lambda: None
        return
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1500k", "none", str(folder)], check=True)
    try:
        yield partial(_grow, folder)
        kept = folder.with_name(f"{folder.name}-kept")
        shutil.copytree(folder, kept, symlinks=True)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
    for file in kept.iterdir():
        shutil.move(file, folder / file.name)
    kept.rmdir()
