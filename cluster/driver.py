"""The driver's loop: tells the scheduler what happened to the fleet, does what it answers, yields what is done."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from fullshelf.cluster.actor import Answer
from fullshelf.cluster.fleet import Event, Fleet
from fullshelf.cluster.log import Note, unnoted
from fullshelf.cluster.scheduler import Action, Assign, Done, Kill, Quarantine, Scheduler
from fullshelf.engine.errors import FullshelfError, RunError
from fullshelf.engine.local import Outcome
from fullshelf.engine.stopping import Stop

__all__ = ["drive"]

POLL_SECONDS = 0.2  # how long a signal or a slow shard may wait to be noticed
RESIZE_SECONDS = 2.0  # between two looks at the size of the cluster
GRACE_SECONDS = 20.0  # that shards at work get to end after a stop
START_SECONDS = 900.0  # that a run waits for a first, or after losses for another, actor


def drive(
    fleet: Fleet,
    scheduler: Scheduler,
    wanted: Callable[[], int],
    stop: Stop,
    watch: Callable[[Scheduler, Fleet], None] = lambda scheduler, fleet: None,
    note: Note = unnoted,
    method: str = "run",
) -> Iterator[Outcome[Any]]:
    """Run the scheduler's shards on the fleet; yield each shard's outcome.

    Parameters
    ----------
    wanted
        Returns how many actors the cluster has room for.
    watch
        Called a few times a second.
    note
        Called with what happens to actors and shards.
    method
        Of the actors, called through `Actor.each`: takes a shard, returns its result.

    Raises
    ------
    FullshelfError
        If no other attempt can help, or no actor can be had.
    Interrupted
        If the end was asked for, after what was at work has been yielded.
    """
    results: dict[int, Any] = {}  # of shards: what they returned or raised last
    looked = stopped = ticked = None
    alive = time.monotonic()
    for actor in fleet.ready:  # from earlier work
        yield from _do(fleet, scheduler, scheduler.joined(actor, alive), results, method, note)
    while not scheduler.finished:
        now = time.monotonic()
        if stop.wanted:
            scheduler.stop()
            stopped = stopped or now
            if now - stopped > GRACE_SECONDS:
                break
        elif looked is None or now - looked > RESIZE_SECONDS:
            looked = now
            fleet.resize(scheduler.useful, wanted())
        alive = now if fleet.size else alive
        if now - alive > START_SECONDS:
            raise RunError(
                f"no actor got ready within {START_SECONDS:,.0f} s: the cluster has no free room for one. Free or add "
                "nodes, or ask for less (run.cores_per_actor, run.gpus_per_actor, run.accelerator, run.labels), and "
                "call again"
            )
        for event in fleet.events(POLL_SECONDS):
            _write_down(event, fleet, note)
            yield from _do(fleet, scheduler, _tell(scheduler, event, results), results, method, note)
        if ticked is None or time.monotonic() - ticked >= POLL_SECONDS:  # not for each event: it looks at every actor
            ticked = time.monotonic()
            yield from _do(fleet, scheduler, scheduler.tick(ticked), results, method, note)
            watch(scheduler, fleet)
    for actor in scheduler.busy:  # at a copy that has lost
        fleet.kill(actor)
    stop.check()


def _tell(scheduler: Scheduler, event: Event, results: dict[int, Any]) -> list[Action]:
    now = time.monotonic()
    match event.what:
        case "ready":
            return scheduler.joined(event.actor, now)
        case "lost":
            return scheduler.lost(event.actor, now)
        case "answer":
            return _answered(scheduler, event.actor, event.result, results, now)
        case "error":  # of the call: it did not come to its shards, or its answer not to us
            nothing = Answer(tuple(Outcome(shard, None, event.error) for shard in event.tag), 0.0)
            return _answered(scheduler, event.actor, nothing, results, now)
    return []


def _answered(scheduler: Scheduler, actor: int, answer: Answer, results: dict[int, Any], now: float) -> list[Action]:
    for outcome in answer.outcomes:
        if isinstance(outcome.error, FullshelfError):
            raise outcome.error
    errors = {one.shard: None if one.error is None else str(one.error) for one in answer.outcomes}
    actions = scheduler.answered(actor, errors, answer.seconds, now)
    first = {action.shard for action in actions if isinstance(action, Done)}
    for one in answer.outcomes:
        if one.error is not None or one.shard in first:
            results[one.shard] = one.error if one.error is not None else one.result
    return actions


def _do(
    fleet: Fleet, scheduler: Scheduler, actions: list[Action], results: dict[int, Any], method: str, note: Note
) -> Iterator[Outcome[Any]]:
    for action in actions:
        match action:
            case Assign(actor, shards, race):
                if race:
                    note("shard raced", shard=shards[0], actor=actor)
                fleet.call(actor, "each", method, shards, tag=shards)
            case Kill(actor):
                note("actor killed", actor=actor)
                fleet.kill(actor)
            case Done(shard):
                yield Outcome(shard, results.pop(shard), None)
            case Quarantine(shard, error):
                note("shard quarantined", shard=shard, error=error)
                last = results.pop(shard, None)
                raised = isinstance(last, Exception) and str(last) == error
                yield Outcome(shard, None, last if raised else RunError(error))


def _write_down(event: Event, fleet: Fleet, note: Note) -> None:
    match event.what:
        case "ready":
            note("actor ready", actor=event.actor, where=fleet.ready[event.actor])
        case "lost" | "refused":
            note(f"actor {event.what}", actor=event.actor, error=str(event.error))
        case "answer":
            for one in event.result.outcomes:
                _note_shard(one.shard, event.actor, one.error, note)
        case "error":
            for shard in event.tag:
                _note_shard(shard, event.actor, event.error, note)


def _note_shard(shard: int, actor: int, error: Exception | None, note: Note) -> None:
    if error is None:
        note("shard done", shard=shard, actor=actor)
    else:
        note("shard failed", shard=shard, actor=actor, error=f"{type(error).__name__}: {error}")
