"""What runs inside an actor: shards of one job, opened from files; numbers and records go back, rows never.

At import nothing here loads Polars, numba or torch: the actor first sets how many threads they may use.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from fullshelf.cluster.actor import Actor

if TYPE_CHECKING:
    import polars as pl

    from fullshelf.engine.pickled import JobFile
    from fullshelf.engine.pipeline import Record, ShardJob
    from fullshelf.engine.shard_orders import ShardOrders, Together

__all__ = ["Question", "ShardWorker"]

Question = tuple[str, tuple[Any, ...]]  # a method of `Responder` and its arguments


class ShardWorker(Actor["ShardJob"]):
    """Works on shards of one job.

    Parameters
    ----------
    cores
        That Ray granted.
    """

    def __init__(self, cores: float) -> None:
        super().__init__(cores)
        self._groups: dict[int, tuple[Together, dict[int, tuple[pl.DataFrame, ShardOrders]]]] = {}

    def run(self, shard: int) -> Record:
        """Run one shard and commit it; return its record."""
        from fullshelf.engine.pipeline import run_shard

        return run_shard(self._opened, shard)

    def load(self, group: int, shards: Sequence[int], replay: Sequence[Question]) -> None:
        """Take over the limited orders of some shards, and catch up with what they were told before."""
        from fullshelf.engine.pipeline import limited_orders
        from fullshelf.engine.shard_orders import Together

        job = self._opened
        with ThreadPoolExecutor(self._threads) as pool:
            held = dict(zip(shards, pool.map(lambda shard: limited_orders(job, shard), shards), strict=True))
        together = Together([orders for _, orders in held.values()], numbers=list(held))
        self._groups[group] = together, held
        for method, arguments in replay:
            self.ask(group, method, *arguments)

    def ask(self, group: int, method: str, *arguments: Any) -> Any:
        """Put a question of `Responder` to the group's shards."""
        found = getattr(self._groups[group][0], method)
        return found(*arguments) if callable(found) else found

    def commit(self, group: int, shard: int) -> Record:
        """Commit the orders of a shard of a group; return its record."""
        from fullshelf.engine.sharing import commit_shared

        job = self._opened
        values, orders = self._groups[group][1][shard]
        record = json.loads(job.folder.record("forecast", shard).read_text(encoding="utf-8"))
        return commit_shared(job, record, values, orders)

    def _read(self, file: JobFile) -> ShardJob:
        from fullshelf.engine.job_file import open_job

        return open_job(file)
