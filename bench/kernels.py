"""`fullshelf bench kernels`: problems per second of each kernel, beside stockpyl, inventorize and the memory bandwidth.

Each kernel is called on one and on two threads; the peers solve the first SKUs of the same problem one by one, which is
all they offer, and their answers are held against ours before any figure is printed.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from functools import partial

import numba
import numpy as np

from fullshelf.bench import kernel_peers
from fullshelf.bench.kernel_problems import PROBLEMS, Arrays, Problem
from fullshelf.bench.machine import Limits, Machine, triad_bandwidth, usable_cores
from fullshelf.bench.result import OURS, Report, Row
from fullshelf.bench.timing import Timing, measure

SIZES = {"small": (1_000, 100_000), "full": (1_000, 100_000, 10_000_000)}
SEED = 31
LONGEST = {"small": 2.0, "full": 60.0}  # seconds that one call may be expected to take; larger sizes are not run
BUDGET = {"small": 5.0, "full": 10.0}  # seconds of all warm calls of a kernel at a size
PEER_SECONDS = {"small": 1.0, "full": 3.0}
PEER_SKUS = 200
PEER_CALLS = 5  # of those that are quick
FAIRNESS = (
    "The peers' functions take one SKU at a time, so theirs is a loop over SKUs; ours is one call. `times stockpyl` is "
    "SKUs per second of ours at the size of that row over SKUs per second of stockpyl on the first SKUs of the same "
    "draw, `difference` the largest relative difference of the answers there. The first call is that of one SKU: it "
    "compiles, or loads what an earlier process compiled. `of triad` counts each byte of the arguments and "
    "results once, over the triad measured beside it on as many threads."
)


def measure_kernels(
    machine: Machine,
    limits: Limits,
    sizes: Sequence[int],
    *,
    problems: Sequence[Problem] = PROBLEMS,
    repeats: int = 5,
    budget: float = BUDGET["full"],
    peer_seconds: float = PEER_SECONDS["full"],
    longest: float = LONGEST["full"],
    say: Callable[[str], None] = print,
) -> Report:
    """Measure each kernel at each size on one and two threads, and its peers on a few SKUs.

    Raises
    ------
    RuntimeError
        If a peer's answers differ from ours by more than the problem's tolerance.
    """
    before = numba.get_num_threads()
    threads = sorted({1, min(2, usable_cores())})
    rows: list[Row] = []
    try:
        for problem in problems:
            say(problem.name)
            rows += _measure_problem(problem, sizes, threads, repeats, budget, peer_seconds, longest)
    finally:
        numba.set_num_threads(before)
    last = [
        row
        for row in rows
        if row.who == OURS
        and row.cores == max(threads)
        and row.work == max(other.work for other in rows if other.task == row.task and other.timing is not None)
    ]
    missed = [
        f"{row.task}: {row.figures['times stockpyl']:,.0f} times stockpyl, goal {row.figures['goal']:,.0f}"
        for row in last
        if row.figures.get("times stockpyl", np.inf) < row.figures.get("goal", 0.0)
    ]
    of_triad = {problem.name: problem.goal_of_bandwidth for problem in problems}
    missed += [
        f"{row.task}: {row.figures['of triad']:.2f} of the triad, goal {of_triad[row.task]}"
        for row in last
        if row.figures.get("of triad", np.inf) < (of_triad[row.task] or 0.0)
    ]
    left_out = f"A kernel that would take more than {longest:.0f} s at a size is not run there."
    goals = ("Goals missed: " + "; ".join(missed) + ".",) if missed else ("No goal missed at the largest size.",)
    return Report("kernels", machine, limits, tuple(rows), {"problems": SEED}, (FAIRNESS, left_out, *goals))


def _measure_problem(
    problem: Problem,
    sizes: Sequence[int],
    threads: Sequence[int],
    repeats: int,
    budget: float,
    peer_seconds: float,
    longest: float,
) -> list[Row]:
    first = _seconds(lambda: problem.ours(problem.draw(1, np.random.default_rng(SEED)), False))
    rates: dict[str, float] = {}
    peer_rows: list[Row] = []
    for peer, solve in problem.peers.items():
        if reason := kernel_peers.missing(peer):
            peer_rows.append(Row(problem.name, peer, "", 1, "SKUs", None, note=reason))
            continue
        solved, timing, difference = _ask_peer(problem, solve, peer_seconds)
        rates[peer] = solved / timing.median
        figures = {"difference": difference}
        peer_rows.append(Row(problem.name, peer, f"{solved:,} SKUs", solved, "SKUs", timing, figures=figures))
    rows: list[Row] = []
    pace = 0.0  # seconds for a SKU, of the size before
    for size in sizes:
        if pace * size > longest:
            note = f"not run: {pace * size:,.0f} s"
            rows.append(Row(problem.name, OURS, f"{size:,} SKUs", size, "SKUs", None, note=note))
            continue
        drawn = problem.draw(size, np.random.default_rng(SEED))
        for n, timing, triad in _time(problem, drawn, threads, repeats, budget):
            pace = timing.median / size if n == 1 else pace
            figures = {}
            if "stockpyl" in rates:
                figures["times stockpyl"] = size / timing.median / rates["stockpyl"]
            if problem.goal is not None:
                figures["goal"] = problem.goal
            if problem.moved is not None:
                figures["of triad"] = problem.moved(drawn) / timing.median / triad
            whole = Timing(first, timing.seconds) if n == 1 and size == sizes[0] else timing
            note = "" if whole.first == first else "first call: warm"
            rows.append(Row(problem.name, OURS, f"{size:,} SKUs", size, "SKUs", whole, n, figures, note))
    return rows + peer_rows


def _time(
    problem: Problem, drawn: Arrays, threads: Sequence[int], repeats: int, budget: float
) -> list[tuple[int, Timing, float]]:
    """Return timings by number of threads, and the triad on as many, measured right beside them."""
    answers = []
    for n in threads:
        numba.set_num_threads(n)
        triad = triad_bandwidth(repeats=3) if problem.moved is not None else 1.0
        call = measure({"ours": partial(problem.ours, drawn, n > 1)}, repeats=repeats, budget=budget / repeats)
        if problem.moved is not None:
            triad = 0.5 * (triad + triad_bandwidth(repeats=3))
        answers.append((n, call["ours"], triad))
    return answers


def _ask_peer(
    problem: Problem, solve: Callable[..., tuple[float, ...]], peer_seconds: float
) -> tuple[int, Timing, float]:
    """Return how many SKUs the peer solved in its time, the seconds, and the largest difference from our answers.

    A peer that is quick solves them again, for its seconds tell `bench compare` how the machine drifts.
    """
    drawn = problem.draw(PEER_SKUS, np.random.default_rng(SEED))
    skus = [tuple(array[i] for array in drawn) for i in range(PEER_SKUS)]
    theirs: list[tuple[float, ...]] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the peer's, of its numerical integration
        solve(*skus[0])  # imports
        start = time.perf_counter()
        while len(theirs) < PEER_SKUS and time.perf_counter() - start < peer_seconds:
            theirs.append(solve(*skus[len(theirs)]))
        seconds = [time.perf_counter() - start]
        while len(seconds) < PEER_CALLS and sum(seconds) < peer_seconds / PEER_CALLS:
            seconds.append(_seconds(lambda: [solve(*sku) for sku in skus[: len(theirs)]]))
    ours = np.column_stack(problem.ours(drawn, False))[: len(theirs), : len(theirs[0])]
    other = np.array(theirs, dtype=np.float64)
    neither = np.isnan(ours) & np.isnan(other)  # both say that there is no answer
    worst = np.where(neither, 0.0, np.abs(ours - other) / np.maximum(np.abs(ours), 1e-9))
    difference = float(worst.max())
    if not difference <= problem.tolerance:
        sku = int(np.argmax(worst.max(axis=1)))
        raise RuntimeError(
            f"{problem.name}: ours {ours[sku].tolist()} and the peer's {theirs[sku]} differ by {difference:.2g}, more "
            f"than {problem.tolerance:.2g}, for SKU {sku}: {skus[sku]}"
        )
    return len(theirs), Timing(seconds[0], tuple(seconds)), difference


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
