"""The local executor: shards side by side in threads of this process.

Kernels and Polars release the GIL, so while one shard waits for the disk another forecasts. Only a window of shards is
in flight, which bounds the memory; results come in any order, and nobody downstream depends on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Generic, TypeVar

from fullshelf.engine.stopping import Stop

R = TypeVar("R")
POLL_SECONDS = 0.2  # how long a signal may wait to be noticed


@dataclass(frozen=True, slots=True)
class Outcome(Generic[R]):
    """What became of one shard: a result or the error that it raised."""

    shard: int
    result: R | None
    error: Exception | None


def run_shards(shards: Iterable[int], work: Callable[[int], R], threads: int, stop: Stop) -> Iterator[Outcome[R]]:
    """Run `work` on each shard, `threads` at once, and yield outcomes as they come.

    When the end is asked for, no new shard begins; those at work are waited for and yielded, then Interrupted rises.
    """
    waiting = iter(shards)
    running: dict[Future[R], int] = {}
    with ThreadPoolExecutor(max_workers=threads, thread_name_prefix="shard") as pool:
        exhausted = False
        while True:
            while not exhausted and not stop.wanted and len(running) < threads + 1:
                shard = next(waiting, None)
                if shard is None:
                    exhausted = True
                else:
                    running[pool.submit(work, shard)] = shard
            if not running:
                break
            finished, _ = wait(running, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
            for future in finished:
                yield _outcome(running.pop(future), future)
    stop.check()


def run_all(
    shards: Iterable[int],
    work: Callable[[int], R],
    threads: int,
    stop: Stop,
    tell: Callable[[int], None] = lambda done: None,
    explain: Callable[[int, Exception], Exception] = lambda shard, error: error,
) -> dict[int, R]:
    """Run `work` on each shard as `run_shards` does and return the results by shard; the first that fails ends it.

    Parameters
    ----------
    tell
        Called with the number of results after each.
    explain
        Makes the error that rises out of a shard's number and its error.
    """
    results: dict[int, R] = {}
    for outcome in run_shards(shards, work, threads, stop):
        if outcome.error is not None:
            risen = explain(outcome.shard, outcome.error)
            raise risen from (None if risen is outcome.error else outcome.error)
        results[outcome.shard] = outcome.result  # type: ignore[assignment]  # it has a result or an error
        tell(len(results))
    return results


def _outcome(shard: int, future: Future[R]) -> Outcome[R]:
    error = future.exception()
    if error is None:
        return Outcome(shard, future.result(), None)
    if not isinstance(error, Exception):
        raise error
    return Outcome(shard, None, error)
