"""Check rows against the rules of a table: good rows go on, each bad row becomes a reject with rule and value.

Two ways with the same expressions: `check` reads a small table at once; `good_rows` and `rejected_rows` are lazy, for
tables that are streamed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from fullshelf.engine.errors import InputError
from fullshelf.engine.scan import ROW, SURPLUS, Scan, open_file, reading
from fullshelf.engine.sources import SourceFile
from fullshelf.engine.tables import UNKNOWN_WORDS, Column, Rule, Table, raw

__all__ = [
    "BAD",
    "REJECTS",
    "Checked",
    "as_rejects",
    "check",
    "check_renames",
    "good_rows",
    "located",
    "no_rejects",
    "rejected_rows",
    "set_aside",
    "with_checks",
    "write_rejects",
]

REJECTS = pl.Schema(
    {"table": pl.String, "key": pl.String, "rule": pl.String, "value": pl.String, "row": pl.Int64}
)  # row: 1-based over all files of the table in the order of their paths, headers not counted; null: of no file
GROUP_ROWS = 1 << 16  # of a row group of rejects: left open, it depends on the file that the rows come from
BAD = "#bad"
LOOSE_ARRIVALS = pl.List(pl.Struct({"step": pl.Float64, "units": pl.Float64}))
ARRIVALS = pl.List(pl.Struct({"step": pl.Int32, "units": pl.Float64}))


@dataclass(frozen=True, slots=True)
class Checked:
    """The rows of a table that may be used, and those that may not. Rows read = good + rejected."""

    good: pl.DataFrame  # the contract's columns, absent ones null; and ROW
    rejects: pl.DataFrame  # REJECTS

    @property
    def read(self) -> int:
        """Rows read."""
        return self.good.height + self.rejects.height


def no_rejects() -> pl.DataFrame:
    """Return an empty table of rejects."""
    return pl.DataFrame(schema=REJECTS)


def check(table: Table, files: Iterable[SourceFile], rename: Mapping[str, str]) -> Checked:
    """Read all files of a small table and check each row.

    Raises
    ------
    InputError
        If a file cannot be used at all, or an emptied table would change the orders.
    """
    parts, before = [], 0
    found: set[str] = set()
    for file in files:
        scan = open_file(table, file, rename)
        part = _check_file(table, scan)
        parts.append(
            Checked(part.good.with_columns(pl.col(ROW) + before), part.rejects.with_columns(pl.col("row") + before))
        )
        before += part.read
        found |= set(scan.dtypes)
    if before == 0 and not table.may_be_empty:
        raise InputError(
            f"inputs.{table.name}: no rows in {', '.join(f.path for f in files)}; was the export cut short?"
        )
    check_renames(table, rename, found)
    return Checked(pl.concat([p.good for p in parts]), pl.concat([p.rejects for p in parts]))


def check_renames(table: Table, rename: Mapping[str, str], found: Iterable[str]) -> None:
    """Raise InputError if `columns` renames a column that no file has."""
    for source, to in rename.items():
        if to not in set(found):
            raise InputError(f"columns.{table.name}: no file of this table has a column {source!r} (mapped to {to!r})")


def _check_file(table: Table, scan: Scan) -> Checked:
    with reading(scan.file):
        frame = with_checks(table, scan).collect()
    bad = frame.filter(BAD)
    if bad.height and bad.height == frame.height:
        raise_if_hopeless(table, scan)
    good = frame.filter(~pl.col(BAD)).select(
        pl.col(ROW).cast(pl.Int64),
        *(_final(column) for column in table.columns),
    )
    return Checked(good, bad.lazy().select(_reject(table, scan)).collect())


def with_checks(table: Table, scan: Scan) -> pl.LazyFrame:
    """Return all rows with raw and checked columns and BAD: whether the row breaks a rule."""
    checked = [
        parse(column, scan.dtypes[column.name]).alias(column.name)
        if column.name in scan.dtypes
        else pl.lit(None, _dtype(column)).alias(column.name)
        for column in table.columns
    ]
    frame = scan.frame.with_columns(checked)
    return frame.with_columns(pl.any_horizontal(rule.bad for rule in _rules(table, scan)).fill_null(False).alias(BAD))


def good_rows(table: Table, scan: Scan) -> pl.LazyFrame:
    """Return all rows with the checked columns and BAD; a caller counts the bad ones and drops them."""
    return with_checks(table, scan).select(*(_final(table.column(name)) for name in scan.dtypes), BAD)


def rejected_rows(table: Table, scan: Scan) -> pl.LazyFrame:
    """Return the bad rows as rejects; `row` counts within the file."""
    return with_checks(table, scan).filter(BAD).select(_reject(table, scan))


def write_rejects(rows: pl.LazyFrame, path: Path) -> None:
    """Write rejects in bounded memory; the bytes do not depend on how the rows were read."""
    rows.sink_parquet(path, compression="zstd", compression_level=1, row_group_size=GROUP_ROWS)


def set_aside(checked: Checked, table: Table, rule: str, column: str, bad: pl.Series) -> Checked:
    """Move good rows to the rejects, by a rule that looks at more than the row itself."""
    if not bad.any():
        return checked
    moved = as_rejects(table, checked.good.filter(bad).lazy(), rule, column).collect()
    return Checked(checked.good.filter(~bad), pl.concat([checked.rejects, moved]))


def as_rejects(table: Table, rows: pl.LazyFrame, rule: str, column: str) -> pl.LazyFrame:
    """Return checked rows as rejects by one rule, with the value of one column."""
    return rows.select(_reject_columns(table, pl.lit(rule), pl.col(column).cast(pl.String), pl.col))


def raise_if_hopeless(table: Table, scan: Scan) -> None:
    """Explain a file none of whose rows can be used because a column cannot be read at all.

    Raises
    ------
    InputError
        If some column has cells, but none that can be read.
    """
    with reading(scan.file):
        frame = with_checks(table, scan)
        for rule in _rules(table, scan):
            if not rule.name.endswith("_unreadable"):
                continue
            cell = pl.col(raw(rule.column))
            cells = frame.filter(cell.is_not_null()).select((pl.len() > 0) & rule.bad.all())
            if not cells.collect(engine="streaming").item():
                continue
            example = frame.select(value_text(cell, scan.dtypes[rule.column]).drop_nulls().first()).collect().item()
            raise InputError(
                f"{scan.file.path}: no cell of column {rule.column!r} of table {table.name} can be used: "
                f"{rule.sentence}; the first is {example!r}. Write it so where the file is made or, if the column "
                f"is the wrong one, name the right one: columns: {{{table.name}: {{YOUR_COLUMN: {rule.column}}}}}"
            )


def parse(column: Column, dtype: pl.DataType) -> pl.Expr:
    """Read a raw cell; null where that is not possible, and where it is NaN."""
    cell = pl.col(raw(column.name))
    if column.kind == "number":
        if dtype == pl.String:
            cell = cell.str.strip_chars()
        if dtype == pl.String and column.sign == "share":
            cell = cell.replace({"True": "1", "true": "1", "TRUE": "1", "False": "0", "false": "0", "FALSE": "0"})
        if dtype not in (pl.Float32, pl.Float64):
            cell = cell.cast(pl.Float64, strict=False)
        return cell.fill_nan(None)
    if column.kind == "date":
        if dtype == pl.String:
            text = cell.str.strip_chars()
            day = text.str.to_date("%Y-%m-%d", strict=False)
            moment = text.str.contains(r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}")
            return pl.coalesce(day, pl.when(moment).then(text.str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False)))
        return cell.dt.date() if dtype == pl.Datetime else cell.cast(pl.Date)
    if column.kind == "text":
        if dtype.is_float():  # whole numbers that met a null on their way through another library: 17.0 is "17"
            whole = cell == cell.floor()
            text = pl.when(whole).then(cell.cast(pl.Int64, strict=False).cast(pl.String))
            return pl.when(cell.is_not_nan()).then(text.otherwise(cell.cast(pl.String)))
        return cell.cast(pl.String)
    if dtype == pl.String:
        return cell.map_elements(_arrivals_from_json, return_dtype=LOOSE_ARRIVALS)
    if dtype == pl.Null or (isinstance(dtype, pl.List) and dtype.inner == pl.Null):
        return pl.when(cell.is_not_null()).then(pl.lit([], LOOSE_ARRIVALS))
    step, units = (pl.element().struct.field(name).cast(pl.Float64) for name in ("step", "units"))
    return cell.list.eval(pl.struct(step, units))


def _arrivals_from_json(text: str) -> list[dict[str, float]] | None:
    if text.strip() in UNKNOWN_WORDS:
        return []
    try:
        items = json.loads(text)
        return [{"step": float(item["step"]), "units": float(item["units"])} for item in items]
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None


def _final(column: Column) -> pl.Expr:
    value = pl.col(column.name)
    if column.kind == "number":
        value = value.cast(pl.Float64)
        return pl.when(value.is_finite()).then(value).alias(column.name) if column.endless else value
    if column.name == "location":
        return located(value).alias(column.name)
    if column.kind == "text" and not column.required:
        return pl.when(value != "").then(value).alias(column.name)
    return value.cast(ARRIVALS) if column.kind == "arrivals" else value


def located(location: pl.Expr) -> pl.Expr:
    """Return the location, null where the row names none; `all` is the name of none."""
    return pl.when(location.is_in(["", "all"]).not_()).then(location)


def _dtype(column: Column) -> pl.DataType:
    kinds: dict[str, pl.DataType] = {"text": pl.String(), "number": pl.Float64(), "date": pl.Date()}
    return kinds.get(column.kind, LOOSE_ARRIVALS)


def _rules(table: Table, scan: Scan) -> list[Rule]:
    rules = table.rules(scan.dtypes)
    if scan.file.format == "csv":
        names = scan.frame.collect_schema().names()
        if SURPLUS in names:
            rules.insert(0, Rule("surplus_fields", SURPLUS, "", pl.col(SURPLUS).is_not_null()))
    return rules


def value_text(cell: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Write a cell as text."""
    if dtype.is_nested():
        return cell.list.eval(pl.element().struct.json_encode()).list.join(", ")
    return cell.cast(pl.String)


def _reject(table: Table, scan: Scan) -> list[pl.Expr]:
    rule, value = pl.lit(None, pl.String), pl.lit(None, pl.String)
    for r in reversed(_rules(table, scan)):
        name = SURPLUS if r.column == SURPLUS else raw(r.column)
        dtype = scan.dtypes.get(r.column, pl.String())
        text = (
            value_text(pl.col(name), dtype) if r.column in scan.dtypes or name == SURPLUS else pl.lit(None, pl.String)
        )
        rule = pl.when(r.bad).then(pl.lit(r.name)).otherwise(rule)
        value = pl.when(r.bad).then(text).otherwise(value)
    present = {name for name in table.key if name in scan.dtypes}
    return _reject_columns(
        table, rule, value, lambda name: pl.col(name) if name in present else pl.lit(None, pl.String)
    )


def _reject_columns(table: Table, rule: pl.Expr, value: pl.Expr, column: Callable[[str], pl.Expr]) -> list[pl.Expr]:
    parts = []
    for name in table.key:
        part = column(name).cast(pl.String)
        if name == "location" and table.everywhere:
            part = pl.when(part != "").then(part).otherwise(pl.lit(table.everywhere))
        elif name == table.key[0]:
            part = part.fill_null("")
        else:
            part = pl.when(part != "").then(part)
        parts.append(part)
    return [
        pl.lit(table.name).alias("table"),
        pl.concat_str(parts, separator="/", ignore_nulls=True).alias("key"),
        rule.alias("rule"),
        value.alias("value"),
        pl.col(ROW).cast(pl.Int64).alias("row"),
    ]
