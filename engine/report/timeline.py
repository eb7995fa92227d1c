"""Which process worked on which shard when: a row for each, the slow ones in another colour."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median
from typing import Any

from fullshelf.engine.report import figures as fig
from fullshelf.engine.report.markup import Html, join, tag
from fullshelf.engine.report.numbers import duration, plural, share

WIDTH, LABEL, BAND, FOOT = 920.0, 150.0, 13.0, 22.0  # of the picture, of a worker's name, of a row, of the axis
MOST = 32  # rows drawn
NARROW = 2.5  # turns below that width are drawn as one with their neighbours
UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))  # of the axis
SLOW = 4.0  # times the median of turns of its kind: then a turn is slow


@dataclass(frozen=True, slots=True)
class Turn:
    """One process at one shard."""

    shard: int
    work: str  # forecast or orders
    worker: str  # host:process
    begun: float  # seconds since 1970
    ended: float

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.ended - self.begun


def who_did_what(records: Sequence[Mapping[str, Any]]) -> Html:
    """Draw the turns in the shards' records; nothing where nothing ran side by side."""
    turns = [
        Turn(record["shard"], turn["work"], turn["worker"], turn["begun"], max(turn["begun"], turn["ended"]))
        for record in records
        for turn in record.get("turns", ())
    ]
    rows = _rows(turns)
    if len(rows) < 2:
        return Html("")
    workers = {turn.worker for turn in turns}
    first, last = min(turn.begun for turn in turns), max(turn.ended for turn in turns)
    busy = sum(_covered(row) for row in rows) / max(len(rows) * (last - first), 1e-9)
    begun = datetime.fromtimestamp(first, UTC).strftime("%Y-%m-%d %H:%M:%S")
    left_out = f" Drawn are the {MOST} rows of {len(rows):,} that ended last." if len(rows) > MOST else ""
    return join(
        tag("h3", "Who worked when"),
        Html(timeline(turns)),
        tag(
            "p",
            f"{plural(len({turn.shard for turn in turns}), 'shard')} on {plural(len(workers), 'process', 'processes')} "
            f"within {duration(last - first)} from {begun} UTC, {share(busy)} of the time at work. A process has a row "
            f"more for what it does beside. Another colour: more than {SLOW:g} times the median.{left_out}",
            css="note",
        ),
    )


def timeline(turns: Sequence[Turn]) -> str:
    """Draw the turns, a row for each worker, more where its turns overlap."""
    rows = _rows(turns)
    rows = sorted(rows, key=lambda row: -row[-1].ended)[:MOST]
    rows.sort(key=lambda row: (row[0].worker, row[0].begun))
    first, last = min(turn.begun for turn in turns), max(turn.ended for turn in turns)
    x = fig.Scale(0, max(last - first, 1e-3), LABEL, WIDTH)
    usual = {work: median(t.seconds for t in turns if t.work == work) for work in {turn.work for turn in turns}}
    foot = len(rows) * BAND
    shapes = []
    unit, name = next((size, name) for size, name in UNITS if last - first >= 2 * size or size == 1)
    for tick in fig.ticks((last - first) / unit, 6):
        at = x(tick * unit)
        if at <= WIDTH + 0.1:
            shapes.append(fig.segment(at, 0, at, foot + 3, "grid"))
            shapes.append(fig.text(at, foot + 16, f"{tick:g} {name}", "end" if at > WIDTH - 20 else "middle"))
    before = ""
    for level, row in enumerate(rows):
        worker = row[0].worker
        if worker != before:
            shapes.append(fig.text(LABEL - 8, (level + 0.75) * BAND, _short(worker), "end"))
        before = worker
        for group in _groups(row, x, first):
            left, right = x(group[0].begun - first), x(group[-1].ended - first)
            slow = any(turn.seconds > SLOW * usual[turn.work] for turn in group)
            width = max(right - left - 0.7, 0.7)
            shapes.append(fig.box(left, level * BAND + 1, width, BAND - 2, "hot" if slow else "bar", _tip(group)))
    says = f"{len({turn.shard for turn in turns}):,} shards on {len({turn.worker for turn in turns}):,} processes"
    return fig.picture(WIDTH, foot + FOOT, f"Who worked when: {says} within {duration(last - first)}", shapes)


def _rows(turns: Sequence[Turn]) -> list[list[Turn]]:
    """Put the turns of each worker into as few rows as do not overlap."""
    by_worker: dict[str, list[list[Turn]]] = defaultdict(list)
    for turn in sorted(turns, key=lambda turn: (turn.begun, turn.ended, turn.shard)):
        rows = by_worker[turn.worker]
        free = next((row for row in rows if row[-1].ended <= turn.begun), None)
        if free is None:
            rows.append([turn])
        else:
            free.append(turn)
    return [row for worker in sorted(by_worker) for row in by_worker[worker]]


def _groups(row: Sequence[Turn], x: fig.Scale, first: float) -> list[list[Turn]]:
    """Take together what would be too narrow to be seen alone."""
    groups: list[list[Turn]] = []
    for turn in row:
        if groups:
            group = groups[-1]
            left, right = x(group[0].begun - first), x(group[-1].ended - first)
            near = x(turn.begun - first) - right < NARROW
            if near and (right - left < NARROW or x(turn.ended - first) - x(turn.begun - first) < NARROW):
                group.append(turn)
                continue
        groups.append([turn])
    return groups


def _covered(row: Sequence[Turn]) -> float:
    return sum(turn.seconds for turn in row)


def _tip(group: Sequence[Turn]) -> str:
    if len(group) == 1:
        turn = group[0]
        return f"shard {turn.shard}, {turn.work}: {duration(turn.seconds)} on {turn.worker}"
    slowest = max(group, key=lambda turn: turn.seconds)
    return f"{len(group)} turns; the longest: shard {slowest.shard}, {slowest.work}, {duration(slowest.seconds)}"


def _short(worker: str) -> str:
    """Cut a long name of a host; the process is told in full."""
    host, _, process = worker.rpartition(":")
    return f"{host if len(host) <= 14 else host[:13] + '…'}:{process}"
