"""The sentence beside each order: why this much, in a buyer's words, with the numbers that decided."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fullshelf.engine.learned_policy import WHY

if TYPE_CHECKING:
    from fullshelf.engine.planning import OrderProblem

Array = NDArray[np.float64]


def reasons(
    problem: OrderProblem, free: Array, level: Array, service: Array, numbers: Mapping[str, Array],
    limit: pl.Series | None = None,
) -> pl.Series:  # fmt: skip
    """Return one sentence or two for each of S series.

    Parameters
    ----------
    problem
        What was decided upon.
    free
        (S,) best order without packs, minimum and stock limit, units; negative: too much is there already.
    level
        (S,) the same as a level of the inventory position, units.
    service
        (S,) share of cycles without a stock-out at that level.
    numbers
        The columns of the order plan.
    limit
        (S,) name of the limit whose price weighs most; null or None: not known.
    """
    terms, position, tuned = problem.terms, problem.position, problem.tuned
    lead = problem.periods - problem.review
    table = pl.DataFrame(
        {
            **{name: numbers[name] for name in ("order_quantity", "expected_demand", "shadow_price")},
            "level": level,
            "free": np.maximum(free, 0.0),
            "service": service * 100,
            "asked": np.nan_to_num(problem.fill) * 100,
            "promised": ~np.isnan(problem.target),
            "fixed": ~np.isnan(problem.fixed),
            "periods": problem.periods,
            "lead": lead,
            "review": problem.review,
            "on_hand": position.on_hand,
            "on_order": position.on_order,
            "owed": position.owed,
            "pack": terms.pack,
            "moq": terms.moq,
            "smallest": problem.smallest,
            "most": problem.most,
            "factor": tuned.demand,
            "weight": tuned.shortage,
            "cap": np.where(np.isfinite(tuned.cap), tuned.cap, 0.0),
            "max_stock": terms.max_stock,
            "life": terms.shelf,
            "ends": terms.ends,
            "known": problem.reported,
            "fallback": pl.Series(WHY).gather(problem.fallback),
            "lot": problem.policy == 2,
            "earns": problem.underage > 0,
            "limit": pl.Series([None] * free.size, dtype=pl.String) if limit is None else limit,
        }
    )
    there = pl.concat_str(
        pl.lit("On hand "),
        number("on_hand"),
        said(pl.col("on_order") > 0, ", on the way {}", number("on_order")),
        said(pl.col("owed") > 0, ", owed {}", number("owed")),
        said(~pl.col("known"), " (stock not reported)"),
    )
    wanted = pl.format(
        "expected demand {} in {} periods (lead time {} + review {}), best level {} for {} % of cycles without "
        "stock-out{}",
        number("expected_demand"), "periods", "lead", "review", number("level"), number("service"),
        pl.when(pl.col("asked") > 0)
        .then(pl.format(", which serves the {} % of demand that are promised", number("asked")))
        .otherwise(said(pl.col("promised"), " as promised")),
    )  # fmt: skip
    order, free_order, least = pl.col("order_quantity"), pl.col("free"), pl.col("smallest")
    whole = (order - free_order).abs() < 1
    position_now = pl.col("on_hand") + pl.col("on_order") - pl.col("owed")
    capped = (pl.col("cap") > 0) & (pl.col("most") < pl.col("max_stock") - position_now)
    moved = (pl.col("factor") != 1) | (pl.col("weight") != 1)
    because = (
        pl.when("fixed")
        .then(pl.format("as a person has set it ({} would be best)", number("free")))
        .when(order > pl.col("most") - pl.col("pack"), capped, order < free_order)
        .then(
            pl.format("as much as the tuned cap of {} review periods of demand allows", pl.col("cap").cast(pl.String))
        )
        .when(order > pl.col("most") - pl.col("pack"), pl.col("max_stock").is_finite(), order < free_order)
        .then(pl.format("as much as the stock limit of {} allows", number("max_stock")))
        .when(order >= least, order <= least, pl.col("lot"), order > free_order)
        .then(pl.lit("an economic lot, because each order has a fixed cost"))
        .when(order == least, least > pl.col("pack"), order > free_order, pl.col("promised"))
        .then(pl.format("the minimum order ({} would keep the promise)", number("free")))
        .when(order == least, least > pl.col("pack"), order > free_order)
        .then(pl.format("the minimum order, cheaper than waiting ({} would do)", number("free")))
        .when(pl.col("shadow_price") > 0, (order - free_order).abs() >= pl.col("pack"))
        .then(pl.lit("what a limit leaves room for"))
        .when(whole)
        .then(pl.lit(""))
        .otherwise(pl.format("in packs of {} ({} would be best)", number("pack"), number("free")))
    )
    ordered = pl.concat_str(
        pl.format("Order {}", number("order_quantity")),
        pl.when(because != "").then(pl.concat_str(pl.lit(", "), because)).otherwise(pl.lit("")),
        pl.lit(": "),
        wanted,
    )
    nothing = (
        pl.when("fixed")
        .then(pl.concat_str(pl.format("No order, as a person has set it ({} would be best): ", number("free")), wanted))
        .when(~pl.col("earns"))
        .then(pl.lit("No order: being short costs nothing, so no stock pays"))
        .when(pl.col("free") <= 0, pl.col("shadow_price") <= 0)
        .then(pl.concat_str(pl.lit("No order, what is there suffices: "), wanted))
        .when(pl.col("shadow_price") > 0)
        .then(pl.concat_str(pl.lit("No order, others earn more from the limited resource: "), wanted))
        .when(pl.col("most") < least)
        .then(pl.concat_str(pl.format("No order fits the stock limit of {}: ", number("max_stock")), wanted))
        .otherwise(pl.concat_str(pl.format("No order yet, {} would last too long: ", number("smallest")), wanted))
    )
    sentence = pl.concat_str(
        pl.when(order > 0).then(ordered).otherwise(nothing),
        pl.lit(". "),
        there,
        said(pl.col("life") > 0, ", shelf life {} periods", pl.col("life")),
        said(pl.col("ends") > 0, ", sold for {} more periods", pl.col("ends")),
        said(pl.col("ends") < 0, ", no longer sold"),
        said(
            pl.col("shadow_price") > 0,
            ". {} binds: each unit must earn {} more",
            pl.coalesce(pl.format("The limit on {}", "limit"), pl.lit("A limit")),
            pl.col("shadow_price").round(4).cast(pl.String),
        ),
        said(
            moved & ~pl.col("promised"),
            ". Tuned on past rounds: demand × {}, cost of a unit short × {}",
            pl.col("factor").cast(pl.String),
            pl.col("weight").cast(pl.String),
        ),
        said(pl.col("fallback") != "", ". The learned policy stands back: {}", pl.col("fallback")),
        pl.lit("."),
    )
    return table.select(reason=sentence).to_series()


def number(column: str) -> pl.Expr:
    """Write a number as a person does: whole from 100 on, else with one decimal, none if it is 0."""
    value = pl.col(column)
    rounded = pl.when(value.abs() >= 100).then(value.round(0)).otherwise(value.round(1))
    return (
        pl.when(rounded == rounded.round(0))
        .then(rounded.cast(pl.Int64, strict=False).cast(pl.String))
        .otherwise(rounded.cast(pl.String))
    )


def said(condition: pl.Expr, text: str, *values: pl.Expr) -> pl.Expr:
    """Say a piece of text where the condition holds, nothing elsewhere."""
    piece = pl.format(text, *values) if values else pl.lit(text)
    return pl.when(condition).then(piece).otherwise(pl.lit(""))
