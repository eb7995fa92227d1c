"""What each product, supplier, location and series is like: drawn from its own number, so no neighbour matters.

Times are drawn in days and turned into periods here, so that a marketplace by week or by month is the same kind of
marketplace. Rates scale with the length of a period.
"""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from fullshelf.engine.simulate.catalogue import CATEGORIES, DEPARTMENTS
from fullshelf.engine.simulate.seasons import Span
from fullshelf.kernels.draws import keys, lognormals, normals, uniforms
from fullshelf.kernels.marketplace import HEAVY, LUMPY, MIXED, POISSON, SERIES

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SUPPLIERS = 8  # of each department
LONGEST_LEAD_DAYS = 40
_LONGEST_BLOCK_DAYS = 40
_PACKS = np.array([1, 2, 3, 4, 6, 8, 10, 12, 20, 24, 48])
_DEPARTMENTS = tuple(DEPARTMENTS)
_OF_DEPARTMENT = np.array([_DEPARTMENTS.index(c.path.split("/")[0]) for c in CATEGORIES])
_BRANDS = np.array([len(DEPARTMENTS[name].brands) for name in _DEPARTMENTS])
_KINDS = np.array([len(DEPARTMENTS[name].kinds) for name in _DEPARTMENTS])
_SIZES = np.array([len(DEPARTMENTS[name].sizes) for name in _DEPARTMENTS])
_NOUNS = np.array([len(c.nouns) for c in CATEGORIES])
_SIZE_FACTORS = np.array([[f for _, f in (d.sizes * 4)[:4]] for d in DEPARTMENTS.values()])


@dataclass(frozen=True, slots=True)
class Products:
    """SKUs of a part of the catalogue: one entry each. Money in cents, times in days unless said otherwise."""

    number: Ints  # of the SKU; everything else follows from it and the seed
    category: Ints  # index into CATEGORIES
    department: Ints
    brand: Ints  # index into the words of the department
    kind: Ints
    size: Ints
    noun: Ints  # index into the words of the category
    price: Ints
    cost: Ints
    rate: Floats  # units per day and average location at full life
    launch: Ints  # day of the span; negative: before it
    end: Ints  # day of the span, beyond it: none in sight
    supplier: Ints  # department × SUPPLIERS + number
    lead: Floats
    lead_sd: Floats
    review: Ints
    order_cost: Ints
    pack: Ints  # units
    moq: Ints  # units
    keep: Ints  # 0: does not spoil
    litres: Floats


class _Draws:
    """Uniform, normal and log-normal numbers for things known by number; one stream for each named attribute."""

    def __init__(self, seed: int, numbers: Ints) -> None:
        self._seed, self._numbers = seed, np.ascontiguousarray(numbers, np.int64)

    def keys(self, name: str) -> NDArray[np.uint64]:
        return keys(self._seed, crc32(name.encode()), self._numbers)

    def uniform(self, name: str) -> Floats:
        return uniforms(self._seed, crc32(name.encode()), self._numbers)

    def below(self, name: str, bound: Ints | int) -> Ints:
        """Whole numbers 0 … bound - 1."""
        return (self.uniform(name) * bound).astype(np.int64)

    def normal(self, name: str) -> Floats:
        return normals(self._seed, crc32(name.encode()), self._numbers)

    def lognormal(self, name: str, sigma: float, median: float = 1.0) -> Floats:
        return lognormals(self._seed, crc32(name.encode()), self._numbers, median, sigma)


def draw_products(seed: int, numbers: Ints, span: Span) -> Products:
    """Draw the SKUs with these numbers."""
    draw = _Draws(seed, numbers)
    shares = np.cumsum([c.share for c in CATEGORIES])
    category = np.searchsorted(shares / shares[-1], draw.uniform("category"), side="right").astype(np.int64)
    department = _OF_DEPARTMENT[category]
    brand = draw.below("brand", _BRANDS[department])
    kind = draw.below("kind", _KINDS[department])
    size = draw.below("size", _SIZES[department])
    noun = draw.below("noun", _NOUNS[category])
    # Words carry meaning: a brand, a kind and a noun are dearer or better sold than others wherever they stand.
    by_brand = _Draws(seed, department * 100 + brand)
    by_kind = _Draws(seed, department * 100 + kind)
    by_noun = _Draws(seed, category * 100 + noun)
    price = _column("price")[category] * _SIZE_FACTORS[department, size] * draw.lognormal("price", 0.2)
    price *= by_brand.lognormal("price of brand", 0.25) * by_kind.lognormal("price of kind", 0.12)
    price = np.rint(np.clip(price, 0.45, 900.0) * 100)
    margin = np.clip(_column("margin")[category] + 0.05 * draw.normal("margin"), 0.15, 0.75)
    rate = 0.8 * _column("rate")[category] * draw.lognormal("popularity", 1.3)
    rate /= np.sqrt(_SIZE_FACTORS[department, size])
    rate *= by_brand.lognormal("rate of brand", 0.35) * by_noun.lognormal("rate of noun", 0.3)
    rate = np.clip(rate, 0.004, 300.0)
    keep = _column("keep")[category].astype(np.int64)
    launch, end = _life(draw, span)
    supplier = department * SUPPLIERS + draw.below("supplier", SUPPLIERS)
    lead, lead_sd, review, order_cost = _terms(seed, supplier, fresh=keep > 0)
    most = np.clip(rate * (2.0 + 25.0 * draw.uniform("pack")), 1.0, 48.0)  # about half a month of sales
    most = np.where(keep > 0, np.minimum(most, np.maximum(1.0, rate * keep / 3)), most)
    pack = _PACKS[np.searchsorted(_PACKS, most, side="right") - 1]
    packs = np.array([0, 0, 0, 2, 3, 5])[draw.below("moq", 6)]
    moq = np.where((pack * packs <= rate * 40) & (keep == 0), pack * packs, 0)
    return Products(
        number=numbers,
        category=category,
        department=department,
        brand=brand,
        kind=kind,
        size=size,
        noun=noun,
        price=price.astype(np.int64),
        cost=np.maximum(1, np.rint(price * (1.0 - margin))).astype(np.int64),
        rate=rate,
        launch=launch,
        end=end,
        supplier=supplier,
        lead=lead,
        lead_sd=lead_sd,
        review=review,
        order_cost=order_cost,
        pack=pack,
        moq=moq,
        keep=keep,
        litres=_column("litres")[category] * _SIZE_FACTORS[department, size] * draw.lognormal("litres", 0.25),
    )


def draw_series(seed: int, numbers: Ints, locations: int, products: Products, span: Span) -> NDArray[np.void]:
    """Draw the series with these numbers: SKU × locations + location. `products` holds their SKUs, without a gap."""
    S, days = numbers.size, span.days
    draw = _Draws(seed, numbers)
    at = numbers // locations - products.number[0]
    location = numbers % locations
    of_product, of_location = _Draws(seed, products.number[at]), _Draws(seed, location)
    category = products.category[at]
    s = np.zeros(S, SERIES)
    s["key"] = draw.keys("series")
    s["sku_key"] = of_product.keys("prices")
    s["category"], s["location"] = category, location
    rate = products.rate[at] * of_location.lognormal("size of location", 0.5) * draw.lognormal("taste", 0.45)
    s["rate"] = rate * days
    s["sensitivity"] = of_product.lognormal("sensitivity", 0.25)
    s["growth"] = (0.02 + 0.22 * of_product.normal("growth")) * days / 365.25
    memory = draw.lognormal("memory", 0.7, 15.0)  # days
    s["carry"] = np.minimum(0.995, 1.0 / (1.0 + days / memory))
    s["wobble"] = 0.05 + 0.35 * draw.uniform("wobble") ** 2
    kinds = np.array([POISSON, MIXED, HEAVY, LUMPY])
    s["kind"] = kinds[np.searchsorted([0.35, 0.80, 0.90], of_product.uniform("noise"), side="right")]
    shape = of_product.lognormal("noise shape", 0.7)
    s["shape"] = np.select(
        [s["kind"] == HEAVY, s["kind"] == LUMPY],
        [1.4 + np.minimum(shape, 4.0), np.clip(6.0 * shape, 2.0, 60.0)],
        np.maximum(0.2, 2.0 * shape * np.sqrt(days)),
    )
    s["launch"] = np.floor(products.launch[at] / days)
    s["end"] = np.ceil(products.end[at] / days)
    s["ramp"] = np.maximum(0.3, (7.0 + 35.0 * of_product.uniform("ramp")) / days)
    s["price"] = products.price[at]
    s["elasticity"] = 0.6 + 2.4 * of_product.uniform("elasticity")
    s["reprice"] = np.minimum(0.5, days / 200.0)
    often = 6.0 * of_product.uniform("promotions") - 1.5  # a year; a quarter of the SKUs have none
    s["promote"] = np.clip(often, 0.0, None) * days / 365.25
    s["lift"] = 1.0 + 0.6 * of_product.uniform("lift")
    s["lead"] = np.rint((products.lead[at] + of_location.below("way", 3)) / days)
    s["lead_sd"] = np.rint(products.lead_sd[at] / days * 10) / 10
    s["review"] = np.maximum(1, np.rint(products.review[at] / days))
    s["pack"], s["moq"] = products.pack[at], products.moq[at]
    s["caution"] = 0.3 + 2.2 * draw.uniform("caution")
    s["cover"] = np.where(products.order_cost[at] > 0, np.maximum(0.0, 14.0 / days), 0.0)
    s["cover"][products.keep[at] > 0] = 0.0
    s["keep"] = np.where(products.keep[at] > 0, np.maximum(1, np.rint(products.keep[at] / days)), 0)
    s["returned"] = np.array([c.returned for c in CATEGORIES])[category]
    blocked = np.rint(draw.uniform("blocked from") * span.known * 2.5)  # two in five meet a supplier's trouble
    s["blocked_from"] = blocked
    s["blocked_to"] = blocked + np.ceil((8.0 + (_LONGEST_BLOCK_DAYS - 8.0) * draw.uniform("blocked for")) / days)
    return s


def longest_arrival(span: Span) -> int:
    """Return for how many periods ahead an arrival can be known."""
    return int(np.ceil((LONGEST_LEAD_DAYS * 2 + _LONGEST_BLOCK_DAYS) / span.days)) + 3


def _life(draw: _Draws, span: Span) -> tuple[Ints, Ints]:
    """Return launch and end as days of the span: three in ten are launched inside it, one in nine ends inside it."""
    known = span.known * span.days
    u = draw.uniform("launch")
    launch = np.where(u < 0.3, np.floor(u / 0.3 * known), -np.floor((u - 0.3) / 0.7 * 1800.0) - 1)
    v = draw.uniform("end")
    end = np.where(v < 0.14, known * (0.35 + 0.85 * v / 0.14), np.inf)
    end = np.maximum(end, np.maximum(launch, 0.0) + np.maximum(60.0, 2 * span.days))
    never = span.total * span.days + 400.0
    return launch.astype(np.int64), np.minimum(end, never).astype(np.int64)


def _terms(seed: int, supplier: Ints, fresh: NDArray[np.bool_]) -> tuple[Floats, Floats, Ints, Ints]:
    """Return lead time and its standard deviation, days between orders, cost of an order line in cents."""
    draw = _Draws(seed, supplier)
    far = draw.uniform("far supplier") < 0.3
    near_lead = 1.0 + draw.below("near lead", 7)
    lead = np.where(far, 18.0 + draw.below("far lead", LONGEST_LEAD_DAYS - 20), near_lead)
    late = np.where(draw.uniform("punctual") < 0.6, 0.0, lead * (0.1 + 0.2 * draw.uniform("late")))
    review = np.array([1, 1, 1, 3, 7])[draw.below("review", 5)]
    cost = np.where(draw.uniform("line") < 0.4, np.rint(100 * (1.0 + 14.0 * draw.uniform("line cost"))), 0.0)
    lead, late = np.where(fresh, 1.0, lead), np.where(fresh, 0.0, late)
    return lead, late, np.where(fresh, 1, review), np.where(fresh, 0.0, cost).astype(np.int64)


def _column(name: str) -> Floats:
    return np.array([getattr(c, name) for c in CATEGORIES], dtype=np.float64)
