from datetime import date, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fullshelf.engine.calendar import Period

days = st.dates(date(1900, 1, 1), date(2200, 1, 1))


@pytest.mark.parametrize("period", list(Period))
@given(day=days)
@settings(max_examples=50, deadline=None)
def test_the_start_of_a_period_is_the_newest_start_not_after_the_day(period: Period, day: date) -> None:
    start = period.start(period.number_of(day))
    following = period.start(period.number_of(day) + 1)
    assert start <= day < following


@given(day=days)
@settings(max_examples=50, deadline=None)
def test_weeks_start_on_monday_and_months_on_the_first(day: date) -> None:
    assert Period.WEEK.start(Period.WEEK.number_of(day)).weekday() == 0
    assert Period.MONTH.start(Period.MONTH.number_of(day)) == day.replace(day=1)


@pytest.mark.parametrize("period", list(Period))
def test_the_expression_counts_as_the_function_does(period: Period) -> None:
    dates = [date(1899, 12, 28) + timedelta(days=13 * i) for i in range(9000)]
    numbers = pl.DataFrame({"date": dates}).select(period.number("date"))["date"]
    assert numbers.dtype == pl.Int32
    assert numbers.to_list() == [period.number_of(day) for day in dates]
