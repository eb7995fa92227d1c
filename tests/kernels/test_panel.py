"""Cells of a panel against a slow reference with exact fractions, and their independence of the order of rows."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fullshelf.kernels.panel import NEVER, fill, first_periods

Row = tuple[int, int, float, float, float, float]  # series, period, units, in stock, price, promo
S, LAST = 3, 12
NAN = float("nan")


def cells(rows: list[Row], parts: int = 1, last: int = LAST) -> dict[str, NDArray[Any]]:
    """Lay rows out as `parts` parts, each sorted by series, and run the kernels."""
    placed = [(p, row) for p in range(parts) for row in sorted(rows[p::parts], key=lambda r: r[0])]
    begin, end = np.zeros((parts, S), np.int64), np.zeros((parts, S), np.int64)
    for p in range(parts):
        for s in range(S):
            begin[p, s] = sum(1 for q, r in placed if (q, r[0]) < (p, s))
            end[p, s] = begin[p, s] + sum(1 for q, r in placed if (q, r[0]) == (p, s))
    columns = np.array([row[1:] for _, row in placed], np.float32).reshape(-1, 5)
    periods = np.array([row[1] for _, row in placed], np.int32)
    first = first_periods(periods, begin, end, last)
    lives = first != NEVER
    offsets = np.concatenate([[0], np.cumsum(last - first[lives].astype(np.int64) + 1)])
    n = int(offsets[-1])
    units, observed, values = np.empty(n, np.float32), np.empty(n, np.float32), np.empty((n, 2), np.float32)
    fill(
        periods,
        np.ascontiguousarray(columns[:, 1]),
        np.ascontiguousarray(columns[:, 2]),
        np.ascontiguousarray(columns[:, 3:].T),
        np.ascontiguousarray(begin[:, lives]),
        np.ascontiguousarray(end[:, lives]),
        first[lives],
        offsets,
        0,
        np.array([np.nan, 0.0], np.float32),
        units,
        observed,
        values,
    )
    return {"first": first, "units": units, "observed": observed, "price": values[:, 0], "promo": values[:, 1]}


def average(pairs: list[tuple[float, float]]) -> float:
    """The exact mean of values with weights, as float32."""
    weight = sum(Fraction(w) for _, w in pairs)
    return float(np.float32(float(sum(Fraction(v) * Fraction(w) for v, w in pairs) / weight)))


def reference(rows: list[Row], last: int = LAST) -> dict[str, list[float]]:
    rows = [(s, t, *(float(np.float32(x)) for x in rest)) for s, t, *rest in rows if t <= last]  # type: ignore[misc]
    out: dict[str, list[float]] = {"first": [], "units": [], "observed": [], "price": [], "promo": []}
    for s in range(S):
        mine = [row for row in rows if row[0] == s]
        out["first"].append(min((row[1] for row in mine), default=int(NEVER)))
        price = NAN
        for t in range(out["first"][-1], last + 1) if mine else ():
            here = [row for row in mine if row[1] == t]
            sold = [row[2] for row in here if row[2] > 0]
            out["units"].append(float(np.float32(float(sum(map(Fraction, sold))))))
            stock = [(row[3], 1.0) for row in here if not math.isnan(row[3])]
            out["observed"].append(average(stock) if stock else 1.0)
            weighted = [(row[4], row[2]) for row in here if not math.isnan(row[4]) and row[2] > 0]
            plain = [(row[4], 1.0) for row in here if not math.isnan(row[4])]
            price = average(weighted or plain) if plain else price
            out["price"].append(price)
            promo = [(row[5], 1.0) for row in here if not math.isnan(row[5])]
            out["promo"].append(average(promo) if promo else NAN if here else 0.0)
    return out


def number(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, width=32)


rows = st.lists(
    st.tuples(
        st.integers(0, S - 1),
        st.integers(0, LAST + 2),
        number(-5, 1000) | st.just(0.0),
        number(0, 1) | st.just(NAN),
        number(0, 2000) | st.just(NAN),
        number(0, 1) | st.just(NAN),
    ),
    max_size=25,
)


@settings(max_examples=100, deadline=None)
@given(rows)
def test_cells_are_what_the_exact_reference_says(rows: list[Row]) -> None:
    got, expected = cells(rows), reference(rows)
    for name, column in expected.items():
        np.testing.assert_array_equal(got[name], np.array(column, got[name].dtype), err_msg=name)


@settings(max_examples=60, deadline=None)
@given(rows, st.randoms(use_true_random=False), st.integers(1, 4))
def test_neither_the_order_of_rows_nor_their_parts_change_a_bit(rows: list[Row], random: Any, parts: int) -> None:
    whole = cells(rows)
    shuffled = random.sample(rows, len(rows))
    for name, column in cells(shuffled, parts).items():
        np.testing.assert_array_equal(column, whole[name], err_msg=name)


def test_returns_are_no_demand_but_the_series_exists_from_them_on() -> None:
    got = cells([(0, 9, -3.0, NAN, 2.0, 1.0), (0, 11, 4.0, NAN, NAN, NAN)])
    assert got["units"].tolist() == [0, 0, 4, 0]
    assert got["price"].tolist() == [2, 2, 2, 2]


def test_a_period_without_a_row_sold_nothing_in_stock_at_the_last_price_without_promotion() -> None:
    got = cells([(0, 10, 1.0, 0.5, 3.0, 1.0)])
    assert got["units"].tolist() == [1, 0, 0]
    assert got["observed"].tolist() == [0.5, 1, 1]
    assert got["price"].tolist() == [3, 3, 3]
    assert got["promo"].tolist() == [1, 0, 0]


def test_the_price_of_a_period_is_weighted_with_units() -> None:
    rows = [(0, 12, 3.0, NAN, 1.0, NAN), (0, 12, 1.0, NAN, 5.0, NAN), (0, 12, 0.0, NAN, 99.0, NAN)]
    assert cells(rows)["price"] == pytest.approx([2.0])
