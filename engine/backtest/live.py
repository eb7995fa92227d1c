"""Live all shards: each by itself, or round by round together where limits span them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from fullshelf.engine.allocation import allocate
from fullshelf.engine.backtest.result import Result, gather, result_of
from fullshelf.engine.backtest.shard_trial import Decision, ShardTrial
from fullshelf.engine.backtest.trial import TEXTBOOK, Trial
from fullshelf.engine.errors import FullshelfError, RunError
from fullshelf.engine.limits import Limit
from fullshelf.engine.local import run_all
from fullshelf.engine.progress import Reporter
from fullshelf.engine.shard_orders import ShardOrders, Together
from fullshelf.engine.stopping import Stop
from fullshelf.kernels.allocation import ROOM, exact_sum, in_parts
from fullshelf.kernels.textbook import smaller_lots

Array = NDArray[np.float64]
R = TypeVar("R")

HALVINGS = 40  # of the share to which orders are cut


def live_all(trial: Trial, threads: int, progress: Reporter, stop: Stop) -> Result:
    """Live every shard and put the results together, sorted by sku and location.

    Raises
    ------
    RunError
        If a shard fails: a backtest of the rest would compare something else.
    """
    shards = range(trial.sides[0].intake.shards)
    if trial.limits:
        return gather([result_of(shard) for shard in _together(trial, shards, threads, progress, stop)])
    rounds = len(trial.rounds.origins)

    def alone(number: int) -> Result:
        shard = ShardTrial(trial, number)
        for k in range(rounds):
            stop.check()
            decisions = shard.decide(k)
            shard.live(k, decisions[0].rows, [d.quantity for d in decisions])
            if len(shards) == 1:
                progress("rounds", k + 1, rounds)
        return result_of(shard)

    return gather(_each(shards, alone, threads, stop, lambda done: progress("shards", done, len(shards))))


def _together(trial: Trial, numbers: Sequence[int], threads: int, progress: Reporter, stop: Stop) -> list[ShardTrial]:
    shards = _each(numbers, lambda n: ShardTrial(trial, n), threads, stop)
    rounds, many = len(trial.rounds.origins), len(shards) > threads

    def decide(n: int, k: int) -> list[Decision]:
        decisions = shards[n].decide(k)
        if many:  # sales are read again in the next round
            shards[n].release()
        return decisions

    for k in range(rounds):
        decided = _each(numbers, lambda n: decide(n, k), threads, stop)  # noqa: B023
        orders = []
        with ThreadPoolExecutor(threads, thread_name_prefix="limits") as pool:
            for c, contender in enumerate(trial.contenders):
                own = [decisions[c] for decisions in decided]
                if contender.policy == TEXTBOOK:
                    orders.append(_cut(own, shards, trial.limits))
                    continue
                answers = [
                    None if d.problem is None else ShardOrders(d.problem, shards[n].values[d.rows], trial.limits)
                    for n, d in enumerate(own)
                ]
                asked = [a for a in answers if a is not None]
                if asked:
                    allocate(Together(asked, pool.map, stop.check), trial.limits)
                orders.append([np.zeros(0) if a is None else a.quantity for a in answers])
        _each(
            numbers,
            lambda n: shards[n].live(k, decided[n][0].rows, [quantities[n] for quantities in orders]),  # noqa: B023
            threads,
            stop,
        )
        progress("rounds", k + 1, rounds)
    return shards


def _cut(decisions: Sequence[Decision], shards: Sequence[ShardTrial], limits: Sequence[Limit]) -> list[Array]:
    """Make every order of the textbook smaller by one share until each limit holds: it has no prices for them."""
    quantity = np.concatenate([d.quantity for d in decisions])
    pack, moq = (
        np.concatenate([getattr(shard.costs, name)[d.rows] for shard, d in zip(shards, decisions, strict=True)])
        for name in ("pack", "moq")
    )
    for limit in limits:
        claim = np.concatenate([limit.claims(shard.values[d.rows]) for shard, d in zip(shards, decisions, strict=True)])
        room = ROOM if limit.amount > 0 else 0

        def fits(orders: Array, claim: Array = claim, amount: float = limit.amount, room: int = room) -> bool:
            return exact_sum(in_parts(claim * orders, amount)) <= room

        if fits(quantity):
            continue
        full, quantity, low, high = quantity, np.where(claim > 0, 0.0, quantity), 0.0, 1.0
        for _ in range(HALVINGS):
            share, part = (low + high) / 2, np.empty(full.size)
            smaller_lots(full, np.where(claim > 0, share, 1.0), pack, moq, part)
            if fits(part):
                low, quantity = share, part
            else:
                high = share
    return np.split(quantity, np.cumsum([d.rows.size for d in decisions])[:-1])


def _each(
    shards: Sequence[int],
    work: Callable[[int], R],
    threads: int,
    stop: Stop,
    tell: Callable[[int], None] = lambda done: None,
) -> list[R]:
    """Run `work` on each shard and return the results in the order of the shards."""
    found = run_all(shards, work, threads, stop, tell, _explained)
    return [found[shard] for shard in shards]


def _explained(shard: int, error: Exception) -> Exception:
    if isinstance(error, FullshelfError | MemoryError):
        return error
    return RunError(f"backtest, shard {shard}: {type(error).__name__}: {error}")
