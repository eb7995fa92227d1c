import numba
import numpy as np
import pytest
from rich.console import Console

from fullshelf.bench.kernel_peers import missing
from fullshelf.bench.kernel_problems import PROBLEMS, Problem
from fullshelf.bench.kernels import measure_kernels
from fullshelf.bench.machine import Limits, this_machine
from fullshelf.bench.result import OURS, show_report

NOTHING = Limits(1.0, 0.0, 0.0)


def double(answer_of_the_peer: float = 2.0, **more) -> Problem:
    return Problem(
        "double",
        lambda n, draw: (draw.uniform(1, 2, n),),
        lambda x, parallel: (2 * x[0],),
        {"stockpyl": lambda value: (answer_of_the_peer * value,)},
        goal=1.0,
        moved=lambda x: 16.0 * len(x[0]),
        **more,
    )


def measured(*problems: Problem, sizes=(100, 1000), **more):
    quick = {"repeats": 1, "budget": 1.0, "peer_seconds": 0.05, "say": lambda _: None}
    return measure_kernels(this_machine(), NOTHING, sizes, problems=problems, **quick, **more)


@pytest.fixture(autouse=True)
def _peers_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fullshelf.bench.kernel_peers.missing", lambda _: "")
    monkeypatch.setattr("fullshelf.bench.kernels.triad_bandwidth", lambda repeats: 1e10)


def test_ours_and_the_peer_stand_in_one_table_with_the_ratio_and_the_share_of_bandwidth() -> None:
    before = numba.get_num_threads()
    report = measured(double())
    assert numba.get_num_threads() == before
    ours = [row for row in report.rows if row.who == OURS]
    assert {(row.work, row.cores) for row in ours} >= {(100, 1), (1000, 1)}
    (peer,) = [row for row in report.rows if row.who == "stockpyl"]
    assert peer.figures == {"difference": 0.0}
    for row in ours:
        assert row.rate is not None
        assert peer.rate is not None
        assert row.figures["times stockpyl"] == pytest.approx(row.rate / peer.rate)
        assert row.figures["of triad"] > 0
    show_report(Console(quiet=True), report)


def test_answers_that_differ_stop_the_benchmark() -> None:
    with pytest.raises(RuntimeError, match=r"double: ours .* and the peer's .* differ by 0\.5"):
        measured(double(answer_of_the_peer=3.0))


def test_two_that_have_no_answer_agree() -> None:
    nothing = Problem(
        "none", lambda n, _: (np.ones(n),), lambda x, _: (x[0] * np.nan,), {"stockpyl": lambda _: (np.nan,)}
    )
    assert any(row.who == "stockpyl" and row.figures == {"difference": 0.0} for row in measured(nothing).rows)


def test_a_peer_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fullshelf.bench.kernel_peers.missing", lambda peer: f"{peer} is not installed")
    (peer,) = [row for row in measured(double()).rows if row.who == "stockpyl"]
    assert (peer.timing, peer.note) == (None, "stockpyl is not installed")


def test_what_would_take_too_long_is_left_out_and_says_so() -> None:
    rows = [row for row in measured(double(), longest=1e-9).rows if row.who == OURS and row.work == 1000]
    assert [(row.timing, row.note[:8]) for row in rows] == [(None, "not run:")]


def test_a_goal_that_is_missed_is_named() -> None:
    slow = Problem("slow", lambda n, _: (np.ones(n),), lambda x, _: (x[0],), {"stockpyl": lambda x: (x,)}, goal=1e15)
    assert "Goals missed: slow" in measured(slow).sentences[-1]
    assert "No goal missed" in measured(double()).sentences[-1]
    idle = Problem("idle", lambda n, _: (np.ones(n),), lambda x, _: (x[0],), goal_of_bandwidth=1e9, moved=lambda x: 8.0)
    assert "idle: 0.00 of the triad, goal 1000000000.0" in measured(idle).sentences[-1]


@pytest.mark.slow  # compiles the serial and the parallel form of every kernel
@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.name)
def test_each_problem_is_answered_alike_on_one_and_on_several_threads(problem: Problem) -> None:
    drawn = problem.draw(70, np.random.default_rng(5))
    assert {len(array) for array in drawn} == {70}
    one, two = problem.ours(drawn, False), problem.ours(drawn, True)
    for a, b in zip(one, two, strict=True):
        assert a.shape == (70,)
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the peer's, of its numerical integration
@pytest.mark.parametrize("problem", [p for p in PROBLEMS if "stockpyl" in p.peers], ids=lambda problem: problem.name)
def test_stockpyl_gives_the_same_answers(problem: Problem) -> None:
    if reason := missing("stockpyl"):
        pytest.skip(reason)
    drawn = problem.draw(200, np.random.default_rng(6))
    ours = np.column_stack(problem.ours(drawn, False))
    for i in range(1 if "s, S" in problem.name or "grid" in problem.name else 3):
        theirs = np.array(problem.peers["stockpyl"](*(array[i] for array in drawn)), dtype=float)
        np.testing.assert_allclose(ours[i, : theirs.size], theirs, rtol=problem.tolerance)
