"""Results as files: what `bench NAME --json FILE` and `bench all --json FILE` write, read again and checked.

A file holds one result, or several, a line each; a suite's holds all of its results under `results`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

SUITE = "all"
KEYS = ("benchmark", "machine", "limits", "rows")
ROW_KEYS = ("task", "who", "size", "cores", "median_seconds", "spread", "calls")
EXPECTED = "expected a file that `bench NAME --json FILE` or `bench all --json FILE` wrote"


def read_results(path: Path) -> list[dict[str, Any]]:
    """Read a file's results; a suite's are those of its benchmarks.

    Raises
    ------
    ValueError
        If the file is no result of `fullshelf bench`, or a damaged one; the message says where.
    """
    found = [result for one in _values(path) for result in _flat(path, one)]
    for result in found:
        if reason := _damage(result):
            raise _no_result(path, reason)
    return found


def _values(path: Path) -> list[Any]:
    """Return the JSON values of a file: one for each line, or a single one over several lines."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as e:
        raise _no_result(path, "it is not text") from e
    if not text.strip():
        raise _no_result(path, "it is empty")
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    try:
        if text.lstrip().startswith("{\n"):  # written anew by a person's tool, over several lines
            return [json.loads(text)]
    except ValueError as e:
        raise _no_result(path, f"it is not JSON ({e}), so it is damaged or cut off") from e
    values = []
    for number, line in lines:
        try:
            values.append(json.loads(line))
        except ValueError as e:
            raise _no_result(path, f"line {number} is not JSON ({e}), so it is damaged or cut off") from e
    return values


def _flat(path: Path, one: Any) -> Iterator[dict[str, Any]]:
    """Yield the value, or the results in it where it is a suite's."""
    if not isinstance(one, dict) or "results" not in one:
        yield one
        return
    if not one["results"]:
        told = ", ".join(f"{run['name']} {run['outcome']}" for run in one.get("runs", ()))
        raise _no_result(path, f"no benchmark of the suite came to its end ({told or 'none was run'})")
    yield from one["results"]


def _damage(result: Any) -> str:
    """Say what a result lacks; "" if nothing."""
    if not isinstance(result, Mapping):
        return f"it holds {type(result).__name__} where an object is expected"
    if lacking := [key for key in KEYS if key not in result]:
        return f"it lacks {', '.join(lacking)}"
    if not (isinstance(result["machine"], Mapping) and isinstance(result["limits"], Mapping)):
        return "its machine or limits is no object"
    if not isinstance(result["rows"], list):
        return "its rows are no list"
    for number, row in enumerate(result["rows"], 1):
        if lacking := [key for key in ROW_KEYS if not isinstance(row, Mapping) or key not in row]:
            return f"row {number} of {result['benchmark']} lacks {', '.join(lacking)}"
    return ""


def _no_result(path: Path, reason: str) -> ValueError:
    return ValueError(f"{path}: no result of a benchmark: {reason}; {EXPECTED}")
