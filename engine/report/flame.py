"""Where the time went: phases of the run, the stages in each, and what each stage waited for, one below the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fullshelf.engine.report import figures as fig
from fullshelf.engine.report.markup import Column, Html, join, table, tag, users
from fullshelf.engine.report.numbers import duration, memory, number, share

RESOURCES = {  # field of the profile → what it is called, class of its boxes
    "cpu": ("computing", "bar"),
    "helpers": ("helper threads computing", "helpers"),
    "queued": ("no core free", "hot"),
    "disk": ("disk", "disk"),
    "waiting": ("waiting", "track"),
}
WIDTH, BAND, NARROW = 920.0, 30.0, 46.0  # of the picture, of one level, of a box too narrow for its name
Row = Mapping[str, Any]


def where_the_time_went(profile: Sequence[Row], total: float) -> Html:
    """Draw the profile of a run and list it; nothing where nothing was sampled."""
    if not profile:
        return Html("")
    return join(
        tag("h3", "Where the time went"),
        Html(flame(profile, total)),
        _key(),
        _numbers(profile),
        tag(
            "p",
            "Sampled while the run went. Above: the phases of the run by wall time, the stages of the threads in each "
            "by their share of it, and below what those threads did. Helper threads are those of Polars and of "
            "numerical libraries, at work while the stage waits for them. Disk counts what went past the system’s "
            "cache; memory is that of the whole process.",
            css="note",
        ),
    )


def flame(profile: Sequence[Row], total: float) -> str:
    """Draw phases, stages and resources below each other; `total` is the wall time of the run."""
    phases = _wall(profile)
    whole = max(total, sum(phases.values()), 1e-9)
    x = fig.Scale(0, whole, 0, WIDTH)
    shapes = [_box(0, 0, WIDTH, "run", "wide", f"the run: {duration(total)}")]
    at = 0.0
    for phase, wall in phases.items():
        shapes.append(_box(x(at), 1, x(wall), phase, "narrow", f"{phase}: {duration(wall)} of wall time"))
        inside = [row for row in profile if row["phase"] == phase]
        threads = sum(row["seconds"] for row in inside) or 1e-9
        for row in inside:
            width = wall * row["seconds"] / threads
            tip = f"{row['stage']}: {duration(row['seconds'])} added up over threads, {_parts(row)}"
            shapes.append(_box(x(at), 2, x(width), row["stage"], "narrow", tip))
            left = at
            for field, (name, css) in RESOURCES.items():
                part = width * row[field] / max(row["seconds"], 1e-9)
                if part > 0:
                    tip = f"{row['stage']}, {name}: {duration(row[field])}"
                    shapes.append(_box(x(left), 3, x(part), "", css, tip))
                left += part
            at += width
    says = "Wall time by phase: " + ", ".join(f"{name} {duration(wall)}" for name, wall in phases.items())
    return fig.picture(WIDTH, 4 * BAND, says, shapes)


def _wall(profile: Sequence[Row]) -> dict[str, float]:
    """Wall seconds of each phase, in order."""
    found: dict[str, float] = {}
    for row in profile:
        found[row["phase"]] = found.get(row["phase"], 0.0) + row["wall"]
    return found


def _box(left: float, level: int, width: float, name: str, css: str, tip: str) -> str:
    if width < 0.3:
        return ""
    shape = fig.box(left, level * BAND + 1, max(width - 1, 0.3), BAND - 2, css, tip)
    fits = width > max(NARROW, 7.5 * len(name))
    return shape + (fig.text(left + 6, level * BAND + BAND / 2 + 4, name) if name and fits else "")


def _parts(row: Row) -> str:
    seconds = max(row["seconds"], 1e-9)
    return ", ".join(f"{name} {share(row[f] / seconds)}" for f, (name, _) in RESOURCES.items() if row[f] > 0)


def _key() -> Html:
    items = (
        tag("li", Html(f'<svg viewBox="0 0 26 12" aria-hidden="true">{fig.box(0, 0, 26, 12, css)}</svg>'), name)
        for name, css in RESOURCES.values()
    )
    return tag("ul", *items, css="key")


def _numbers(profile: Sequence[Row]) -> Html:
    gpu = [Column("GPU", True)] if any(row.get("gpu") for row in profile) else []
    columns = [
        Column("phase, stage"),
        Column("wall", True),
        Column("threads’ time", True),
        *(Column(name, True, name != "computing") for name, _ in RESOURCES.values()),
        *gpu,
        Column("MB read", True, True),
        Column("MB written", True, True),
        Column("memory", True),
    ]
    body = [
        [
            users(row["phase"] if row["stage"] == row["phase"] else f"{row['phase']}, {row['stage']}", 60),
            duration(row["wall"]),
            duration(row["seconds"]),
            *(share(row[field] / row["seconds"]) if row["seconds"] > 0 else "" for field in RESOURCES),
            *(duration(row.get("gpu", 0.0)) for _ in gpu),
            number(row["read_mb"]),
            number(row["written_mb"]),
            memory(row["peak_memory_mb"]),
        ]
        for row in profile
    ]
    return table(columns, body, css="stages")
