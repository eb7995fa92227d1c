"""Lead-time demand of a shard on disk, between the two halves of a run with limits."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np

from fullshelf.engine.commit import replacing
from fullshelf.engine.forecast import LeadTimeDemand, RunningTotals

_TOTALS = "totals."  # prefix of the arrays of the inner record


def save_demand(path: Path, demand: LeadTimeDemand) -> None:
    """Write every array, bit for bit."""
    arrays = {f.name: getattr(demand, f.name) for f in fields(demand) if f.name != "totals"}
    arrays |= {_TOTALS + f.name: getattr(demand.totals, f.name) for f in fields(demand.totals)}
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)


def load_demand(path: Path) -> LeadTimeDemand:
    """Read what `save_demand` wrote."""
    with np.load(path, allow_pickle=False) as arrays:
        outer = {name: arrays[name] for name in arrays.files if not name.startswith(_TOTALS)}
        inner = {name.removeprefix(_TOTALS): arrays[name] for name in arrays.files if name.startswith(_TOTALS)}
    return LeadTimeDemand(**outer, totals=RunningTotals(**inner))
