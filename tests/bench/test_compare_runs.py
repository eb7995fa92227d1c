"""Real runs held against each other: the same code twice, and with a slow-down of a fifth planted in it."""

import time
from dataclasses import replace

import pytest

from fullshelf.bench.compare import compare
from fullshelf.bench.kernel_peers import missing
from fullshelf.bench.kernel_problems import PROBLEMS
from fullshelf.bench.kernels import measure_kernels
from fullshelf.bench.machine import BUSY, Limits, this_machine

NAMES = ("newsvendor, normal demand", "all-units discount, 3 prices", "base stock, normal demand")


def slowed(problem, factor):
    """Return the problem with calls of ours that spin for so much longer."""

    def ours(arrays, parallel):
        begun = time.perf_counter()
        found = problem.ours(arrays, parallel)
        end = time.perf_counter() + factor * (time.perf_counter() - begun)
        while time.perf_counter() < end:
            pass
        return found

    return replace(problem, ours=ours)


def run(factor=0.0):
    problems = [slowed(problem, factor) for problem in PROBLEMS if problem.name in NAMES]
    quiet = {"repeats": 15, "budget": 20.0, "say": lambda line: None}
    return measure_kernels(this_machine(), Limits(1e10, 0.0, 0.0), (100_000,), problems=problems, **quiet).as_json()


@pytest.mark.slow
def test_the_same_code_run_twice_is_not_slower_and_a_planted_fifth_is_found():
    if missing("stockpyl"):
        pytest.skip("stockpyl is not installed: its unchanged code tells the machine's drift")
    if (load := this_machine().load) > BUSY:
        pytest.skip(f"others keep {load:.1f} cores busy: times are not comparable")
    run()  # compiles
    before, again, planted = run(), run(), run(0.2)
    assert not [change for change in compare([before], [again]).changes if change.slower(0.1)]
    found = [change for change in compare([before], [planted]).changes if change.slower(0.1)]
    assert {change.key[1] for change in found} == set(NAMES)
