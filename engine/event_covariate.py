"""The table `events` as a covariate of the panel: 1 in each period that holds an event of the series' location.

What comes more than 26 times a year is no event but a routine, like the pay-out days of a benefit, and is not marked:
beside it the holidays would not stand out.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fullshelf.engine.panel import KnownAhead, Panel

__all__ = ["EVENT", "with_events"]

EVENT = "event"
MOST = 26  # days a year that an event may have


def with_events(
    panel: Panel, ahead: KnownAhead | None, events: pl.DataFrame, horizon: int
) -> tuple[Panel, KnownAhead | None]:
    """Return the panel and what is known ahead with the covariate `event`; a sales column of that name wins.

    Parameters
    ----------
    events
        date and location of each event; a location of null stands for every location.
    horizon
        Periods ahead that are marked, H.
    """
    if EVENT in panel.covariate_names or panel.series == 0:
        return panel, ahead
    lengths = np.diff(panel.offsets)
    T = int(lengths.max())
    locations = panel.keys["location"].unique().sort()
    marks = _marks(panel, events, locations, T, horizon)
    row = pl.select(panel.keys["location"].replace_strict(locations, np.arange(locations.len()))).to_series().to_numpy()
    place = np.arange(panel.units.size) - np.repeat(panel.offsets[1:], lengths) + T
    past = marks[np.repeat(row, lengths), place]
    future = marks[row, T:, None]
    names = (*panel.covariate_names, EVENT)
    panel = replace(panel, covariates=np.column_stack([panel.covariates, past]), covariate_names=names)
    if ahead is None:
        return panel, KnownAhead(future, (EVENT,))
    return panel, KnownAhead(np.concatenate([ahead.values, future], axis=2), (*ahead.names, EVENT))


def _marks(panel: Panel, events: pl.DataFrame, locations: pl.Series, T: int, H: int) -> NDArray[np.float32]:
    """Return 1 where a location has an event in periods last + 1 - T … last + H: (locations, T + H)."""
    marks = np.zeros((locations.len(), T + H), np.float32)
    begin = panel.last + 1 - T
    found = _rare(events).select("location", place=panel.period.number("date") - begin).unique()
    found = found.filter(pl.col("place").is_between(0, T + H - 1))
    marks[:, found.filter(pl.col("location").is_null())["place"].to_numpy()] = 1
    for number, location in enumerate(locations):
        marks[number, found.filter(pl.col("location") == location)["place"].to_numpy()] = 1
    return marks


def _rare(events: pl.DataFrame) -> pl.DataFrame:
    """Return the events of which a location has at most `MOST` days a year, by the years from its first to its last."""
    days = pl.col("date").unique().len()
    years = (pl.col("date").max() - pl.col("date").min()).dt.total_days() / 365.25
    return events.filter((days <= MOST * pl.max_horizontal(years, 1.0)).over("event", "location"))
