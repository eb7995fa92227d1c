"""Memory that is freed stays with the process: the next array of its size costs no new page."""

import subprocess
import sys

import pytest

from fullshelf.engine.models.freed_memory import keep_freed_memory

COUNT = """
import resource, sys
import numpy as np
from fullshelf.engine.models.freed_memory import keep_freed_memory
if sys.argv[1] == "keep":
    keep_freed_memory()
def use():
    a, b = np.empty(500_000), np.empty(500_000)
    a.fill(1.0), b.fill(1.0)
use()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(50):
    use()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str) -> int:
    return int(subprocess.run([sys.executable, "-c", COUNT, how], capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="the setting is glibc's")
def test_an_array_of_the_same_size_again_takes_no_new_pages():
    assert faults("keep") < 0.1 * faults("as it is")


def test_where_the_c_library_has_no_such_setting_nothing_happens(monkeypatch):
    monkeypatch.setattr("ctypes.CDLL", lambda name: object())
    keep_freed_memory()
