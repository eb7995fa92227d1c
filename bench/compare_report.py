"""What `fullshelf bench compare` prints of a comparison, and whether nothing got worse."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table

from fullshelf.bench.compare import CORE, ERRORS, WALL, Change, Comparison, Key

TIMES = (WALL, CORE)
FIFTH = 0.2  # a slow-down that everybody wants to know of


def show(found: Comparison, loss: float, console: Console) -> bool:
    """Print what changed and return whether nothing is slower or worse.

    All wall times are shown; core seconds and figures where they changed by more than the loss and the noise.
    """
    table = Table(title="bench compare", title_justify="left")
    for heading in ("benchmark", "task", "who", "size"):
        table.add_column(heading, overflow="fold")
    for heading in ("cores", "of", "B/A", "±", ""):
        table.add_column(heading, justify="right", no_wrap=True)
    for change in sorted(found.changes, key=lambda c: -c.ratio):
        word = _word(change, loss)
        if word or change.measure == WALL:
            *names, cores = change.key
            table.add_row(*names, str(cores), change.measure, f"{change.ratio:.3f}", f"{change.noise:.1%}", word)
    console.print(table)
    for drift in found.drifts:
        how = "it is taken out" if drift.sure else "what is slower only with it, or only without it, does not count"
        scatter = f"; rows scatter around it by {drift.scatter:.1%}, noise of every row" if drift.scatter else ""
        console.print(
            f"{drift.benchmark}: drift of the machine by {drift.by}: {drift.ratio:.3f}; {how}{scatter}.",
            soft_wrap=True, highlight=False,
        )  # fmt: skip
    for name, keys in (("A", found.only_a), ("B", found.only_b)):
        if keys:
            console.print(f"Only in {name}: {', '.join(' '.join(map(str, key)) for key in keys)}", soft_wrap=True)
    for sentence in found.sentences:
        console.print(sentence, soft_wrap=True)
    slow = _keys(change for change in found.changes if change.measure in TIMES and change.slower(loss))
    timed = _keys(change for change in found.changes if change.measure in TIMES)
    worse = [change for change in found.changes if change.measure not in TIMES and change.slower(loss)]
    console.print(f"{len(slow)} of {len(timed)} rows are slower by more than {loss:.0%} and the noise.")
    seen = _keys(change for change in found.changes if change.measure in TIMES and ERRORS * change.noise < FIFTH)
    if hidden := len(timed - seen):
        console.print(
            f"In {hidden} of {len(timed)} rows noise would hide a slow-down of {FIFTH:.0%}: "
            "`bench all --only NAME --repeat 5 --json FILE` shows it, before and after.",
            soft_wrap=True, highlight=False,
        )  # fmt: skip
    others = sum(change.measure not in TIMES for change in found.changes)
    if others:
        console.print(f"{len(worse)} of {others} losses, costs, gaps and peaks of memory are worse by as much.")
    return not slow and not worse


def _keys(changes: Iterable[Change]) -> set[Key]:
    return {change.key for change in changes}


def _word(change: Change, loss: float) -> str:
    slower, faster = ("slower", "faster") if change.measure in TIMES else ("worse", "better")
    return slower if change.slower(loss) else faster if change.faster(loss) else ""
