"""Pictures of one series: its sales and forecast, and the demand that its order must cover."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import polars as pl

from fullshelf.engine.calendar import Period
from fullshelf.engine.report import figures as fig
from fullshelf.engine.report.charts import short
from fullshelf.engine.report.examples import Example
from fullshelf.engine.report.numbers import month_of, number, periods, short_day

POINTS = 150  # drawn of one line: more cannot be told apart at this size


def fan(example: Example, period: Period, as_of: date) -> str:
    """Draw a series' sales, its forecast as bands and median, and the periods that its order must cover."""
    W, H, left, right, top, bottom = 360, 196, 38, 10, 30, 24
    now = period.number_of(as_of)
    sold = [(period.number_of(d) - now, u, s) for d, u, s in _columns(example.history, "date", "units", "in_stock")]
    names = fan_levels([c for c in example.forecast.columns if c.startswith("q")])
    ahead = [(int(row[0]), row[1:]) for row in _columns(example.forecast, "step", *names)] if names else []
    first, last = min((t for t, *_ in sold), default=0), max((t for t, _ in ahead), default=1)
    peak = max([u for _, u, _ in sold] + [q[-1] for _, q in ahead], default=0.0)
    ys = fig.ticks(peak, 3)
    x, y = fig.Scale(min(first, 0), last, left, W - right), fig.Scale(0, ys[-1], H - bottom, top)
    shapes = [fig.text(0, 11, f"units per {period}", css="axis")]
    for tick in ys:
        shapes += [
            fig.segment(left, y(tick), W - right, y(tick), "base" if tick == 0 else "grid"),
            fig.text(left - 5, y(tick) + 3.5, short(tick), "end"),
        ]
    shapes += _dates(x, period, now, min(first, 0), last, H - 7)
    shapes += _protection(example, x, top, H - bottom, period)
    if ahead:
        thin = ahead[:: -(-len(ahead) // POINTS)]
        xs = [x(t) for t, _ in thin]
        places = [[y(q[i]) for _, q in thin] for i in range(len(names))]
        shapes.append(fig.path(fig.band(xs, places[0], places[4]), "wide"))
        shapes.append(fig.path(fig.band(xs, places[1], places[3]), "narrow"))
        shapes.append(fig.path(fig.line(zip(xs, places[2], strict=True)), "median"))
    if sold:
        thin_sold = sold[:: -(-len(sold) // POINTS)]
        shapes.append(fig.path(fig.line((x(t), y(u)) for t, u, _ in thin_sold), "sold"))
        out = [t for t, _, s in sold if s < 1][-POINTS:]
        marks = "".join(f"M{fig.place(x(t))} {fig.place(H - bottom + 1)}v4" for t in out)
        shapes.append(fig.path(marks, "out") if marks else "")
    shapes.append(fig.segment(x(0), top - 4, x(0), H - bottom, "now"))
    return fig.picture(W, H, _fan_words(example, sold, ahead, period), shapes)


def fan_levels(columns: Sequence[str]) -> list[str]:
    """Choose the five levels of a fan: outer band, inner band, median; those nearest to 0.05, 0.2, 0.5, 0.8, 0.95.

    Examples
    --------
    >>> fan_levels(["q0.1", "q0.5", "q0.9"])
    ['q0.1', 'q0.1', 'q0.5', 'q0.9', 'q0.9']
    """
    wanted = (0.05, 0.2, 0.5, 0.8, 0.95)
    return [min(columns, key=lambda c: (abs(float(c[1:]) - w), c)) for w in wanted] if columns else []


def interval(example: Example, period: Period) -> str:
    """Draw the demand of the protection interval, and the stock before and with the order."""
    row, demand = example.row, example.demand
    names = fan_levels([c for c in demand if c.startswith("q")])
    if not names or any(demand[n] is None for n in names):
        return ""
    W, H, left, right, middle = 360, 92, 10, 10, 55
    before = row["position"]
    after = None if before is None else before + (row["order_quantity"] or 0)
    q = [demand[n] for n in names]
    high = max(q[4], before or 0, after or 0, row["order_up_to"] or 0, 1e-9) * 1.04
    x = fig.Scale(0, high, left, W - right)
    cases = f"{round(100 * (float(names[4][1:]) - float(names[0][1:])))} % of cases"
    words = f"demand of {number(demand['periods'])} {period}s: {number(q[0])} to {number(q[4])} units in {cases}"
    shapes = [
        fig.text(0, 11, words, css="axis"),
        fig.segment(left, middle, W - right, middle, "base"),
        fig.box(x(q[0]), middle - 7, max(x(q[4]) - x(q[0]), 1), 14, "wide"),
        fig.box(x(q[1]), middle - 7, max(x(q[3]) - x(q[1]), 1), 14, "narrow"),
        fig.segment(x(q[2]), middle - 7, x(q[2]), middle + 7, "median"),
    ]
    if after is not None:
        shapes += [
            *_marker(x(max(before, 0)), middle, -1, f"in stock and on its way {number(before)}", W),
            *_marker(x(max(after, 0)), middle, 1, f"with the order {number(after)}", W),
        ]
    says = f"{words}, median {number(q[2])}."
    if after is not None:
        says += f" In stock and on its way {number(before)}, with the order {number(after)}."
    return fig.picture(W, H, says, shapes)


def _marker(x: float, y: float, side: int, words: str, width: float) -> list[str]:
    anchor = "start" if x < 0.3 * width else "end" if x > 0.7 * width else "middle"
    at = x - 4 if anchor == "start" else x + 4 if anchor == "end" else x
    tip, foot = y + side * 8, y + side * 15
    css = "after" if side > 0 else "before"
    return [
        fig.path(fig.line([(x, tip), (x - 4, foot), (x + 4, foot)]) + "Z", css),
        fig.text(at, y + side * 17 + (10 if side > 0 else -2), words, anchor, css),
    ]


def _protection(example: Example, x: fig.Scale, top: float, foot: float, period: Period) -> list[str]:
    """Mark the periods that the order must cover; a tick where the goods arrive."""
    n = example.demand.get("periods")
    if not n:
        return []
    begin, end = x(0), min(x(n), x(x.high))
    words = f"to cover: {periods(n, period)}"
    room = begin > 0.6 * x.end
    shapes = [
        fig.box(begin, top, end - begin, foot - top, "cover"),
        fig.segment(begin, top, end, top, "bracket"),
        fig.text(end if room else begin + 3, top - 6, words, "end" if room else "start", "bracket-words"),
    ]
    lead_time = example.row["lead_time"]
    if lead_time is not None and 0 < lead_time < n:
        shapes.append(fig.segment(x(lead_time), top, x(lead_time), top + 6, "bracket"))
    return shapes


def _dates(x: fig.Scale, period: Period, now: int, first: int, last: int, y: float) -> list[str]:
    """Write the as-of date, the ends, and what fits between."""
    shown: list[tuple[float, float]] = []
    days = (period.start(now + last) - period.start(now + first)).days
    write = month_of if days > 200 else short_day
    shapes = []
    for t in (0, first, last, first // 2):
        anchor = "start" if t == first else "end" if t == last else "middle"
        words = write(period.start(now + t))
        wide = 6.0 * len(words)
        at = x(t) - {"start": 0.0, "middle": wide / 2, "end": wide}[anchor]
        if all(at + wide + 6 < a or b + 6 < at for a, b in shown):
            shown.append((at, at + wide))
            shapes.append(fig.text(x(t), y, words, anchor))
    return shapes


def _fan_words(
    example: Example, sold: Sequence[tuple[int, float, float]], ahead: Sequence[tuple[int, Sequence[float]]], p: Period
) -> str:
    words = "No sales are known." if not sold else f"Sales of {periods(len(sold), p)}, at most "
    words += f"{number(max(u for _, u, _ in sold))} units in a {p}." if sold else ""
    if ahead:
        low, high = ahead[0][1][0], ahead[0][1][-1]
        words += f" Forecast of {periods(len(ahead), p)}; the next {p} between {number(low)} and "
        words += f"{number(high)} units, median {number(ahead[0][1][2])}."
    return words


def _columns(frame: pl.DataFrame, *names: str) -> list[tuple[Any, ...]]:
    # a fan of few levels names one of them twice, which `select` would refuse
    return list(zip(*(frame[name].to_list() for name in names), strict=True)) if frame.height else []
