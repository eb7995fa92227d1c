"""The input tables of the data contract: columns with unit, default and bounds, and the rules that a row must pass.

A `Table` knows nothing about files. `rules` turns its columns into `Rule`s, in the order in which they are tried: a bad
row is rejected once, by the first rule that it breaks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Literal

import polars as pl

from fullshelf.engine.config import nearest
from fullshelf.engine.errors import ConfigError
from fullshelf.kernels.lead_time import LONGEST

__all__ = ["TABLES", "Column", "Rule", "Table", "explain", "raw", "table_of"]

Kind = Literal["text", "number", "date", "arrivals"]
FIRST_DAY, LAST_DAY = date(1901, 1, 1), date(2199, 12, 31)
MOST_PERIODS = 1024  # no forecast reaches further
UNKNOWN_WORDS = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "-")  # in a text column of numbers or dates
SHARE_SLACK = 1e-6  # a share of 1.0000001 is rounding, not a mistake


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the contract."""

    name: str
    meaning: str  # with unit, as a person would say it
    kind: Kind = "number"
    required: bool = False
    default: float | None = None
    sign: Literal["any", "not negative", "positive", "share"] = "any"
    largest: float = 1e12  # beyond it float32 sums lose all meaning
    endless: bool = False  # infinite means none


@dataclass(frozen=True, slots=True)
class Rule:
    """What a row must not be. `bad` is true where the row breaks the rule; it looks at checked and raw columns."""

    name: str
    column: str  # whose raw value goes to the rejects
    sentence: str
    bad: pl.Expr = field(compare=False)


@dataclass(frozen=True, slots=True)
class Table:
    """One input table."""

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]  # columns that name a row in the rejects
    more: tuple[Rule, ...] = ()  # rules over several columns
    may_be_empty: bool = False
    everywhere: str | None = None  # what stands for a missing location
    needs: tuple[tuple[tuple[str, ...], ...], ...] = ()  # of each entry one group of columns must be there

    def column(self, name: str) -> Column:
        """Return a column by name."""
        return next(column for column in self.columns if column.name == name)

    def names(self) -> tuple[str, ...]:
        """Return the names of all columns."""
        return tuple(column.name for column in self.columns)

    def rules(self, dtypes: Mapping[str, pl.DataType]) -> list[Rule]:
        """Return the rules for the columns that a file has, in the order in which they are tried."""
        own = [rule for c in self.columns if c.name in dtypes for rule in _rules(c, dtypes[c.name])]
        return [*own, *self.more]


def raw(name: str) -> str:
    """Name the column that holds a cell as the file has it, beside the checked column."""
    return f"raw:{name}"


def _rules(column: Column, dtype: pl.DataType) -> list[Rule]:
    name, value = column.name, pl.col(column.name)
    found = []

    def rule(ending: str, sentence: str, bad: pl.Expr) -> None:
        found.append(Rule(f"{name}_{ending}", name, sentence, bad.fill_null(False)))

    if column.kind in ("number", "date") and dtype == pl.String:
        text = pl.col(raw(name)).str.strip_chars()
        kind = "number such as 1234.5" if column.kind == "number" else "date such as 2024-01-31"
        rule("unreadable", f"{name} is not a {kind}", value.is_null() & text.is_in(UNKNOWN_WORDS).not_())
    if column.required:
        missing = value.is_null() | (value == "") if column.kind == "text" else value.is_null()
        rule("missing", f"{name} is empty: {column.meaning}", missing)
    if column.kind == "date":
        outside = f"{name} lies before {FIRST_DAY.year} or after {LAST_DAY.year}"
        rule("out_of_range", outside, value.is_between(FIRST_DAY, LAST_DAY).not_())
    if column.kind == "arrivals":
        fault = value.is_null() | value.list.eval(_SOUND_ARRIVAL.fill_null(False)).list.all().not_()
        rule("unreadable", _ARRIVALS_SENTENCE, fault & pl.col(raw(name)).is_not_null())
    if column.kind != "number":
        return found
    if not column.endless:
        rule("infinite", f"{name} is infinite", value.is_infinite())
    rule("too_large", f"{name} is beyond ±{column.largest:g}", (value.abs() > column.largest) & value.is_finite())
    if column.sign == "not negative":
        rule("negative", f"{name} is negative", value < 0)
    if column.sign == "positive":
        rule("not_positive", f"{name} is zero or negative", value <= 0)
    if column.sign == "share":
        outside_share = value.is_between(-SHARE_SLACK, 1 + SHARE_SLACK).not_()
        rule("outside_0_1", f"{name} is not a share of the period between 0 and 1", outside_share)
    return found


_STEP, _UNITS = pl.element().struct.field("step"), pl.element().struct.field("units")
_SOUND_ARRIVAL = (_STEP.abs() < 1e6) & (_STEP.floor() == _STEP) & (_UNITS >= 0) & (_UNITS <= 1e12)  # up to 0: overdue
_ARRIVALS_SENTENCE = "arrivals is not a list of {step, units} with whole steps and units that are not negative"

_SKU = Column("sku", "the item", "text", required=True)
_LOCATION = Column("location", "where it is stocked", "text")
_DATE = Column("date", "any day inside the period", "date", required=True)
_PRICE = Column("price", "currency per unit", sign="not negative")
_PROMO = Column("promo", "share of the period on promotion", sign="share")

SALES = Table(
    "sales",
    (
        _SKU,
        _LOCATION,
        _DATE,
        Column("units", "units sold in the period", required=True),
        Column("in_stock", "share of the period in stock", sign="share"),
    ),
    key=("sku", "location"),
    everywhere="all",
)

SKUS = Table(
    "skus",
    (
        _SKU,
        Column("title", "title of the product", "text"),
        Column("description", "description of the product", "text"),
        Column("category", "path of the category, parted by /", "text"),
        Column("launch_date", "first day of sale", "date"),
        Column("end_date", "last day of sale", "date"),
    ),
    key=("sku",),
    may_be_empty=True,
)


def _no_cost(name: str, needed_for: tuple[str, ...], sentence: str) -> Rule:
    """Reject where a cost is missing and so is one that could replace it."""
    return Rule(f"{name}_missing", name, sentence, pl.col(name).is_null() & _any_null(needed_for))


def _any_null(names: tuple[str, ...]) -> pl.Expr:
    return pl.any_horizontal(pl.col(name).is_null() for name in names)


SUPPLY = Table(
    "supply",
    (
        _SKU,
        _LOCATION,
        Column("unit_cost", "currency per unit", sign="not negative"),
        Column("unit_price", "currency per unit", sign="not negative"),
        Column("holding_cost", "currency per unit and period held", sign="not negative"),
        Column("shortage_cost", "currency per unit short", sign="not negative"),
        Column("salvage_value", "currency per unit left at the end of shelf life", default=0.0),
        Column("order_cost", "currency per order", default=0.0, sign="not negative"),
        Column("lead_time", "full periods between ordering and arrival", required=True, sign="not negative"),
        Column("lead_time_sd", "periods", default=0.0, sign="not negative"),
        Column("review_period", "periods between two orders", default=1.0, sign="positive"),
        Column("moq", "units", default=0.0, sign="not negative"),
        Column("pack_size", "units", default=1.0, sign="positive"),
        Column("max_stock", "units", sign="not negative", endless=True),
        Column("shelf_life", "periods", sign="positive", endless=True),
        Column("volume", "m³ per unit", sign="not negative"),
        Column("supplier", "name of the supplier", "text"),
    ),
    key=("sku", "location"),
    needs=((("unit_cost",), ("holding_cost", "shortage_cost")), (("unit_price",), ("shortage_cost",))),
    more=(
        Rule(
            "interval_too_long",
            "lead_time",
            f"lead_time + {LONGEST:g} lead_time_sd + review_period is beyond {MOST_PERIODS} periods; is the unit right",
            pl.col("lead_time")
            + LONGEST * pl.col("lead_time_sd").fill_null(0.0)
            + pl.col("review_period").fill_null(1.0)
            > MOST_PERIODS,
        ),
        _no_cost(
            "unit_cost",
            ("holding_cost", "shortage_cost"),
            "unit_cost is empty, and holding_cost and shortage_cost are not both given",
        ),
        Rule(
            "unit_price_missing",
            "unit_price",
            "unit_price is empty and no shortage_cost is given, so nothing says what a lost sale costs",
            pl.col("shortage_cost").is_null() & pl.col("unit_price").is_null(),
        ),
        Rule(
            "price_below_cost",
            "unit_price",
            "unit_price is below unit_cost and no shortage_cost is given, so a lost sale would be a gain",
            pl.col("shortage_cost").is_null() & (pl.col("unit_price") < pl.col("unit_cost")),
        ),
        Rule(
            "salvage_above_cost",
            "salvage_value",
            "salvage_value is above unit_cost, so the best order would be endless",
            pl.col("salvage_value") > pl.col("unit_cost"),
        ),
    ),
)  # fmt: skip

STOCK = Table(
    "stock",
    (
        _SKU,
        _LOCATION,
        Column("on_hand", "units on the shelf", required=True, sign="not negative"),
        Column("on_order", "units ordered, not arrived", default=0.0, sign="not negative"),
        Column("backorders", "units owed to customers", default=0.0, sign="not negative"),
        Column(
            "arrivals",
            "list of {step, units}: what arrives at the start of period as-of + step, overdue up to 0",
            "arrivals",
        ),
    ),
    key=("sku", "location"),
)

FUTURE = Table("future", (_SKU, _LOCATION, _DATE), key=("sku", "location"), may_be_empty=True)

EVENTS = Table(
    "events",
    (_DATE, _LOCATION, Column("event", "name of the event", "text", required=True)),
    key=("date", "location"),
    may_be_empty=True,
)

RESOURCES = ("capital", "volume", "units")
SCOPES = ("location", "supplier", "category")

LIMITS = Table(
    "limits",
    (
        Column("resource", " or ".join(RESOURCES), "text", required=True),
        Column("scope", "all, or location=X, supplier=X, category=X", "text", required=True),
        Column("amount", "per order round", required=True, sign="not negative", largest=1e18),
    ),
    key=("resource", "scope"),
    more=(
        Rule(
            "resource_unknown",
            "resource",
            f"resource is none of {', '.join(RESOURCES)}",
            pl.col("resource").is_in(RESOURCES).not_(),
        ),
        Rule(
            "scope_unknown",
            "scope",
            "scope is neither all nor location=X, supplier=X or category=X",
            pl.col("scope").str.contains(f"^(all|({'|'.join(SCOPES)})=.+)$").not_(),
        ),
    ),
)

_CHANGES = ("quantity", "factor", "level")
_GIVEN = pl.sum_horizontal(pl.col(name).is_not_null() for name in _CHANGES)

OVERRIDES = Table(
    "overrides",
    (
        _SKU,
        _LOCATION,
        Column("from", "first day on which it holds", "date"),
        Column("to", "last day on which it holds", "date"),
        Column("quantity", "units to order in rounds whose as-of period holds one of the days", sign="not negative"),
        Column("factor", "what demand of the days is multiplied by", sign="not negative", largest=1e6),
        Column("level", "units demanded per period instead", sign="not negative"),
        Column("who", "the person who says so", "text"),
        Column("why", "the reason", "text"),
    ),
    key=("sku", "location"),
    may_be_empty=True,
    everywhere="all",
    needs=((("quantity",), ("factor",), ("level",)),),
    more=(
        Rule("change_missing", "quantity", "none of quantity, factor and level is given", _GIVEN == 0),
        Rule("change_twice", "quantity", "more than one of quantity, factor and level is given", _GIVEN > 1),
        Rule("to_before_from", "to", "`to` lies before `from`", pl.col("to") < pl.col("from")),
    ),
)

TABLES = {table.name: table for table in (SALES, SUPPLY, STOCK, SKUS, FUTURE, EVENTS, LIMITS, OVERRIDES)}
ORDINARY_COVARIATES = {"price": _PRICE, "promo": _PROMO}

LATER_RULES = {
    "surplus_fields": "the line has more fields than the header",
    "duplicate": "an earlier row has the same key",
    "no_sales": "no series of this key has sales up to the as-of date",
    "location_missing": "the row names no location, but the item is stocked at several",
    "after_as_of": "the sale lies after the as-of date; what is known ahead stands in `future`",
    "no_supply": "the series has no usable row in supply, so nothing can be ordered",
}


def table_of(name: str, covariates: Iterable[str] = ()) -> Table:
    """Return a table of the contract; `sales` and `future` with the configured covariates.

    Raises
    ------
    ConfigError
        If a covariate has the name of a column that means something else.
    """
    table = TABLES[name]
    if name not in ("sales", "future"):
        return table
    for covariate in covariates:
        if covariate in SALES.names():
            raise ConfigError(f"covariates: {covariate!r} is a column of the sales table with its own meaning")
    extra = tuple(
        ORDINARY_COVARIATES.get(covariate) or Column(covariate, "a covariate", largest=1e30) for covariate in covariates
    )
    return replace(table, columns=(*table.columns, *extra))


def explain(table: str, rule: str, covariates: Iterable[str] = ()) -> str:
    """Return the sentence of a rule.

    Examples
    --------
    >>> explain("sales", "units_infinite")
    'units is infinite'
    """
    if rule in LATER_RULES:
        return LATER_RULES[rule]
    of = table_of(table, covariates)
    texts = dict.fromkeys(of.names(), pl.String())
    sentences = {r.name: r.sentence for r in of.rules(texts)}
    if rule not in sentences:
        raise KeyError(f"{table} has no rule {rule!r}{nearest(rule, sentences)}")
    return sentences[rule]
