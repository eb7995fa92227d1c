"""Pictures of a backtest: what the costs are made of, how differences grew round by round, how sure they are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date

from fullshelf.engine.report import figures as fig
from fullshelf.engine.report.charts import short
from fullshelf.engine.report.numbers import money, short_day

Parts = Sequence[tuple[str, str, float]]  # name, class, currency


def cost_bars(rows: Sequence[tuple[str, Parts]]) -> str:
    """Draw one bar for each contender, its parts behind each other."""
    W, left, right, top, each = 360, 10, 10, 4, 44
    high = max((sum(v for *_, v in parts) for _, parts in rows), default=0.0)
    xs = fig.ticks(high, 3)
    x, foot = fig.Scale(0, xs[-1], left, W - right), top + each * len(rows)
    shapes = []
    for tick in xs:
        shapes += [
            fig.segment(x(tick), top, x(tick), foot, "base" if tick == 0 else "grid"),
            fig.text(x(tick), foot + 16, short(tick), _anchor(tick, xs)),
        ]
    for i, (name, parts) in enumerate(rows):
        y, at = top + each * i, 0.0
        shapes.append(fig.text(left + 4, y + 14, _cut(name, 52), css="axis"))
        for part, css, value in parts:
            if value > 0:
                tip = f"{name}: {part} {money(value)}"
                shapes.append(fig.box(x(at), y + 20, max(x(at + value) - x(at), 0.5), 14, css, tip))
                at += value
    says = "; ".join(f"{name}: {money(sum(v for *_, v in parts))}" for name, parts in rows)
    return fig.picture(W, foot + 24, f"Cost. {says}", shapes)


def running_difference(origins: Sequence[date], lines: Sequence[tuple[str, str, Sequence[float]]]) -> str:
    """Draw the running total of each contender's cost less that of the configured one; below 0 it is cheaper."""
    W, H, left, right, top, bottom = 360, 220, 44, 10, 22, 24
    totals = [(name, css, _running(values)) for name, css, values in lines]
    every = [v for *_, values in totals for v in values] or [0.0]
    low, high, step = _range(min(0.0, *every), max(0.0, *every))
    n = max(len(origins), 2)
    x, y = fig.Scale(0, n - 1, left, W - right), fig.Scale(low, high, H - bottom, top)
    shapes = [fig.text(0, 11, "running total, currency", css="axis")]
    for i in range(round((high - low) / step) + 1):
        tick = low + i * step
        near = abs(tick) < step / 1e6
        shapes += [
            fig.segment(left, y(tick), W - right, y(tick), "base" if near else "grid"),
            fig.text(left - 5, y(tick) + 3.5, "0" if near else short(tick), "end"),
        ]
    for _, css, values in totals:
        places = [(x(i), y(v)) for i, v in enumerate(values)]
        shapes.append(fig.path(fig.line(places), css) if len(places) > 1 else fig.dot(*places[0], 3, "point"))
    if origins:
        shapes.append(fig.text(left, H - 7, short_day(origins[0])))
        if len(origins) > 1:
            shapes.append(fig.text(W - right, H - 7, short_day(origins[-1]), "end"))
    says = "; ".join(f"{name}: {money(values[-1])}" for name, _, values in totals if values)
    return fig.picture(W, H, f"Cost less that of the configured one, added up over the rounds. {says}", shapes)


def intervals(rows: Sequence[tuple[str, float, float, float]]) -> str:
    """Draw differences (middle, low, high; shares of the configured cost) with their intervals, one line for each."""
    W, left, right, top, each = 360, 10, 10, 6, 38
    reach = max((abs(v) for _, *values in rows for v in values if math.isfinite(v)), default=0.0)
    end = fig.ticks(min(reach, 2.0), 2)[-1]  # beyond three times the cost nobody asks how much
    x, foot = fig.Scale(-end, end, left, W - right), top + each * len(rows)
    shapes = []
    for tick in (-end, 0.0, end):
        shapes += [
            fig.segment(x(tick), top, x(tick), foot, "base" if tick == 0 else "grid"),
            fig.text(x(tick), foot + 15, "0" if tick == 0 else f"{100 * tick:+.3g} %", _anchor(tick, [-end, 0.0, end])),
        ]
    for i, (name, middle, low, high) in enumerate(rows):
        y = top + each * i + 25
        a, m, b = (x(min(max(v, -end), end)) for v in (low, middle, high))
        says = f"{name}: {100 * middle:+.1f} %, between {100 * low:+.1f} % and {100 * high:+.1f} %"
        shapes += [
            fig.text(left, y - 11, _cut(name, 52), css="axis"),
            fig.segment(a, y, b, y, "bracket"),
            fig.dot(m, y, 3.6, "point", says),
        ]
    words = "; ".join(f"{name} {100 * middle:+.1f} %" for name, middle, *_ in rows)
    return fig.picture(W, foot + 22, f"Difference in cost to the configured one. {words}", shapes)


def _running(values: Sequence[float]) -> list[float]:
    total, out = 0.0, []
    for value in values:
        total += value
        out.append(total)
    return out


def _range(low: float, high: float) -> tuple[float, float, float]:
    """Return round ends around 0 and the step between ticks."""
    marks = fig.ticks(max(high - low, 1e-9), 4)
    step = marks[1]
    return math.floor(low / step + 1e-9) * step, max(math.ceil(high / step - 1e-9), 1) * step, step


def _anchor(tick: float, ticks: Sequence[float]) -> str:
    return "start" if tick == ticks[0] else "end" if tick == ticks[-1] else "middle"


def _cut(words: str, limit: int) -> str:
    return words if len(words) <= limit else words[: limit - 1] + "…"
