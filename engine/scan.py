"""One file as a lazy frame with the contract's column names; what is wrong with the file as a whole is said here.

Cells stay as the file has them: what a row must be is not decided here.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import polars as pl

from fullshelf.engine.commit import is_disk_full
from fullshelf.engine.config import nearest
from fullshelf.engine.errors import InputError
from fullshelf.engine.sources import SourceFile
from fullshelf.engine.tables import Column, Table, raw
from fullshelf.engine.url_files import first_bytes

__all__ = ["ROW", "SURPLUS", "Scan", "column_names", "open_file", "reading"]

ROW = "#row"  # 1-based, the header of a CSV file not counted
SURPLUS = "#surplus"  # in a CSV file: the first field beyond the header
SEPARATORS = (",", ";", "\t", "|")
HEADER_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Scan:
    """A file that can be read: its columns under the names raw(name), and the row number."""

    file: SourceFile
    frame: pl.LazyFrame
    dtypes: dict[str, pl.DataType]  # of the contract's columns that the file has


@contextmanager
def reading(file: SourceFile) -> Iterator[None]:
    """Explain what Polars says about a file.

    Raises
    ------
    InputError
        In place of any error of reading or parsing.
    """
    try:
        yield
    except (pl.exceptions.PolarsError, OSError) as e:
        if is_disk_full(e):
            raise
        text = str(e).splitlines()[0].removeprefix("parquet: ") if str(e) else type(e).__name__
        if isinstance(e, pl.exceptions.NoDataError):
            raise InputError(f"{file.path}: the file is empty; was its export cut short?") from e
        if file.is_remote:
            raise InputError(f"{file.path}: cannot be read ({text}); check the file, the address, credentials") from e
        if file.format == "parquet":
            raise InputError(
                f"{file.path}: not a readable Parquet file ({text}); it may be truncated: export it again"
            ) from e
        hint = "save it as UTF-8" if "utf" in text.lower() else "check quotes and line ends"
        raise InputError(f"{file.path}: not a readable CSV file ({text}); {hint}") from e


def open_file(table: Table, file: SourceFile, rename: Mapping[str, str]) -> Scan:
    """Open one file of a table; `rename` maps the file's column names to the contract's.

    Raises
    ------
    InputError
        If the file cannot be parsed, lacks a required column, or has a column of a type that no row can be read from.
    """
    with reading(file):
        frame = _csv(file) if file.format == "csv" else _parquet(file)
        for key, value in file.partition:
            if key not in frame.collect_schema():
                frame = frame.with_columns(pl.lit(value).alias(key))
        schema = frame.collect_schema()
    target = {source: rename.get(source, source) for source in schema.names()}
    target |= {name: "" for name in rename.values() if name in target and rename.get(name) != name}  # replaced
    sources = {to: source for source, to in target.items() if to}
    dtypes = {}
    for column in table.columns:
        if column.name in sources:
            if f"{sources[column.name]}_duplicated_0" in schema:
                raise InputError(
                    f"{file.path}: the header names column {sources[column.name]!r} twice; keep the one that counts"
                )
            dtypes[column.name] = schema[sources[column.name]]
            _check_type(table, file, column, sources[column.name], dtypes[column.name])
        elif column.required:
            raise InputError(_missing(table, file, column, [n for n in schema.names() if n != SURPLUS]))
    _check_needs(table, file, schema.names(), dtypes)
    chosen = [pl.col(sources[name]).alias(raw(name)) for name in dtypes]
    if SURPLUS in schema:
        chosen.append(pl.col(SURPLUS))
    return Scan(file, frame.with_row_index(ROW, offset=1).select(ROW, *chosen), dtypes)


def column_names(file: SourceFile) -> list[str]:
    """Return the names of a file's columns."""
    with reading(file):
        names = (_csv(file) if file.format == "csv" else _parquet(file)).collect_schema().names()
    return [name for name in names if name != SURPLUS]


def _parquet(file: SourceFile) -> pl.LazyFrame:
    return pl.scan_parquet(file.path, glob=False, hive_partitioning=False)


def _csv(file: SourceFile) -> pl.LazyFrame:
    """Scan a CSV file as text, with one column more, so that a line with too many fields is seen."""
    separator = _separator(file)
    head = pl.scan_csv(file.path, infer_schema=False, separator=separator, glob=False, n_rows=0)
    names = [name.strip().strip('"') for name in head.collect_schema().names()]
    return pl.scan_csv(
        file.path,
        schema={**dict.fromkeys(names, pl.String()), SURPLUS: pl.String()},
        has_header=False,
        skip_lines=1,
        separator=separator,
        glob=False,
        truncate_ragged_lines=True,
        missing_columns="insert",
        raise_if_empty=False,
    )


def _separator(file: SourceFile) -> str:
    line = _first_line(file)
    if "\0" in line:
        raise InputError(f"{file.path}: neither Parquet nor text in UTF-8; save it as CSV in UTF-8, or as Parquet")
    return max(SEPARATORS, key=line.count)


def _first_line(file: SourceFile) -> str:
    if file.is_remote:
        return first_bytes(file.path, HEADER_BYTES).split(b"\n", 1)[0].decode("utf-8", "replace")
    if file.path.endswith(".zst"):
        names = pl.scan_csv(file.path, infer_schema=False, separator="\n", glob=False, n_rows=0).collect_schema()
        return names.names()[0]
    opener = gzip.open if file.path.endswith(".gz") else open
    with opener(file.path, "rb") as stream:
        return stream.readline(HEADER_BYTES).decode("utf-8", "replace")


def _missing(table: Table, file: SourceFile, column: Column, names: list[str]) -> str:
    by_lower_case = {name.lower(): name for name in names}
    guess = nearest(column.name, by_lower_case) if names else ""
    yours = by_lower_case[guess.split("'")[1]] if "did you mean" in guess else "YOUR_COLUMN"
    hint = f" Is it {yours!r}?" if yours != "YOUR_COLUMN" else ""
    if file.format == "csv" and not set(by_lower_case) & set(table.names()):
        hint, yours = " A CSV file must begin with a header, a line that names the columns.", "YOUR_COLUMN"
    return (
        f"{file.path}: table {table.name} needs a column {column.name!r} ({column.meaning}), found "
        f"{', '.join(names) or 'none'}.{hint} Rename it there, or in the configuration: "
        f"columns: {{{table.name}: {{{yours}: {column.name}}}}}"
    )


def _check_needs(table: Table, file: SourceFile, names: list[str], found: Mapping[str, pl.DataType]) -> None:
    for groups in table.needs:
        if not any(all(name in found for name in group) for group in groups):
            raise InputError(
                f"{file.path}: table {table.name} needs {' or '.join(' and '.join(group) for group in groups)}, found "
                f"{', '.join(n for n in names if n != SURPLUS)}; add the column, or map it under `columns`"
            )


def _check_type(table: Table, file: SourceFile, column: Column, source: str, dtype: pl.DataType) -> None:
    expected = {
        "text": "text or whole numbers",
        "number": "numbers",
        "date": "dates (a date type, or text such as 2024-01-31)",
        "arrivals": "a list of {step, units}, or such a list as JSON text",
    }[column.kind]
    fits = {
        "text": dtype in (pl.String, pl.Categorical, pl.Enum) or dtype.is_numeric(),
        "number": dtype in (pl.String, pl.Boolean) or dtype.is_numeric(),
        "date": dtype in (pl.String, pl.Date, pl.Datetime),
        "arrivals": dtype == pl.String or (isinstance(dtype, pl.List) and _is_arrival(dtype.inner)),
    }[column.kind]
    if not fits and dtype != pl.Null:
        raise InputError(
            f"{file.path}: column {source!r} of table {table.name} has type {dtype}, expected {expected}; "
            "convert it where the file is made"
        )


def _is_arrival(dtype: object) -> bool:
    if dtype == pl.Null:
        return True
    if not isinstance(dtype, pl.Struct):
        return False
    return {"step", "units"} <= {f.name for f in dtype.fields if _numeric(f.dtype)}


def _numeric(dtype: object) -> bool:
    return isinstance(dtype, pl.DataType) and (dtype.is_numeric() or dtype == pl.Null)
