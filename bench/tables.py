"""`fullshelf bench tables`: the result tables of README.md and docs/, written between markers from the kept results.

A document holds `<!-- bench:NAME -->` and `<!-- /bench:NAME -->`; what stands between them is nobody's to edit.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fullshelf.bench.headline import ALL as HEADLINE
from fullshelf.bench.pictures import FOLDER, PICTURES, Picture, pictures
from fullshelf.bench.result import OURS, seconds_text, si
from fullshelf.bench.results_folder import HOW, Kept

TIMES_TAKEN = "times"  # the table of what each benchmark took
DOCUMENTS = ("README.md", "docs/benchmarks.md")
_MARKED = re.compile(r"<!-- bench:([a-z-]+) -->\n(.*?)<!-- /bench:\1 -->", re.DOTALL)
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Section:
    """A table of one benchmark."""

    name: str
    benchmark: str
    columns: Mapping[str, str] | None = None  # heading → task, who, size, cores, median … or the name of a figure
    pivot: str = ""  # a figure: then tasks are the rows and contenders the columns
    keep: Callable[[Row, Sequence[Row]], bool] = lambda row, rows: True


def _largest(row: Row, rows: Sequence[Row]) -> bool:
    """Ours at its largest size that was run, on most threads."""
    same = [r for r in rows if r["task"] == row["task"] and r["who"] == OURS and r["median_seconds"]]
    return row["who"] == OURS and bool(same) and row == max(same, key=lambda r: (r["work"], r["cores"]))


def _stage(row: Row, rows: Sequence[Row]) -> bool:
    return str(row["task"]).startswith("first night: ")


def _total(row: Row, rows: Sequence[Row]) -> bool:
    return str(row["task"]).endswith(": total") or row["task"] == "read, sort, write"


def _simulated(row: Row, rows: Sequence[Row]) -> bool:
    return str(row["task"]).startswith("simulated")


def _real(row: Row, rows: Sequence[Row]) -> bool:
    return not _simulated(row, rows)


TIMES = {"task": "task", "who": "who", "size": "size", "cores": "cores", "median": "median", "spread": "spread"}
SECTIONS = {
    section.name: section
    for section in (
        Section(
            "refresh", "refresh",
            {"what": "task", "who": "who", "size": "size", "wall": "median", "CPU s": "CPU s", "peak GiB": "peak GiB"},
            keep=_total,
        ),
        Section(
            "stages", "refresh",
            {"stage": "task", "seconds": "median", "CPU s": "CPU s", "peak GiB": "peak GiB", "note": "note"},
            keep=_stage,
        ),
        Section(
            "headline", "headline",
            {
                "model": "who", "size": "size", "cores": "cores", "wall": "median", "per second": "per second",
                "CPU s": "CPU s", "model CPU s": "model CPU s", "engine share": "engine share", "of wall": "of wall",
                "peak GiB": "peak GiB", "note": "note",
            },
            keep=lambda row, rows: row["task"] == HEADLINE,
        ),
        Section("split", "split", {**TIMES, "rows per second": "per second", "peak GiB": "peak GiB"}),
        Section(
            "forecast", "forecast",
            {"model": "who", "size": "size", "series per second of one core": "per second", "WQL": "WQL"},
        ),
        Section("accuracy", "accuracy", pivot="WQL", keep=_real),
        Section("accuracy-simulated", "accuracy", pivot="WQL", keep=_simulated),
        Section(
            "decisions", "decisions",
            {n: n for n in ("task", "who", "cost", "of textbook", "fill rate", "± of difference", "note")},
        ),
        Section(
            "kernels", "kernels",
            {
                "kernel": "task", "size": "size", "threads": "cores", "per second": "per second", "spread": "spread",
                "times stockpyl": "times stockpyl", "of triad": "of triad",
            },
            keep=_largest,
        ),
        Section(
            "inference", "inference",
            {
                **TIMES, "series per second": "per second", "of matmul": "of matmul",
                "times Bolt-tiny": "times Bolt-tiny",
            },
        ),
        Section(
            "sizes", "sizes",
            {
                "model": "who", "parameters": "parameters", "windows": "size", "trained in": "median",
                "held back": "held back", "of totals": "of totals", "of naive": "of naive",
                "series per second": "series per second",
            },
        ),
        Section(
            "limits", "limits",
            {
                "size": "size", "limits": "limits", "binding": "binding", "seconds": "median", "CPU s": "CPU s",
                "gap": "gap", "fullest": "worst use", "questions": "questions", "peak GiB": "peak GiB",
            },
            keep=lambda row, rows: row["task"] == "limits",
        ),
        Section("scaling", "scaling"),
        Section("faults", "faults"),
        Section(
            "plan", "parts",
            {
                "run": "size", "measured": "median", "planned s": "planned s", "off": "off", "core s": "core s",
                "core off": "core off", "peak GiB": "peak GiB", "memory off": "memory off", "disk off": "disk off",
            },
            keep=lambda row, rows: "off" in row["figures"],
        ),
    )
}  # fmt: skip


def generated(document: str, kept: Sequence[Kept]) -> str:
    """Return the document with every marked part written anew.

    Raises
    ------
    ValueError
        If a marker names no table, or one is opened and not closed.
    """

    def write(match: re.Match[str]) -> str:
        name = match[1]
        if name in drawn:
            text = _embedded(drawn[name], svgs)
        elif name == TIMES_TAKEN:
            text = _times_taken(kept)
        elif name in SECTIONS:
            text = section_text(SECTIONS[name], kept)
        else:
            raise ValueError(
                f"bench:{name}: there is no such table; there are: {', '.join([TIMES_TAKEN, *SECTIONS, *drawn])}"
            )
        return f"<!-- bench:{name} -->\n{text}<!-- /bench:{name} -->"

    drawn, svgs = {f"picture-{picture.name}": picture for picture in PICTURES}, pictures(kept)
    opened = re.findall(r"<!-- bench:([a-z-]+) -->", document)
    closed = [match[1] for match in _MARKED.finditer(document)]
    if unclosed := [name for name in opened if name not in closed]:
        raise ValueError(f"bench:{unclosed[0]}: the marker is opened and not closed by <!-- /bench:{unclosed[0]} -->")
    return _MARKED.sub(write, document)


def documents(root: Path, kept: Sequence[Kept]) -> dict[Path, str]:
    """Return every document with markers, and every picture, as it should be."""
    files = [root / name for name in DOCUMENTS if (root / name).exists()]
    svgs = {root / FOLDER / f"{name}.svg": svg for name, svg in pictures(kept).items()}
    return {file: generated(file.read_text(encoding="utf-8"), kept) for file in files} | svgs


def _embedded(picture: Picture, svgs: Mapping[str, str]) -> str:
    """Return the picture in Markdown, seen from docs/."""
    if picture.name not in svgs:
        return f"_Not drawn yet: `{HOW}`, then `fullshelf bench tables`._\n"
    return f"![{picture.says}](pictures/{picture.name}.svg)\n"


def _times_taken(kept: Sequence[Kept]) -> str:
    """Return how long each benchmark took on each machine."""
    if not kept:
        return f"_Not measured yet: `{HOW}`._\n"
    body = [[r.name, f"{r.content['seconds']:,.0f}", r.caption()] for r in kept if r.content.get("seconds")]
    return _markdown(["benchmark", "seconds", "machine"], [False, True, False], body)


def section_text(section: Section, kept: Sequence[Kept]) -> str:
    """Return the table in Markdown, one for each machine; a sentence where nothing was measured."""
    parts = []
    for result in kept:
        rows = [row for row in result.rows if section.keep(row, result.rows)]
        if result.name != section.benchmark or not rows:
            continue
        table = _pivot(rows, section.pivot) if section.pivot else _plain(rows, section.columns or _all_columns(rows))
        parts.append(f"{result.caption()}:\n\n{table}")
    return "\n".join(parts) if parts else f"_Not measured yet: `{HOW}`._\n"


def _all_columns(rows: Sequence[Row]) -> Mapping[str, str]:
    figures = dict.fromkeys(name for row in rows for name in row["figures"])
    return {**TIMES, "per second": "per second", **{name: name for name in figures}, "note": "note"}


def _plain(rows: Sequence[Row], columns: Mapping[str, str]) -> str:
    body = [[_cell(row, column) for column in columns.values()] for row in rows]
    used = [i for i in range(len(columns)) if any(cells[i] for cells in body)]
    words = ("task", "who", "size", "note")
    right = [name not in words for name in columns.values()]
    return _markdown(
        [list(columns)[i] for i in used], [right[i] for i in used], ([cells[i] for i in used] for cells in body)
    )


def _pivot(rows: Sequence[Row], figure: str) -> str:
    tasks = list(dict.fromkeys(row["task"] for row in rows))
    who = list(dict.fromkeys(row["who"] for row in rows))
    found = {(row["task"], row["who"]): _cell(row, figure) or row["note"] for row in rows}
    body = ([task, *(found.get((task, name), "") for name in who)] for task in tasks)
    return _markdown(["task", *who], [False, *(True for _ in who)], body)


def _markdown(headings: Sequence[str], right: Sequence[bool], body: Iterable[Sequence[str]]) -> str:
    def lines() -> Iterator[str]:
        yield "| " + " | ".join(headings) + " |"
        yield "| " + " | ".join("---:" if r else "---" for r in right) + " |"
        for cells in body:
            yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    return "\n".join(lines()) + "\n"


def _cell(row: Row, column: str) -> str:
    if column in ("task", "who", "size", "note"):
        return str(row[column])
    if column == "cores":
        return str(row["cores"])
    if column == "median":
        left_out = row["note"] and not row["figures"]
        return seconds_text(row["median_seconds"]) if row["median_seconds"] else "not run" if left_out else ""
    if column == "spread":
        return f"{row['spread']:.0%}" if row["calls"] > 1 and row["median_seconds"] else ""
    if column == "per second":
        return f"{si(row['per_second'])}{row['unit']}" if row["per_second"] else ""
    value = row["figures"].get(column)
    return "" if value is None else f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
