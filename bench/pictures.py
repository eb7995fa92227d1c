"""The pictures of docs/benchmarks.md, as SVG from the kept results: bars and points, read in light and in dark."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from fullshelf.bench.result import OURS, si
from fullshelf.bench.results_folder import Kept
from fullshelf.engine.report import figures as fig

FOLDER = "docs/pictures"
STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#5b6874}.head{fill:#17212b;font-weight:600}.grid{stroke:#dfe4e8}"
    ".base{stroke:#5b6874}.ours{fill:#0f6a8c}.peer{fill:#b9c3cb}.goal{stroke:#b2470c;stroke-dasharray:3 3}"
    "path{fill:none;stroke-width:1}"
    "@media(prefers-color-scheme:dark){text{fill:#9aa6b1}.head{fill:#e4e9ed}.grid{stroke:#2a333b}.base{stroke:#9aa6b1}"
    ".ours{fill:#62bfdd}.peer{fill:#4a5661}.goal{stroke:#f2935a}}"
)
WIDTH = 760.0
Row = Mapping[str, Any]
Box = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar: its group, its name, how long it is, what stands at its end."""

    group: str
    name: str
    value: float
    label: str


@dataclass(frozen=True, slots=True)
class Point:
    """A point: its name and its place."""

    name: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of one benchmark, or of several."""

    name: str
    says: str  # what it shows, for those who do not see it
    draw: Callable[[Mapping[str, Kept]], str]  # results by benchmark → SVG, "" where none of its results is there


def pictures(kept: Sequence[Kept]) -> dict[str, str]:
    """Return the SVG of every picture that can be drawn, by name; of the first machine that measured most."""
    by_machine = {
        machine: {result.name: result for result in found}
        for machine, found in groupby(sorted(kept, key=lambda r: r.machine), key=lambda r: r.machine)
    }
    if not by_machine:
        return {}
    results = max(by_machine.values(), key=len)
    drawn = {picture.name: picture.draw(results) for picture in PICTURES}
    return {name: svg for name, svg in drawn.items() if svg}


def bars(title: str, given: Sequence[Bar], *, log: bool = False, goal: float | None = None) -> str:
    """Draw bars below each other, in groups with their names above."""
    if not given:
        return ""
    groups = [(name, list(found)) for name, found in groupby(given, key=lambda bar: bar.group)]
    left, line, y = 260.0, 20.0, 44.0
    high = max(*(bar.value for bar in given), 0.0 if log or goal is None else goal)
    low = min(bar.value for bar in given) / 2 if log else 0.0
    x = fig.Scale(math.log10(low) if log else 0.0, math.log10(high) if log else high, left, WIDTH - 120)
    shapes = [fig.text(0, 16, title, css="head")]
    for name, found in groups:
        shapes.append(fig.text(0, y, name, css="head") if name else "")
        for bar in found:
            y += line
            end = x(math.log10(bar.value) if log else bar.value)
            css = "ours" if bar.name.startswith(OURS) or bar.group.startswith(OURS) else "peer"
            shapes += [
                fig.text(left - 8, y - 1, bar.name, "end"),
                fig.box(left, y - 12, max(end - left, 1.0), 14, css, f"{bar.name}: {bar.label}"),
                fig.text(end + 6, y - 1, bar.label),
            ]
        y += 28
    if goal is not None and not log:
        shapes.append(fig.segment(x(goal), 28, x(goal), y - 24, "goal"))
    return _svg(y, title, shapes)


def points(title: str, x_axis: str, y_axis: str, given: Sequence[Point]) -> str:
    """Draw named points over a logarithmic axis."""
    if not given:
        return ""
    H, left, right, top, bottom = 380.0, 60.0, 150.0, 44.0, 46.0
    low, high = (f(math.log10(point.x) for point in given) for f in (min, max))
    x = fig.Scale(math.floor(low), max(math.ceil(high), math.floor(low) + 1), left, WIDTH - right)
    least, most = (f(point.y for point in given) for f in (min, max))
    step = fig.ticks((most - least) or most or 1.0, 4)[1]
    ys = [step * i for i in range(math.floor(least / step), math.ceil(most / step) + 1)]
    y = fig.Scale(ys[0], max(ys[-1], ys[0] + step), H - bottom, top)
    begins = "" if ys[0] == 0 else f" (the axis begins at {ys[0]:.3g})"
    shapes = [fig.text(0, 16, title, css="head"), fig.text(0, 34, y_axis + begins)]
    for tick in ys:
        shapes += [
            fig.segment(left, y(tick), WIDTH - right, y(tick), "base" if tick == ys[0] else "grid"),
            fig.text(left - 6, y(tick) + 4, f"{tick:.3g}", "end"),
        ]
    for power in range(int(x.low), int(x.high) + 1):
        shapes.append(fig.text(x(power), H - bottom + 18, si(10.0**power).strip(), "middle"))
    shapes.append(fig.text(left + (WIDTH - left - right) / 2, H - 8, x_axis, "middle"))
    told: list[Box] = []
    for point in given:
        at = x(math.log10(point.x)), y(point.y)
        css = "ours" if point.name.startswith(OURS) else "peer"
        shapes.append(fig.dot(*at, 4.5, css, f"{point.name}: {si(point.x)}, {point.y:.3g}"))
        told.append((at[0] - 5, at[1] - 5, at[0] + 5, at[1] + 5))
    for point in given:
        name = point.name.removeprefix(f"{OURS} ")
        box = _free(x(math.log10(point.x)), y(point.y), 6.6 * len(name), told)
        told.append(box)
        middle = (box[1] + box[3]) / 2
        if abs(middle - y(point.y)) > 4:  # a name that found no room beside its point is tied to it
            shapes.append(fig.segment(x(math.log10(point.x)), y(point.y), box[0] - 2, middle, "grid"))
        shapes.append(fig.text(box[0], box[3] - 3, name))
    return _svg(H, title, shapes)


def _free(x: float, y: float, width: float, taken: Sequence[Box]) -> Box:
    """Return the place nearest to the right of a point, above or below it, where a name lies on nothing."""
    boxes = [(x + 8, y - 7 + 7 * step, x + 8 + width, y + 7 + 7 * step) for i in range(40) for step in (-i, i)]
    return next((box for box in boxes if not any(_overlap(box, other) for other in taken)), boxes[0])


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _svg(height: float, says: str, shapes: Iterable[str]) -> str:
    drawn = fig.picture(WIDTH, height, says, [f"<style>{STYLE}</style>", *shapes])
    return drawn.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1) + "\n"


def _throughput(results: Mapping[str, Kept]) -> str:
    given = []
    for benchmark, tasks in (
        ("refresh", ("first night: total", "second night: total", "read, sort, write")),
        ("split", ("check and split", "read, sort, write")),
    ):
        rows = results[benchmark].rows if benchmark in results else []
        for row in rows:
            if row["task"] in tasks and row["per_second"]:
                name = f"{row['who']}, {row['task'].removesuffix(': total')}"
                given.append(Bar(benchmark, name, row["per_second"], f"{si(row['per_second'])}rows/s"))
    return bars("Rows of sales per second, all cores", given)


def _kernels(results: Mapping[str, Kept]) -> str:
    rows = results["kernels"].rows if "kernels" in results else []
    given = []
    for task in dict.fromkeys(row["task"] for row in rows):
        same = [row for row in rows if row["task"] == task and row["per_second"]]
        ours = [row for row in same if row["who"] == OURS]
        peers = [row for row in same if row["who"] != OURS]
        chosen = [_largest(ours), *peers] if ours and peers else []
        given += [Bar(task, r["who"], r["per_second"], f"{si(r['per_second'])}{r['unit']}/s") for r in chosen]
    return bars("Problems per second at the largest size, by powers of ten", given, log=True)


def _largest(rows: Sequence[Row]) -> Row:
    """Return the row of the largest size on most cores, as the tables do: a small one may lie in the cache."""
    return max(rows, key=lambda row: (row["work"], row["cores"]))


def _accuracy_speed(results: Mapping[str, Kept]) -> str:
    rows = results["forecast"].rows if "forecast" in results else []
    given = [Point(row["who"], row["per_second"], row["figures"]["WQL"]) for row in rows if row["per_second"]]
    return points("Accuracy against speed", "series per second of one core", "WQL, lower is better", given)


def _cost_policy(results: Mapping[str, Kept]) -> str:
    rows = results["decisions"].rows if "decisions" in results else []
    given = [
        Bar(row["task"], row["who"], share, f"{share:.0%}")
        for row in rows
        if (share := row["figures"].get("of textbook")) is not None
    ]
    return bars("What the orders cost, as a share of the textbook's", given, goal=1.0)


def _scaling(results: Mapping[str, Kept]) -> str:
    rows = results["scaling"].rows if "scaling" in results else []
    given = [
        Bar(
            row["task"],
            f"{row['who']}, {row['cores']} cores",
            row["per_second"],
            f"{si(row['per_second'])}{row['unit']}/s",
        )
        for row in sorted((r for r in rows if r["per_second"]), key=lambda row: row["task"])
    ]
    return bars("The executors and their parts, by powers of ten", given, log=True)


def _roofline(results: Mapping[str, Kept]) -> str:
    given = []
    for benchmark, figure, ceiling in (
        ("kernels", "of triad", "memory"),
        ("inference", "of matmul", "matrix products"),
    ):
        rows = results[benchmark].rows if benchmark in results else []
        for task in dict.fromkeys(row["task"] for row in rows):
            ours = [row for row in rows if row["task"] == task and row["who"] == OURS and figure in row["figures"]]
            if ours:
                share = _largest(ours)["figures"][figure]
                given.append(Bar(f"{OURS}, of {ceiling}", task, share, f"{share:.1%}"))
    return bars("Share of what the machine allows; the dashed line is all of it", given, goal=1.0)


PICTURES = (
    Picture("throughput", "rows of sales per second, ours and Polars", _throughput),
    Picture("kernels", "problems per second of each kernel beside its peers", _kernels),
    Picture("accuracy-speed", "loss against series per second, ours and statsforecast", _accuracy_speed),
    Picture("cost-policy", "cost of the orders by policy, as a share of the textbook's", _cost_policy),
    Picture("roofline", "share of memory bandwidth and of matrix products that kernels and model reach", _roofline),
    Picture("scaling", "what the executors, the driver and the scheduler get through in a second", _scaling),
)
