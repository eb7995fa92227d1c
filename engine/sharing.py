"""The second half of a run with limits: all shards' orders together meet the limits, then each shard is committed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import polars as pl

from fullshelf.engine.allocation import Allocation, allocate
from fullshelf.engine.local import run_all
from fullshelf.engine.pipeline import Clock, Record, ShardJob, commit_orders, limited_orders
from fullshelf.engine.profile import working
from fullshelf.engine.progress import Reporter
from fullshelf.engine.shard_orders import ShardOrders, Together
from fullshelf.engine.stopping import Stop


@working("allocate")
def share_out(
    job: ShardJob, records: list[Record], threads: int, progress: Reporter, stop: Stop
) -> tuple[list[Record], Allocation]:
    """Find the prices of the limits over all forecast shards and commit the orders; return the final records.

    What is committed here is cheap to compute again, so after an interruption all of it is.
    """
    waiting = {record["shard"]: record for record in records}
    answers = run_all(
        waiting, partial(limited_orders, job), threads, stop, lambda done: progress("limits", done, len(waiting))
    )
    shards = sorted(answers)
    with ThreadPoolExecutor(threads, thread_name_prefix="limits") as pool:
        allocation = allocate(Together([answers[shard][1] for shard in shards], pool.map, stop.check), job.limits)

    def commit(shard: int) -> Record:
        return commit_shared(job, waiting[shard], *answers.pop(shard))

    final = run_all(shards, commit, threads, stop, lambda done: progress("orders", done, len(shards)))
    return [final[shard] for shard in shards], allocation


def commit_shared(job: ShardJob, record: Record, values: pl.DataFrame, orders: ShardOrders) -> Record:
    """Commit a forecast shard's orders, as the limits were shared out; return its final record."""
    clock = Clock(dict(record["seconds"]))
    with clock.stage("plan"):
        plan = orders.plan()
    return commit_orders(job, record, values, plan, clock)
