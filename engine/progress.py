"""Progress of long stages: a live bar with rate and time left on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Protocol, TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

PLAIN_SECONDS = 5.0  # between two plain lines of one stage


def output() -> Console:
    """Return a console as wide as the terminal, or wide enough for paths and tables where there is none."""
    return Console() if sys.stdout.isatty() else Console(width=160)


class Reporter(Protocol):
    """Called with a stage, how much of it is done, and the total (None where nobody knows)."""

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        """Take note."""
        ...


def silent(stage: str, done: int, total: int | None) -> None:
    """Report nothing."""


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{rate(task.speed or 0)}/s" if task.speed else "", style="dim")


class LiveProgress:
    """A bar for each stage on a terminal (standard error). Use as a context manager."""

    def __init__(self) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description:<9}"),
            BarColumn(bar_width=28),
            TextColumn("{task.fields[count]:>21}"),
            _Rate(),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=Console(stderr=True),
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> LiveProgress:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        """Move the stage's bar."""
        if stage not in self._tasks:
            self._tasks[stage] = self._progress.add_task(stage, total=total, count="")
        count = f"{done:,}" + (f" / {total:,}" if total is not None else "")
        self._progress.update(self._tasks[stage], completed=done, total=total, count=count)


class PlainProgress:
    """A line each few seconds and one at the end of a stage, with rate and time left: for logs."""

    def __init__(self, file: TextIO = sys.stderr) -> None:
        self._file, self._begun, self._said = file, dict[str, float](), dict[str, float]()

    def __enter__(self) -> PlainProgress:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        """Print a line if it is time."""
        now = time.monotonic()
        begun = self._begun.setdefault(stage, now)
        if done != total and now - self._said.setdefault(stage, begun) < PLAIN_SECONDS:
            return
        self._said[stage] = now
        seconds = now - begun
        line = f"{stage}: {done:,}" + (f" of {total:,}" if total is not None else "")
        if seconds > 0.5 and done:
            line += f", {rate(done / seconds)}/s"
            if total is not None and done < total:
                line += f", {seconds * (total - done) / done:,.0f} s left"
        print(line, file=self._file, flush=True)


def rate(value: float) -> str:
    """Write a rate for a person.

    Examples
    --------
    >>> rate(1234567), rate(12345), rate(12.3)
    ('1.2 M', '12.3 k', '12.3')
    """
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= size:
            return f"{value / size:.1f}{unit}"
    return f"{value:.3g}"


def for_stream(quiet: bool) -> LiveProgress | PlainProgress | None:
    """Choose the progress for standard error: live on a terminal, plain lines elsewhere, None if quiet."""
    if quiet:
        return None
    return LiveProgress() if sys.stderr.isatty() else PlainProgress()
