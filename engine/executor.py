"""Where a run's shards are worked on: in threads of this process, or wherever another executor says.

An executor decides where and when, how often a failed shard is tried, and nothing else: records, resuming, quarantine
and the end of a run are the refresh's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Protocol

from fullshelf.engine.allocation import Allocation
from fullshelf.engine.commit import is_disk_full
from fullshelf.engine.errors import FullshelfError, RunError
from fullshelf.engine.local import Outcome, run_shards
from fullshelf.engine.pipeline import Record, ShardJob, run_shard
from fullshelf.engine.progress import Reporter
from fullshelf.engine.sharing import share_out
from fullshelf.engine.split_elsewhere import Elsewhere
from fullshelf.engine.stopping import Stop

__all__ = ["ATTEMPTS", "Executor", "LocalExecutor", "raise_if_hopeless"]

ATTEMPTS = 2  # of a shard on this machine, before it is quarantined


class Executor(Protocol):
    """Runs the shards of a job."""

    def elsewhere(self, stop: Stop) -> Elsewhere | None:
        """Return the processes that may split large sales, None where only this one does.

        Raises
        ------
        ConfigError
            If such are asked for, but cannot see what they would need.
        """
        ...

    def run(self, job: ShardJob, shards: Sequence[int], stop: Stop) -> Iterator[Outcome[Record]]:
        """Run `run_shard` on each shard; yield outcomes as they come, an error only when it was tried often enough.

        Raises
        ------
        FullshelfError
            If no second attempt and no other shard can escape the error.
        Interrupted
            If the end was asked for, after all that was begun has been yielded.
        """
        ...

    def share_out(
        self, job: ShardJob, records: list[Record], progress: Reporter, stop: Stop
    ) -> tuple[list[Record], Allocation]:
        """Meet the limits over all forecast shards and commit the orders; return the final records."""
        ...


class LocalExecutor:
    """Shards side by side in threads of this process."""

    def __init__(self, threads: int) -> None:
        self._threads = threads

    def elsewhere(self, stop: Stop) -> None:
        """Return None: this process splits the sales."""

    def run(self, job: ShardJob, shards: Sequence[int], stop: Stop) -> Iterator[Outcome[Record]]:
        """Run each shard; a failed one once more at the end."""
        todo = list(shards)
        for attempt in range(1, ATTEMPTS + 1):
            failed = []
            for outcome in run_shards(todo, partial(run_shard, job), self._threads, stop):
                if outcome.error is not None:
                    raise_if_hopeless(outcome.error)
                    if attempt < ATTEMPTS:
                        failed.append(outcome.shard)
                        continue
                yield outcome
            todo = sorted(failed)

    def share_out(
        self, job: ShardJob, records: list[Record], progress: Reporter, stop: Stop
    ) -> tuple[list[Record], Allocation]:
        """Meet the limits over all forecast shards and commit the orders; return the final records."""
        return share_out(job, records, self._threads, progress, stop)


def raise_if_hopeless(error: Exception) -> None:
    """Raise errors that no second attempt and no other shard can escape."""
    if isinstance(error, FullshelfError | MemoryError):
        raise error
    if is_disk_full(error):
        raise RunError(f"the disk is full: {error}. What is committed stays; make room and call again") from error
