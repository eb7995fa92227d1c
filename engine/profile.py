"""Where the time of a run goes: by phase, stage and resource, and the peak memory of each.

Threads say which stage they are in (`working`); a sampler looks every 50 ms at what the system counts for each thread:
time on a core, time in the queue for one, and whether it waits for the disk. While a stage's thread waits and threads
that belong to no stage compute (Polars' own, BLAS, numba), that is work done for it: `helpers`. What is left is waiting
for something else, such as the interpreter's lock. Seconds of a GPU are told by whoever had it compute
(`computed_on_gpu`) and stand beside the others: a thread that waits for a GPU mostly spins on its core.

It knows only its own process, not the actors of a cluster, and only Linux: elsewhere nothing is sampled.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

__all__ = ["Sampler", "Usage", "computed_on_gpu", "sampled", "sampling", "working"]

INTERVAL = 0.05  # seconds; a look costs about 0.3 ms
_TASKS = Path("/proc/self/task")
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_at_work: dict[int, str] = {}  # native id of a thread → the stage it is in; single reads and writes, so no lock
_samplers: dict[int, Sampler] = {}  # by the thread that leads the phases


@contextmanager
def working(stage: str) -> Iterator[None]:
    """Say that this thread is in a stage, inside the block."""
    thread = threading.get_native_id()
    before = _at_work.get(thread)
    _at_work[thread] = stage
    try:
        yield
    finally:
        if before is None:
            del _at_work[thread]
        else:
            _at_work[thread] = before


def computed_on_gpu(seconds: float) -> None:
    """Add seconds that a GPU computed for this thread to the stage that it is in."""
    stage = _at_work.get(threading.get_native_id())
    if stage is not None:
        for sampler in list(_samplers.values()):
            sampler.add_gpu(stage, seconds)


@contextmanager
def sampling() -> Iterator[Sampler]:
    """Sample this process inside the block; this thread leads the phases."""
    leader = threading.get_native_id()
    with Sampler() as sampler:
        _samplers[leader] = sampler
        try:
            yield sampler
        finally:
            del _samplers[leader]


def sampled() -> list[dict[str, Any]]:
    """Return `Sampler.rows` of the block that this thread is in; nothing outside one."""
    sampler = _samplers.get(threading.get_native_id())
    return [] if sampler is None else sampler.rows()


@dataclass(slots=True)
class Usage:
    """What a stage used; seconds are added up over the threads in it, and the five after `seconds` make it up."""

    wall: float = 0.0  # its share of the phase's wall time
    seconds: float = 0.0
    cpu: float = 0.0  # its own threads computed
    helpers: float = 0.0  # its threads waited while threads of no stage computed for them
    queued: float = 0.0  # they or their helpers could have computed, but all cores were taken
    disk: float = 0.0  # they waited for the disk
    waiting: float = 0.0  # they waited for something else
    gpu: float = 0.0  # a GPU computed for its threads
    helper_cpu: float = 0.0  # core seconds of the threads of no stage, shared out among the stages that waited
    read_mb: float = 0.0  # from the disk, shared out evenly among the stages at work
    written_mb: float = 0.0
    peak_memory_mb: float = 0.0  # of the whole process, while a thread was in the stage


@dataclass(frozen=True, slots=True)
class _Look:
    """What the system counts at one moment."""

    time: float
    computed: dict[int, float]  # by thread, seconds on a core
    queued: dict[int, float]  # seconds in the queue for one
    read: int  # bytes
    written: int


class Sampler:
    """Samples this process inside a `with` block; the thread that enters it leads the phases."""

    def __init__(self, interval: float = INTERVAL) -> None:
        self._interval, self._stop = interval, threading.Event()
        self._leader = threading.get_native_id()
        self._usage: dict[tuple[str, str], Usage] = {}
        self._adding = threading.Lock()
        self._thread = threading.Thread(target=self._sample, name="profile", daemon=True)

    def __enter__(self) -> Sampler:
        if _TASKS.exists():
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def add_gpu(self, stage: str, seconds: float) -> None:
        """Add seconds of a GPU to a stage of the phase at work."""
        with self._adding:
            self._usage.setdefault((_at_work.get(self._leader, ""), stage), Usage()).gpu += seconds

    def rows(self) -> list[dict[str, Any]]:
        """Return what was seen so far, in order of appearance: phase, stage and the fields of `Usage`.

        The stage of the thread that leads, while no other is at work, is called as its phase.
        """
        return [
            {"phase": phase, "stage": stage, **{name: round(value, 3) for name, value in asdict(usage).items()}}
            for (phase, stage), usage in list(self._usage.items())
        ]

    def _sample(self) -> None:
        before = _look()
        while not self._stop.wait(self._interval):
            stages = dict(_at_work)
            waits_for_disk = {thread for thread in stages if _state(thread) == "D"}
            now = _look()
            self._add(before, now, stages, waits_for_disk)
            before = now

    def _add(self, before: _Look, now: _Look, stages: dict[int, str], waits_for_disk: set[int]) -> None:
        phase = stages.pop(self._leader, "")
        workers = stages or ({self._leader: phase} if phase else {})
        if not workers:
            return
        length = now.time - before.time
        own = {thread: _grown(now.computed, before.computed, thread, length) for thread in workers}
        queued = {thread: _grown(now.queued, before.queued, thread, length - own[thread]) for thread in workers}
        free = {thread: max(length - own[thread] - queued[thread], 0.0) for thread in workers}
        rest = [thread for thread in now.computed if thread not in workers and thread != self._thread.native_id]
        others = sum(_grown(now.computed, before.computed, thread, length) for thread in rest)
        others_queued = sum(_grown(now.queued, before.queued, thread, length) for thread in rest)
        memory, all_free = _resident_mb(), sum(free.values())
        read, written = ((now.read - before.read) / 1e6, (now.written - before.written) / 1e6)
        for thread, stage in workers.items():
            usage = self._usage.setdefault((phase, stage), Usage())
            part = free[thread] / all_free if all_free > 0 else 1 / len(workers)
            helped = others * part
            at_disk = free[thread] if thread in waits_for_disk else 0.0
            by_helpers = min(helped, free[thread] - at_disk)
            for_core = min(others_queued * part, free[thread] - at_disk - by_helpers)  # its helpers could not compute
            usage.wall += length / len(workers)
            usage.seconds += length
            usage.cpu += own[thread]
            usage.queued += queued[thread] + for_core
            usage.disk += at_disk
            usage.helpers += by_helpers
            usage.waiting += free[thread] - at_disk - by_helpers - for_core
            usage.helper_cpu += helped
            usage.read_mb += read / len(workers)
            usage.written_mb += written / len(workers)
            usage.peak_memory_mb = max(usage.peak_memory_mb, memory)


def _grown(now: dict[int, float], before: dict[int, float], thread: int, most: float) -> float:
    """Return by how much a thread's counter grew, at most the time that passed; a new thread began at 0."""
    return min(max(now.get(thread, 0.0) - before.get(thread, 0.0), 0.0), max(most, 0.0))


def _look() -> _Look:
    computed, queued = {}, {}
    for name in os.listdir(_TASKS):  # noqa: PTH208  # twice as fast, and it runs all the time
        try:
            on_core, waited, *_ = (_TASKS / name / "schedstat").read_text().split()
        except OSError:
            continue  # the thread has just ended
        computed[int(name)], queued[int(name)] = int(on_core) / 1e9, int(waited) / 1e9
    read, written = _disk_bytes()
    return _Look(time.perf_counter(), computed, queued, read, written)


def _state(thread: int) -> str:
    """Return the state of a thread: R runs, S sleeps, D waits for the disk."""
    try:
        return (_TASKS / str(thread) / "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def _disk_bytes() -> tuple[int, int]:
    try:
        lines = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    except OSError:  # not allowed in some containers
        return 0, 0
    return int(lines["read_bytes"]), int(lines["write_bytes"])


def _resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE / 2**20
