"""What was known at the end of an earlier period: the panel cut there, and what `future` told of the periods after."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fullshelf.engine.panel import KnownAhead, Panel


def panel_at(panel: Panel, last: int) -> tuple[Panel, NDArray[np.int64]]:
    """Return the panel as a run at the end of period `last` would have read it, and which series (n,) it holds.

    Nothing that was filled in looks ahead (a missing price is the last known one), so a cut is what was known then. A
    series without a row up to `last` did not exist yet.
    """
    lengths = np.diff(panel.offsets)
    kept = np.maximum(lengths - (panel.last - last), 0)
    live = np.flatnonzero(kept > 0)
    from_end = np.repeat(panel.offsets[1:], lengths) - 1 - np.arange(panel.units.size)
    cells = from_end >= panel.last - last
    return panel.part(live, cells, kept[live], last), live


def ahead_at(ahead: KnownAhead | None, live: NDArray[np.int64], begin: int, horizon: int) -> KnownAhead | None:
    """Return columns begin … begin + horizon - 1 of what is known ahead, for some of its series."""
    if ahead is None:
        return None
    return KnownAhead(np.ascontiguousarray(ahead.values[live, begin : begin + horizon]), ahead.names)


def lived(panel: Panel, start: int) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Return units and share in stock (S, T) of periods start + 1 … panel.last; 0 units before a series' first."""
    S, T = panel.series, panel.last - start
    units, observed = np.zeros((S, T)), np.ones((S, T), np.float32)
    lengths = np.diff(panel.offsets)
    from_end = np.repeat(panel.offsets[1:], lengths) - 1 - np.arange(panel.units.size)
    row = np.repeat(np.arange(S), lengths)
    new = from_end < T
    units[row[new], T - 1 - from_end[new]] = panel.units[new]
    observed[row[new], T - 1 - from_end[new]] = panel.observed[new]
    return units, observed
