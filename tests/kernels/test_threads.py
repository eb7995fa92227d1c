import os
import select
import signal
import threading
import time

import numba
import numpy as np
import pytest

from fullshelf.kernels.threads import in_threads


def test_every_row_is_done_once_whatever_the_threads() -> None:
    rows = np.arange(1000.0)
    for parallel in (False, True):
        out = np.zeros((1000, 2))
        in_threads(_add, (rows, out), np.array([1.0, 2.0]), parallel=parallel)
        np.testing.assert_array_equal(out, rows[:, None] + [1.0, 2.0])


def test_what_is_shared_is_not_sliced_even_where_it_has_as_many_entries_as_there_are_rows() -> None:
    rows, out = np.arange(100.0), np.zeros((100, 100))
    in_threads(_add, (rows, out), np.arange(100.0))
    np.testing.assert_array_equal(out, rows[:, None] + np.arange(100.0))


def test_few_rows_stay_in_the_calling_thread() -> None:
    seen: list[str] = []
    in_threads(lambda rows: seen.append(threading.current_thread().name), (np.zeros(10),))
    assert seen == [threading.current_thread().name]


def test_rows_that_take_no_time_stay_in_the_calling_thread_and_slow_ones_do_not() -> None:
    seen: set[str] = set()

    def quick(rows: np.ndarray) -> None:
        seen.add(threading.current_thread().name)

    def slow(rows: np.ndarray) -> None:
        quick(rows)
        time.sleep(1e-4 * len(rows))

    in_threads(quick, (np.zeros(1000),))
    assert seen == {threading.current_thread().name}
    in_threads(slow, (np.zeros(1000),))
    assert len(seen) > 1 or numba.get_num_threads() == 1


def test_an_error_in_a_slice_reaches_the_caller() -> None:
    def fail(rows: np.ndarray) -> None:
        if rows[-1] > 0:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        in_threads(fail, (np.arange(1000),))


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_starts_threads_of_its_own() -> None:
    rows, out = np.arange(1000.0), np.zeros((1000, 2))
    in_threads(_add, (rows, out), np.array([1.0, 2.0]))
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        again = np.zeros((1000, 2))
        in_threads(_add, (rows, again), np.array([1.0, 2.0]))
        os.write(write, b"same" if np.array_equal(again, out) else b"other")
        os._exit(0)
    os.close(write)
    ready, _, _ = select.select([read], [], [], 30.0)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert ready, "the child waits for threads that it does not have"
    assert os.read(read, 10) == b"same"
    os.close(read)


def test_arrays_of_different_rows_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\[3, 4\]"):
        in_threads(_add, (np.zeros(3), np.zeros((4, 1))), np.zeros(1))


def _add(rows: np.ndarray, out: np.ndarray, steps: np.ndarray) -> None:
    out += rows[:, None] + steps
