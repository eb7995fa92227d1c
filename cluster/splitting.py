"""Large sales split by actors of the cluster: the engine's exchange, its steps given out by the shards' scheduler.

The actors need cores, no GPU, and end when the sales are split, so that those of the shards find their room.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import ray

from fullshelf.cluster.driver import drive
from fullshelf.cluster.fleet import Fleet
from fullshelf.cluster.log import Note
from fullshelf.cluster.scheduler import Patience, Scheduler
from fullshelf.cluster.split_worker import SplitWorker
from fullshelf.engine.config import RunSettings
from fullshelf.engine.errors import RunError
from fullshelf.engine.pickled import JobFile
from fullshelf.engine.split_elsewhere import Step, Steps
from fullshelf.engine.stopping import Stop

__all__ = ["AUTO_ROWS", "ClusterSplit"]

AUTO_ROWS = 200_000_000  # new rows from which `run.split: auto` splits on the cluster
WORDS: dict[Step, str] = {"piece": "piece of the sales", "range": "range of shards"}


class ClusterSplit:
    """`Elsewhere` on a Ray cluster.

    Parameters
    ----------
    connect
        Connects this process to the cluster, unless it is.
    options
        What an actor asks of its node, in Ray's words.
    room
        Returns how many such actors the cluster holds.
    """

    def __init__(
        self,
        settings: RunSettings,
        patience: Patience,
        connect: Callable[[], None],
        options: dict[str, Any],
        room: Callable[[], int],
        stop: Stop,
        note: Note,
        worker: type[SplitWorker] = SplitWorker,
    ) -> None:
        self._settings, self._patience, self._stop, self._note = settings, patience, stop, note
        self._connect, self._options, self._room, self._worker = connect, options, room, worker

    def takes(self, rows: int) -> bool:
        """Whether so many new rows are split on the cluster: from AUTO_ROWS on, or as configured."""
        return self._settings.split == "cluster" or (self._settings.split == "auto" and rows >= AUTO_ROWS)

    @contextmanager
    def working(self, job: JobFile) -> Iterator[Steps]:
        """Begin actors that open the exchange; end them after the block."""
        self._connect()
        start = ray.remote(self._worker).options(max_concurrency=1, max_restarts=0, max_task_retries=0, **self._options)
        fleet = Fleet(lambda: start.remote(self._settings.cores_per_actor), (job,))
        try:
            yield lambda step, numbers: self._run(fleet, step, numbers)
        finally:
            fleet.close()

    def _run(self, fleet: Fleet, step: Step, numbers: Sequence[int]) -> Iterator[int]:
        def note(event: str, **fields: Any) -> None:
            number = {step: fields.pop("shard")} if "shard" in fields else {}
            self._note(event.replace("shard", step), **number, **fields)

        for outcome in drive(fleet, Scheduler(numbers, self._patience), self._room, self._stop, note=note, method=step):
            if outcome.error is not None:
                raise RunError(
                    f"{WORDS[step]} {outcome.shard}: {type(outcome.error).__name__}: {outcome.error}; the sales cannot "
                    "be split without it. What is done stays: call again to resume"
                ) from outcome.error
            yield outcome.shard
