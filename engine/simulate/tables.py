"""From the simulated numbers to the input tables of the contract."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from zlib import crc32

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fullshelf.engine.simulate.attributes import SUPPLIERS, Floats, Ints, Products, longest_arrival
from fullshelf.engine.simulate.catalogue import CATEGORIES, DEPARTMENTS, location_name
from fullshelf.engine.simulate.seasons import Span
from fullshelf.kernels.draws import uniforms
from fullshelf.kernels.marketplace import count_rows, fill_rows, simulate

_SPARE_DAYS = 4.0  # of demand that an order round may buy beyond the usual


@dataclass(frozen=True, slots=True)
class Part:
    """Some series with everything that happened to them; S series, T known of P periods, A periods of arrivals."""

    numbers: Ints  # (S,)
    series: NDArray[np.void]  # (S,) of kernels.marketplace.SERIES
    products: Products
    product: Ints  # (S,) position in `products`
    price: NDArray[np.int32]  # (S, P) cents
    promo: NDArray[np.uint8]  # (S, P) % of the period
    demand: NDArray[np.int32]  # (S, P) units, known to nobody
    expected: NDArray[np.float32]  # (S, P) its mean, or (S, 0)
    units: NDArray[np.int32]  # (S, T) sold
    in_stock: NDArray[np.uint8]  # (S, T) % of the period
    came_back: NDArray[np.int32]  # (S, T) units returned
    arrivals: NDArray[np.int32]  # (S, A) units at the start of period as-of + 1 + a
    on_hand: NDArray[np.int64]  # (S,)
    ordered: NDArray[np.int64]  # (S,) units in the newest `recent` periods
    regular: NDArray[np.int32]  # (S,) cents, at the end
    keys: pl.DataFrame  # (S) sku, location


def play(
    numbers: Ints,
    series: NDArray[np.void],
    products: Products,
    locations: int,
    span: Span,
    season: Floats,
    local: Floats,
    recent: int,
    truth: bool,
) -> Part:
    """Let the series live."""
    S, T, P = numbers.size, span.known, span.total
    part = Part(
        numbers=numbers,
        series=series,
        products=products,
        product=numbers // locations - products.number[0],
        price=np.empty((S, P), np.int32),
        promo=np.empty((S, P), np.uint8),
        demand=np.empty((S, P), np.int32),
        expected=np.empty((S, P if truth else 0), np.float32),
        units=np.empty((S, T), np.int32),
        in_stock=np.empty((S, T), np.uint8),
        came_back=np.empty((S, T), np.int32),
        arrivals=np.empty((S, longest_arrival(span)), np.int32),
        on_hand=np.empty(S, np.int64),
        ordered=np.empty(S, np.int64),
        regular=np.empty(S, np.int32),
        keys=_keys(numbers, locations),
    )
    simulate(
        series,
        season,
        local,
        span.days,
        recent,
        part.price,
        part.promo,
        part.demand,
        part.expected,
        part.units,
        part.in_stock,
        part.came_back,
        part.arrivals,
        part.on_hand,
        part.ordered,
        part.regular,
    )
    return part


def sales_frame(part: Part, span: Span, zeros: bool) -> pl.DataFrame:
    """Return the `sales` table of a part, sorted by series and date; returns are rows of their own."""
    offsets = count_rows(part.series, part.units, part.in_stock, part.came_back, zeros)
    N = int(offsets[-1])
    of, when, values = np.empty(N, np.uint32), np.empty(N, np.uint32), np.empty((4, N))
    fill_rows(
        part.series, part.units, part.in_stock, part.came_back, part.price, part.promo, zeros, offsets, of, when, values
    )
    names = ("units", "price", "promo", "in_stock")
    return _long(part.keys, span, of, when, dict(zip(names, values, strict=True)))


def future_frame(part: Part, span: Span, ahead: int | None) -> pl.DataFrame:
    """Return the `future` table: planned price and promotion for `ahead` periods.

    None: as many as a plan may ask for, the period's horizon and the series' own lead time and review.
    """
    s, T = part.series, span.known
    width = span.period.horizon + s["lead"] + s["review"] if ahead is None else np.full(s.size, ahead)
    width = np.clip(np.minimum(width, s["end"] - T), 0, span.total - T).astype(np.int64)
    of = np.repeat(np.arange(s.size, dtype=np.uint32), width)
    begins = np.cumsum(width) - width
    when = (np.arange(of.size) - np.repeat(begins, width) + T).astype(np.uint32)
    return _long(part.keys, span, of, when, {"price": part.price[of, when] / 100, "promo": part.promo[of, when] / 100})


def truth_frame(part: Part, span: Span) -> pl.DataFrame:
    """Return what nobody knows: `demand` and its `expected` value in every period of a life, the coming ones too."""
    t = np.arange(span.total)
    alive = (t >= part.series["launch"][:, None]) & (t < part.series["end"][:, None])
    of, when = (index.astype(np.uint32) for index in np.nonzero(alive))
    values = {"demand": part.demand[of, when].astype(np.float64), "expected": part.expected[of, when].astype(float)}
    return _long(part.keys, span, of, when, values)


def supply_frame(part: Part, seed: int) -> pl.DataFrame:
    """Return the `supply` table of a part. Holding and shortage costs are left to their defaults."""
    s, p, at = part.series, part.products, part.product
    limited = uniforms(seed, crc32(b"max stock"), part.numbers) < 0.12
    span = s["lead"] + s["review"]
    most = np.ceil((s["rate"] * (span + s["cover"]) * 2.5 + 3 * s["pack"] + s["moq"]) / s["pack"]) * s["pack"]
    keeps = s["keep"] > 0
    return part.keys.with_columns(
        pl.Series("unit_cost", p.cost[at] / 100),
        pl.Series("unit_price", part.regular / 100),
        _where("salvage_value", np.round(p.cost[at] / 100 * 0.1, 2), keeps),
        pl.Series("order_cost", p.order_cost[at] / 100),
        pl.Series("lead_time", s["lead"].astype(np.int64)),
        pl.Series("lead_time_sd", s["lead_sd"]),
        pl.Series("review_period", s["review"].astype(np.int64)),
        pl.Series("moq", s["moq"].astype(np.float64)),
        pl.Series("pack_size", s["pack"].astype(np.float64)),
        _where("max_stock", most, limited),
        _where("shelf_life", s["keep"].astype(np.int64), keeps),
        pl.Series("volume", np.round(p.litres[at] / 1000, 6)),
        pl.Series("supplier", _suppliers()).gather(p.supplier[at]),
    )


def stock_frame(part: Part) -> pl.DataFrame:
    """Return the `stock` table of a part, with the open orders as `arrivals`."""
    of, step = np.nonzero(part.arrivals)
    counts = np.bincount(of, minlength=part.numbers.size)
    arrivals = (
        pl.DataFrame({"of": of, "step": step + 1, "units": part.arrivals[of, step].astype(np.float64)})
        .select("of", pl.struct("step", "units").alias("arrivals"))
        .group_by("of", maintain_order=True)
        .agg("arrivals")
    )
    none: Any = pl.Series([[]], dtype=pl.List(pl.Struct({"step": pl.Int64, "units": pl.Float64})))
    lists = pl.concat([none, arrivals["arrivals"]]) if of.size else none
    which = np.where(counts > 0, np.cumsum(counts > 0), 0)
    return part.keys.with_columns(
        pl.Series("on_hand", part.on_hand.astype(np.float64)),
        pl.Series("on_order", part.arrivals.sum(axis=1, dtype=np.int64).astype(np.float64)),
        pl.lit(0.0).alias("backorders"),
        lists.gather(which).alias("arrivals"),
    )


def skus_frame(products: Products, span: Span) -> pl.DataFrame:
    """Return the `skus` table: a title of brand, kind, noun and size; the category; the day of launch."""
    p = products
    words = {name: [w for d in DEPARTMENTS.values() for w in getattr(d, name)] for name in ("brands", "kinds")}
    sizes = [word for d in DEPARTMENTS.values() for word, _ in d.sizes]
    nouns = [word for c in CATEGORIES for word in c.nouns]
    begin = {
        name: np.cumsum([0, *(len(getattr(d, name)) for d in DEPARTMENTS.values())])
        for name in ("brands", "kinds", "sizes")
    }
    of_nouns = np.cumsum([0, *(len(c.nouns) for c in CATEGORIES)])
    first = span.period.start(span.first)
    launch = np.datetime64(first) + p.launch.astype("timedelta64[D]")
    frame = pl.DataFrame(
        {
            "sku": _names(p.number),
            "brand": pl.Series(words["brands"]).gather(begin["brands"][p.department] + p.brand),
            "kind": pl.Series(words["kinds"]).gather(begin["kinds"][p.department] + p.kind),
            "noun": pl.Series(nouns).gather(of_nouns[p.category] + p.noun),
            "size": pl.Series(sizes).gather(begin["sizes"][p.department] + p.size),
            "category": pl.Series([c.path for c in CATEGORIES]).gather(p.category),
            "launch_date": pl.Series(launch),
        }
    )
    title = pl.format("{} {} {}, {}", "brand", "kind", "noun", "size").alias("title")
    return frame.select("sku", title, "category", pl.col("launch_date").cast(pl.Date))


def limits_frame(
    capital: int, volume: NDArray[np.int64], supplied: NDArray[np.int64], rounds: int, days: float
) -> pl.DataFrame:
    """Return the `limits` table from what the shop's own rule has bought: a usual round and some days more.

    A round that must catch up, as the first one of a better rule does, then meets the limit of capital.

    Parameters
    ----------
    capital
        Cents spent in the newest `rounds` periods.
    volume
        (locations,) cm³ bought for each location in these periods.
    supplied
        (suppliers,) units bought from each supplier in these periods.
    days
        Days in a period.
    """
    usual = (1.0 + _SPARE_DAYS / days) / rounds
    tightest = int(np.argmax(supplied))
    rows = [("capital", "all", round(capital / 100 * usual, 2))]
    rows += [("volume", f"location={location_name(i)}", round(1.3 * v / 1e6 * usual, 3)) for i, v in enumerate(volume)]
    rows.append(("units", f"supplier={_suppliers()[tightest]}", float(np.ceil(supplied[tightest] * usual))))
    rows = [row for row in rows if row[2] > 0]  # a marketplace that bought nothing has no habit to be held to
    return pl.DataFrame(rows, schema={"resource": pl.String, "scope": pl.String, "amount": pl.Float64}, orient="row")


def _long(keys: pl.DataFrame, span: Span, of: Any, when: Any, values: dict[str, Floats]) -> pl.DataFrame:
    dates = pl.Series("date", span.starts, dtype=pl.Date)
    return pl.DataFrame(
        [keys["sku"].gather(of), keys["location"].gather(of), dates.gather(when)]
        + [pl.Series(name, array) for name, array in values.items()]
    )


def _keys(numbers: Ints, locations: int) -> pl.DataFrame:
    names = pl.Series("location", [location_name(i) for i in range(locations)])
    return pl.DataFrame([_names(numbers // locations), names.gather(numbers % locations)])


def _names(numbers: Ints) -> pl.Series:
    text = pl.DataFrame({"n": numbers}).select(pl.format("P{}", pl.col("n").cast(pl.String).str.zfill(8)))
    return text.to_series().alias("sku")


def _suppliers() -> list[str]:
    return [f"{name} Supply {i + 1}" for name in DEPARTMENTS for i in range(SUPPLIERS)]


def _where(name: str, values: NDArray[Any], given: NDArray[np.bool_]) -> pl.Series:
    """Null where it is not given."""
    return pl.DataFrame({name: values, "given": given}).select(pl.when("given").then(name).alias(name)).to_series()
