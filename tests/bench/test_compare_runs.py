"""Real runs held against each other: the same twice, and with a slow-down of a fifth planted in it."""

import copy
import time
from dataclasses import replace

import pytest

from fullshelf.bench.compare import CORE, CORE_FIGURES, ERRORS, WALL, compare
from fullshelf.bench.kernel_peers import missing
from fullshelf.bench.kernel_problems import PROBLEMS
from fullshelf.bench.kernels import measure_kernels
from fullshelf.bench.machine import BUSY, Limits, this_machine
from fullshelf.bench.result_file import read_results
from fullshelf.bench.results_folder import RESULTS

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


def planted(results, factor):
    """Return results in which all that is ours took so much longer."""
    found = copy.deepcopy(results)
    for row in (row for one in found for row in one["rows"] if row["who"].startswith("fullshelf")):
        if row["median_seconds"]:
            row["median_seconds"] *= factor
        row["figures"] |= {name: factor * row["figures"][name] for name in CORE_FIGURES if name in row["figures"]}
    return found


@pytest.mark.parametrize("file", sorted(RESULTS.glob("*/*.json")), ids=lambda file: file.name)
def test_in_a_kept_result_a_planted_fifth_is_found_in_every_row_whose_noise_allows_it(file):
    before = read_results(file)
    same, slower = compare(before, before), compare(before, planted(before, 1.2))
    assert not [change for change in same.changes if change.slower(0.0) or change.faster(0.0)]
    times = [change for change in slower.changes if change.measure in (WALL, CORE)]
    quiet = {change.key for change in times if ERRORS * change.noise < 0.2}
    assert {change.key for change in slower.changes if change.slower(0.1)} == quiet
    assert not [change for change in slower.changes if change.faster(0.1)]
    if before[0]["benchmark"] in ("kernels", "forecast", "inference", "refresh", "headline", "limits", "parts"):
        assert quiet, "measured in such a noisy hour that a fifth could hide in every row: measure it again"


def test_a_whole_suite_of_kept_results_is_the_same_twice_and_shows_a_fifth_in_one_benchmark_alone():
    suite = [one for file in sorted(RESULTS.glob("*/*.json")) for one in read_results(file)]
    assert not [change for change in compare(suite, suite).changes if change.slower(0.1)]
    after = [one if one["benchmark"] != "inference" else planted([one], 1.2)[0] for one in suite]
    found = {change.key[0] for change in compare(suite, after).changes if change.slower(0.1)}
    assert found == {"inference"}


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
