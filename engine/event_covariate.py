"""The table `events` as two covariates of the panel: which event, and which routine, a period of a location holds.

What comes more than 26 times a year is no event but a routine, like the pay-out days of a benefit: it has a column of
its own, beside which the holidays stand out. A value is the code of the name, so that a Christmas is told from a
carnival and known again next year; 0 is none. Of several names in one period the one with the lowest code counts, and a
location's own stands before what is everywhere.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fullshelf.engine.panel import KnownAhead, Panel

__all__ = ["CODES", "EVENT", "NAMELESS", "ROUTINE", "code_of", "taken", "with_events"]

EVENT, ROUTINE = "event", "routine"
MOST = 26  # days a year that an event may have
CODES = 32749  # the largest code; a prime below 2^15, so that 30 names share one in a hundred catalogues
NAMELESS = 1  # the code of a shop's own column that only says that there is an event


def code_of(name: str) -> int:
    """Return the code of a name, 2…CODES, the same in every run.

    Examples
    --------
    >>> code_of("Christmas Day") == code_of("Christmas Day") != code_of("Easter")
    True
    """
    return zlib.crc32(name.encode()) % (CODES - 1) + 2


def taken(names: Iterable[str]) -> bool:
    """Whether covariates of these names stand in the place of the table `events`, which is then not read."""
    return not {EVENT, ROUTINE}.isdisjoint(names)


def with_events(
    panel: Panel, ahead: KnownAhead | None, events: pl.DataFrame, horizon: int
) -> tuple[Panel, KnownAhead | None]:
    """Return the panel and what is known ahead with the covariates `event` and `routine`.

    Sales columns of these names win: where there is one, the table is not read.

    Parameters
    ----------
    events
        date, location and event, its name; a location of null stands for every location.
    horizon
        Periods ahead that are marked, H.
    """
    if taken(panel.covariate_names) or panel.series == 0:
        return panel, ahead
    lengths = np.diff(panel.offsets)
    T = int(lengths.max())
    locations = panel.keys["location"].unique().sort()
    coded = events.with_columns(
        code=pl.col("event").map_elements(code_of, return_dtype=pl.Int32), rare=_is_rare().over("event", "location")
    )
    marks = np.stack(
        [_marks(panel, coded.filter(rare), locations, T, horizon) for rare in (pl.col("rare"), ~pl.col("rare"))],
        axis=-1,
    )
    row = pl.select(panel.keys["location"].replace_strict(locations, np.arange(locations.len()))).to_series().to_numpy()
    place = np.arange(panel.units.size) - np.repeat(panel.offsets[1:], lengths) + T
    past, future = marks[np.repeat(row, lengths), place], marks[row, T:]
    names = (*panel.covariate_names, EVENT, ROUTINE)
    panel = replace(panel, covariates=np.column_stack([panel.covariates, past]), covariate_names=names)
    if ahead is None:
        return panel, KnownAhead(np.ascontiguousarray(future), (EVENT, ROUTINE))
    values = np.concatenate([ahead.values, future], axis=2)
    return panel, KnownAhead(values, (*ahead.names, EVENT, ROUTINE))


def _marks(panel: Panel, events: pl.DataFrame, locations: pl.Series, T: int, H: int) -> NDArray[np.float32]:
    """Return the code of what a location has in periods last + 1 - T … last + H, or 0: (locations, T + H)."""
    marks = np.zeros((locations.len(), T + H), np.float32)
    begin = panel.last + 1 - T
    found = events.select("location", "code", place=panel.period.number("date") - begin)
    found = found.filter(pl.col("place").is_between(0, T + H - 1))
    found = found.group_by("location", "place").agg(pl.col("code").min()).sort("location", "place")
    everywhere = found.filter(pl.col("location").is_null())
    marks[:, everywhere["place"].to_numpy()] = everywhere["code"].to_numpy()
    for number, location in enumerate(locations):
        own = found.filter(pl.col("location") == location)
        marks[number, own["place"].to_numpy()] = own["code"].to_numpy()
    return marks


def _is_rare() -> pl.Expr:
    """Say of an event's days whether there are at most `MOST` a year, by the years from its first to its last."""
    days = pl.col("date").unique().len()
    years = (pl.col("date").max() - pl.col("date").min()).dt.total_days() / 365.25
    return days <= MOST * pl.max_horizontal(years, 1.0)
