"""From a panel to batches of fixed shape.

A series goes to the smallest context that holds its history, so its numbers depend on that history alone; what is older
than the longest context is not read. The last batch of each context is filled up with empty rows, so that every batch
of a context has one shape, whatever else is in the panel.

B rows, C periods of context, H periods ahead, K covariates.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fullshelf.engine.calendar import Period
from fullshelf.engine.event_covariate import CODES, EVENT, ROUTINE
from fullshelf.engine.models.demand_lm.batch import COVARIATES, PATCH, ContextBatch
from fullshelf.engine.panel import KnownAhead, Panel

Single = NDArray[np.float32]
CONTEXTS = (64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048)  # periods, each cut to whole patches
POSITIONS = 32768  # rows × periods of a batch on a CPU: twice as many were a tenth faster, and slower for few series
GPU_POSITIONS = 1 << 20  # on a GPU, whose thousands of cores want to be filled
MOST_ROWS = 256  # for each 32768 positions
CALENDAR = ("year_sin", "year_cos", "month_sin", "month_cos")


@dataclass(frozen=True, slots=True)
class Window:
    """A batch and the series that its first rows are; the others are empty."""

    rows: NDArray[np.int64]  # (n,) n <= B, numbers of series in the panel
    batch: ContextBatch


def contexts(period: Period, longest: int) -> tuple[int, ...]:
    """Return the context lengths, whole patches, the last one not above `longest` rounded up to one of `CONTEXTS`.

    Examples
    --------
    >>> contexts(Period.DAY, 500)
    (63, 91, 126, 189, 252, 378, 511)
    """
    P = PATCH[period]
    fitting = [c for c in CONTEXTS if c < longest]
    return tuple(c // P * P for c in CONTEXTS[: len(fitting) + 1])


def rows_of(C: int, positions: int = POSITIONS) -> int:
    """Return the rows B of a batch of C periods: a power of two."""
    most = MOST_ROWS * positions // POSITIONS
    return int(min(most, 2 ** int(np.log2(max(1, positions // C)))))


def windows(
    panel: Panel,
    ahead: KnownAhead | None,
    horizon: int,
    longest: int,
    wanted: NDArray[np.int64],
    positions: int = POSITIONS,
    static: Single | None = None,
) -> Iterator[Window]:
    """Yield the batches of the series `wanted`, shortest context first; `static` (S, E): their products' texts."""
    lengths = np.diff(panel.offsets)[wanted]
    sizes = contexts(panel.period, longest)
    place = np.minimum(np.searchsorted(sizes, lengths), len(sizes) - 1)
    for number, C in enumerate(sizes):
        of_size, B = wanted[place == number], rows_of(C, positions)
        for first in range(0, of_size.size, B):
            rows = of_size[first : first + B]
            yield Window(rows, window_batch(panel, ahead, rows, B, C, horizon, static))


def window_batch(
    panel: Panel,
    ahead: KnownAhead | None,
    rows: NDArray[np.int64],
    B: int,
    C: int,
    H: int,
    static: Single | None = None,
) -> ContextBatch:
    """Return the newest C periods of the series `rows`, n <= B, as a batch of B rows, the last B - n of them empty."""
    n = rows.size
    calendar = calendar_covariates(panel.period, panel.last, C, H)
    at = panel.offsets[rows + 1][:, None] + np.arange(-C, 0)
    exists = at >= panel.offsets[rows][:, None]
    at = np.where(exists, at, 0)
    units, observed = np.zeros((B, C), np.float32), np.ones((B, C), np.float32)
    units[:n] = np.where(exists, panel.units[at], 0)
    observed[:n] = np.where(exists, panel.observed[at], 1)
    alive = np.zeros((B, C), bool)
    alive[:n] = exists
    covariates = np.zeros((B, C + H, len(COVARIATES)), np.float32)
    covariates[:, :, [COVARIATES.index(name) for name in CALENDAR]] = calendar
    _fill_plans(covariates[:n], panel, ahead, rows, at, exists)
    covariates[:, :C] *= alive[:, :, None]
    codes = _codes(panel, ahead, rows, at, exists, H)
    return ContextBatch(
        panel.period,
        torch.from_numpy(units),
        torch.from_numpy(alive),
        torch.from_numpy(observed),
        torch.from_numpy(covariates),
        None if static is None else torch.from_numpy(_filled(static[rows], B)),
        None if codes is None else torch.from_numpy(_filled(codes, B)),
    )


def _filled(values: NDArray[Any], B: int) -> NDArray[Any]:
    """Return the rows with empty ones after them, B in all."""
    out = np.zeros((B, *values.shape[1:]), values.dtype)
    out[: values.shape[0]] = values
    return out


def _fill_plans(
    out: Single,
    panel: Panel,
    ahead: KnownAhead | None,
    rows: NDArray[np.int64],
    at: NDArray[np.int64],
    exists: NDArray[np.bool_],
) -> None:
    """Fill price, promotion, event and what of it is known into `out` (n, C + H, K)."""
    C = at.shape[1]
    for name in ("price", "promo", "event"):
        past, future = panel.covariate(name), None if ahead is None else ahead.covariate(name)
        if past is None:
            continue
        values = np.full(out.shape[:2], np.nan, np.float32)
        values[:, :C] = np.where(exists, past[at], np.nan)
        if future is not None:
            values[:, C:] = future[rows]
        if name == "price":
            values = _relative(values, C)
        if name == "event":
            values = np.minimum(values, 1)  # that there is one; `_codes` says which
        known = np.isfinite(values)
        out[:, :, COVARIATES.index(name)] = np.where(known, values, 0)
        if name != "event":
            out[:, :, COVARIATES.index("known")] += known
    share = out[:, :, COVARIATES.index("known")]
    np.minimum(share, 1, out=share)
    promo = out[:, :, COVARIATES.index("promo")]
    np.clip(promo, 0, 1, out=promo)


def _codes(
    panel: Panel,
    ahead: KnownAhead | None,
    rows: NDArray[np.int64],
    at: NDArray[np.int64],
    exists: NDArray[np.bool_],
    H: int,
) -> NDArray[np.int16] | None:
    """Return the codes of events and routines of the rows (n, C + H, 2), None where the panel knows of neither."""
    C = at.shape[1]
    out = np.zeros((rows.size, C + H, 2), np.int16)
    found = False
    for k, name in enumerate((EVENT, ROUTINE)):
        past, future = panel.covariate(name), None if ahead is None else ahead.covariate(name)
        if past is None:
            continue
        found = True
        out[:, :C, k] = np.where(exists, _code(past[at]), 0)
        if future is not None:
            out[:, C:, k] = _code(future[rows])
    return out if found else None


def _code(values: Single) -> NDArray[np.float32]:
    """Return whole codes of a covariate; a shop's own column may hold shares, and anything above 0 is an event."""
    return np.clip(np.ceil(np.nan_to_num(values)), 0, CODES)


def _relative(price: Single, C: int) -> Single:
    """Return the log of price / median of the row's past prices; NaN where either is not known."""
    price = np.where(price > 0, price, np.nan)
    count = np.isfinite(price[:, :C]).sum(1)
    ordered = np.sort(price[:, :C], axis=1)  # NaN last
    median = ordered[np.arange(count.size), np.maximum(count - 1, 0) // 2]
    return np.asarray(np.clip(np.log(price / median[:, None]), -3, 3), dtype=np.float32)


def calendar_covariates(period: Period, last: int, C: int, H: int) -> Single:
    """Return the places in year and month of periods last + 1 - C … last + H, (C + H, 4), in the order of `CALENDAR`.

    A period is where its middle day is; the place in the month is that of days alone.
    """
    numbers = last + np.arange(1 - C, H + 1)
    if period is Period.MONTH:
        middle = numbers.astype("M8[M]").astype("M8[D]") + 15
    else:
        middle = (numbers if period is Period.DAY else numbers * 7).astype("M8[D]")  # day 7 n is the Thursday
    months = middle.astype("M8[M]")
    year = ((middle - middle.astype("M8[Y]")).astype(np.int64) + 0.5) / 365.25
    found = np.zeros((C + H, 4))
    found[:, 0], found[:, 1] = np.sin(2 * np.pi * year), np.cos(2 * np.pi * year)
    if period is Period.DAY:
        begin = months.astype("M8[D]")
        days = ((months + 1).astype("M8[D]") - begin).astype(np.int64)
        month = ((middle - begin).astype(np.int64) + 0.5) / days
        found[:, 2], found[:, 3] = np.sin(2 * np.pi * month), np.cos(2 * np.pi * month)
    return found.astype(np.float32)
