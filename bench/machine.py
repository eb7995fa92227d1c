"""What this machine is and what it allows: cores, memory, memory bandwidth, disk; and which code was measured.

A figure of a benchmark means little without the ceiling above it, so every benchmark prints these first.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import numba
import numpy as np
import psutil
from numpy.typing import NDArray

from fullshelf.kernels.compile import parallel

_TRIAD_ELEMENTS = 1 << 24  # 3 arrays of 128 MiB: beyond the last-level cache of most machines
_DISK_BYTES = 512 << 20
_BLOCK = 8 << 20
_MATRIX = 2048  # 3 matrices of 16 MiB
BUSY = 0.3  # cores that others keep busy, above which figures are not those of a quiet machine


@dataclass(frozen=True, slots=True)
class Machine:
    """Who and what was measured on."""

    cpu: str
    cores: int  # that this process may use
    memory_bytes: int
    threads: int  # of numba and Polars
    python: str
    system: str
    commit: str  # of the source tree; with "+changes" where it is not clean; "" outside a repository
    versions: dict[str, str]  # of the packages that a benchmark names
    load: float = 0.0  # cores that others kept busy in the half second before
    measured: str = ""  # when it began, UTC
    accelerator: str = ""  # GPU, where one was measured

    @property
    def slug(self) -> str:
        """Name of a folder for results of this machine.

        Examples
        --------
        >>> Machine("Intel(R) Xeon(R) Processor", 2, 0, 2, "", "", "", {}).slug
        'intel-xeon-processor-2-cores'
        """
        words = re.sub(r"\((r|tm|c)\)|@.*", " ", self.cpu.lower())
        return f"{re.sub('[^a-z0-9]+', '-', words).strip('-') or 'machine'}-{self.cores}-cores"


@dataclass(frozen=True, slots=True)
class Limits:
    """The physical ceiling, measured now."""

    triad_bytes_per_second: float  # memory bandwidth of a[i] = b[i] + x · c[i] on all threads; 3 arrays counted
    write_bytes_per_second: float  # to disk, with fsync; 0 where it was not measured
    read_bytes_per_second: float  # from disk, after asking the system to drop its cache; 0 where not measured
    matmul_per_second: float = 0.0  # float32 operations of a large matrix product on all of BLAS' threads


def this_machine(packages: Iterable[str] = ()) -> Machine:
    """Describe the machine and the versions of our dependencies and of `packages`."""
    names = ["fullshelf", "numpy", "numba", "polars", *packages]
    return Machine(
        cpu=_cpu(),
        cores=usable_cores(),
        memory_bytes=int(psutil.virtual_memory().total),
        threads=int(numba.get_num_threads()),
        python=platform.python_version(),
        system=f"{platform.system()} {platform.release()}",
        commit=_commit(),
        versions={name: version for name in names if (version := _version(name))},
        load=psutil.cpu_percent(interval=0.5) / 100 * (psutil.cpu_count() or 1),
        measured=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def usable_cores() -> int:
    """Return how many cores this process may run on, which on a shared machine is fewer than it has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def one_core() -> Iterator[None]:
    """Hold this process to a single core, where the system can: for comparisons per core."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def measure_limits(folder: Path | None = None) -> Limits:
    """Measure memory bandwidth, matrix rate, and the disk under `folder`: writes 512 MiB there and removes them.

    Parameters
    ----------
    folder
        Default: where temporary files go.
    """
    written, read = disk_rates(folder or Path(tempfile.gettempdir()))
    return Limits(triad_bandwidth(), written, read, matmul_rate())


def matmul_rate(n: int = _MATRIX, repeats: int = 5) -> float:
    """Return float32 operations per second of an n × n matrix product, the best of `repeats`."""
    a = np.ones((n, n), np.float32)
    out = a @ a
    best = np.inf
    for _ in range(repeats):
        start = time.perf_counter()
        np.matmul(a, a, out=out)
        best = min(best, time.perf_counter() - start)
    return 2.0 * n**3 / best


def triad_bandwidth(elements: int = _TRIAD_ELEMENTS, repeats: int = 5) -> float:
    """Return bytes per second of the STREAM triad (McCalpin 1995) on all of numba's threads, the best of `repeats`."""
    b = np.ones(elements)
    c = np.ones(elements)
    a = np.empty(elements)
    _triad(a, b, c, 3.0)
    best = np.inf
    for _ in range(repeats):
        start = time.perf_counter()
        _triad(a, b, c, 3.0)
        best = min(best, time.perf_counter() - start)
    return 3 * a.nbytes / best


def disk_rates(folder: Path, size: int = _DISK_BYTES) -> tuple[float, float]:
    """Return bytes per second written (with fsync) and read back from the disk that holds `folder`."""
    block = np.random.default_rng(0).bytes(_BLOCK)  # random: some file systems compress
    count = max(1, size // _BLOCK)
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".fullshelf-disk-") as file:
        start = time.perf_counter()
        for _ in range(count):
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
        written = count * _BLOCK / (time.perf_counter() - start)
        if hasattr(os, "posix_fadvise"):  # else the read comes from memory
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        file.seek(0)
        start = time.perf_counter()
        while file.read(_BLOCK):
            pass
        read = count * _BLOCK / (time.perf_counter() - start)
    return written, read


@parallel
def _triad(a: NDArray[np.float64], b: NDArray[np.float64], c: NDArray[np.float64], x: float) -> None:
    for i in numba.prange(a.size):
        a[i] = b[i] + x * c[i]


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass  # not Linux
    return platform.processor() or platform.machine()


def _commit() -> str:
    """Return the commit of the source; results that were written meanwhile are no change of it."""
    root = Path(__file__).resolve().parent.parent
    status = ["git", "status", "--porcelain", "--", ".", ":!bench/results"]
    try:
        head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, check=False)
        dirty = subprocess.run(status, cwd=root, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    if head.returncode != 0:
        return ""
    return head.stdout.strip() + ("+changes" if dirty.stdout.strip() else "")


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
