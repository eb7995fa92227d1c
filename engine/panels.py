"""From the shard files of all generations to the panel of a shard; from those of `future` to what is known ahead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fullshelf.engine.calendar import Period
from fullshelf.engine.panel import KnownAhead, Panel
from fullshelf.engine.shard_files import FILE, ShardFiles
from fullshelf.kernels.panel import NEVER, fill, first_periods

__all__ = ["Part", "all_live_keys", "live_keys", "read_ahead", "read_panel"]

PRICE, PROMO = "price", "promo"
GENERAL = "#general"  # in `future`: the row names no location, and one that does wins over it


@dataclass(frozen=True, slots=True)
class Part:
    """Shard files and which of their source files count."""

    shards: ShardFiles
    alive: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows of a shard from all parts: (n,) arrays, and (G, S) where the rows of each series begin and end."""

    keys: pl.DataFrame  # S rows: sku, location, sorted
    periods: NDArray[np.int32]
    columns: dict[str, NDArray[np.float32]]
    begin: NDArray[np.int64]
    end: NDArray[np.int64]

    def column(self, name: str) -> NDArray[np.float32]:
        """Return a column; NaN throughout where no part has it."""
        found = self.columns.get(name)
        return np.full(self.periods.size, np.nan, np.float32) if found is None else found

    def matrix(self, names: Sequence[str]) -> NDArray[np.float32]:
        """Return columns as a (K, n) array."""
        return (
            np.stack([self.column(name) for name in names]) if names else np.empty((0, self.periods.size), np.float32)
        )


def read_panel(parts: Sequence[Part], shard: int, names: tuple[str, ...], period: Period, last: int) -> Panel:
    """Read one shard's panel, with the covariates `names`, up to period `last`."""
    rows = _read(parts, shard, ("units", "in_stock", *names), period, None)
    first = first_periods(rows.periods, rows.begin, rows.end, last)
    lives = first != NEVER
    first = first[lives]
    offsets = np.concatenate([[0], np.cumsum(last - first.astype(np.int64) + 1)])
    N, K = int(offsets[-1]), len(names)
    units, observed = np.empty(N, np.float32), np.empty(N, np.float32)
    values = np.empty((N, K), np.float32)
    fill(
        rows.periods,
        rows.column("units"),
        rows.column("in_stock"),
        rows.matrix(names),
        np.ascontiguousarray(rows.begin[:, lives]),
        np.ascontiguousarray(rows.end[:, lives]),
        first,
        offsets,
        names.index(PRICE) if PRICE in names else -1,
        np.array([0.0 if name == PROMO else np.nan for name in names], np.float32),
        units,
        observed,
        values,
    )
    return Panel(rows.keys.filter(pl.Series(lives)), units, observed, values, names, offsets, period, last)


def live_keys(parts: Sequence[Part], shard: int, period: Period, last: int) -> pl.DataFrame:
    """Return sku and location of the series that `read_panel` would give, sorted."""
    found = []
    for part in parts:
        if all(part.alive):  # the day of a series' first row is known without its rows
            keys = part.shards.keys(shard)
            found.append(keys.filter(period.number("first") <= last).select("sku", "location"))
        else:
            rows = _read([part], shard, (), period, None)
            first = first_periods(rows.periods, rows.begin, rows.end, last)
            found.append(rows.keys.filter(pl.Series(first != NEVER)))
    return found[0] if len(found) == 1 else pl.concat(found).unique().sort("sku", "location")


def all_live_keys(parts: Sequence[Part], period: Period, last: int) -> pl.DataFrame:
    """Return sku and location of the series of all shards."""
    if all(all(part.alive) for part in parts):
        keys = pl.concat([part.shards.keys() for part in parts]).filter(period.number("first") <= last)
        return keys.select("sku", "location") if len(parts) == 1 else keys.select("sku", "location").unique()
    return pl.concat([live_keys(parts, shard, period, last) for shard in range(parts[0].shards.shards)])


def read_ahead(
    part: Part, shard: int, keys: pl.DataFrame, names: tuple[str, ...], period: Period, last: int, horizon: int
) -> KnownAhead:
    """Read what is known of periods last + 1 … last + horizon for the series in `keys`; NaN where nothing is."""
    rows = _read([part], shard, (GENERAL, *names), period, keys)
    S, H, K = keys.height, horizon, len(names)
    offsets = np.arange(S + 1, dtype=np.int64) * H
    general = rows.column(GENERAL) > 0
    nothing = np.empty(S * H, np.float32)
    layers = []
    for chosen in (~general, general):
        values = np.empty((S * H, K), np.float32)
        fill(
            np.where(chosen, rows.periods, NEVER),
            np.zeros(rows.periods.size, np.float32),
            rows.column("in_stock"),
            rows.matrix(names),
            rows.begin,
            rows.end,
            np.full(S, last + 1, np.int32),
            offsets,
            -1,
            np.full(K, np.nan, np.float32),
            nothing,
            nothing,
            values,
        )
        layers.append(values)
    own, everywhere = layers
    return KnownAhead(np.where(np.isnan(own), everywhere, own).reshape(S, H, K), names)


def _read(
    parts: Sequence[Part], shard: int, names: Sequence[str], period: Period, wanted: pl.DataFrame | None
) -> _Rows:
    """Read the rows of a shard from every part, for the series `wanted`; None: for all."""
    frames = [part.shards.rows(shard, names) for part in parts]
    keys = [part.shards.keys(shard) for part in parts]
    if wanted is None:
        named = [k.select("sku", "location") for k in keys]
        wanted = named[0] if len(named) == 1 else pl.concat(named).unique().sort("sku", "location")
    shape = (len(parts), wanted.height)
    begin, end = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    periods: list[NDArray[np.int32]] = [np.empty(0, np.int32)]
    columns: dict[str, list[NDArray[np.float32]]] = {name: [np.empty(0, np.float32)] for name in names}
    before = 0
    for g, (part, frame, own) in enumerate(zip(parts, frames, keys, strict=True)):
        if frame is None:
            continue
        ends = np.cumsum(own["rows"].to_numpy().astype(np.int64))
        place = _places(wanted, own)
        begin[g, place >= 0] = before + (ends - own["rows"].to_numpy())[place[place >= 0]]
        end[g, place >= 0] = before + ends[place[place >= 0]]
        periods.append(_periods(part, frame, period))
        for name in names:
            here = frame[name].to_numpy() if name in frame.columns else np.full(frame.height, np.nan, np.float32)
            columns[name].append(here)
        before += frame.height
    return _Rows(wanted, np.concatenate(periods), {n: np.concatenate(c) for n, c in columns.items()}, begin, end)


def _places(wanted: pl.DataFrame, own: pl.DataFrame) -> NDArray[np.int64]:
    """Return the row of `own` for each wanted series, -1 where it has none."""
    if wanted.height == own.height and wanted.equals(own.select("sku", "location")):
        return np.arange(own.height)
    numbered = own.select("sku", "location", place=pl.int_range(pl.len()))
    found = wanted.join(numbered, on=["sku", "location"], how="left", maintain_order="left")
    return found["place"].fill_null(-1).to_numpy()


def _periods(part: Part, frame: pl.DataFrame, period: Period) -> NDArray[np.int32]:
    """Return the period of each row, NEVER for rows of a file that no longer counts."""
    days = frame["date"].to_physical().to_numpy()
    first = int(days.min())
    calendar = pl.select(pl.int_range(first, int(days.max()) + 1, dtype=pl.Int32).cast(pl.Date).alias("day"))
    periods = calendar.select(period.number("day")).to_series().to_numpy()[days - first]
    if not all(part.alive):
        file = frame[FILE].to_numpy() if FILE in frame.columns else np.zeros(frame.height, np.uint16)
        periods = np.where(np.array(part.alive)[file], periods, NEVER)
    found: NDArray[np.int32] = periods.astype(np.int32, copy=False)
    return found
