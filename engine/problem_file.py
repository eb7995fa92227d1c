"""The order problem of a shard on disk, between the two halves of a run with limits."""

from __future__ import annotations

import io
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from fullshelf.engine.commit import replacing
from fullshelf.engine.planning import OrderProblem, Terms
from fullshelf.engine.stock_position import StockPosition
from fullshelf.engine.storage import Location
from fullshelf.engine.tuned_factors import TunedFactors

# fields that are records of arrays themselves
_RECORDS: dict[str, Any] = {"terms": Terms, "position": StockPosition, "tuned": TunedFactors}


def save_problem(path: Location, problem: OrderProblem) -> None:
    """Write every array, bit for bit."""
    arrays = {f.name: getattr(problem, f.name) for f in fields(problem) if f.name not in _RECORDS}
    for name, record in _RECORDS.items():
        inner = getattr(problem, name)
        arrays |= {f"{name}.{f.name}": getattr(inner, f.name) for f in fields(record)}
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)


def load_problem(path: Location) -> OrderProblem:
    """Read what `save_problem` wrote."""
    with np.load(path if isinstance(path, Path) else io.BytesIO(path.read_bytes()), allow_pickle=False) as arrays:
        outer = {name: arrays[name] for name in arrays.files if "." not in name}
        inner = {
            name: record(**{f.name: arrays[f"{name}.{f.name}"] for f in fields(record)})
            for name, record in _RECORDS.items()
        }
    return OrderProblem(**outer, **inner)
