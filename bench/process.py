"""Run a command and say how long it took and how much memory it held at its peak.

Linux counts the memory of the process that called `exec` as the child's own peak, so a large parent would hide the
child. A bare interpreter therefore stands in between; it starts the command and reports what the system says of it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_BETWEEN = """
import json, os, sys
child = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(child, 0)
with open(sys.argv[1], "w") as file:
    json.dump([os.waitstatus_to_exitcode(status), usage.ru_maxrss, usage.ru_utime + usage.ru_stime], file)
"""


@dataclass(frozen=True, slots=True)
class Finished:
    """A process that ended."""

    returncode: int
    seconds: float
    peak_bytes: int  # largest resident set of the process itself
    cpu_seconds: float  # over all its threads; on a busy machine it says more than `seconds`
    output: str  # stdout and stderr together


def run_measured(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Finished:
    """Run a command to its end; its peak memory is its own (about 10 MB at least).

    Raises
    ------
    OSError
        If the command cannot be started.
    """
    with tempfile.TemporaryDirectory(prefix="fullshelf-bench-") as folder:
        answer, output = Path(folder, "answer.json"), Path(folder, "output.txt")
        with output.open("wb") as sink:
            start = time.perf_counter()
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _BETWEEN, str(answer), *command],
                stdout=sink,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                start_new_session=True,  # so that both are stopped when this process is
            )
            try:
                process.wait()
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                raise
            seconds = time.perf_counter() - start
        text = output.read_text(errors="replace")
        if not answer.exists():
            raise OSError(f"cannot start {command[0]!r}: {text.strip()}")
        returncode, peak, cpu = json.loads(answer.read_text())
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in KiB on Linux, in bytes on macOS
    return Finished(returncode, seconds, int(peak) * unit, cpu, text)
