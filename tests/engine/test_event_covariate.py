from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from fullshelf.engine.calendar import Period
from fullshelf.engine.event_covariate import CODES, code_of, with_events
from fullshelf.engine.panel import KnownAhead, Panel

LAST = date(2024, 12, 22)
FEAST = code_of("feast")


def panel_of(period: Period = Period.DAY, **covariate: list[float]) -> Panel:
    values = np.array([*covariate.values()], np.float32).reshape(len(covariate), 8).T
    return Panel(
        pl.DataFrame({"sku": ["a", "b", "b"], "location": ["x", "x", "y"]}),
        np.ones(8, np.float32),
        np.ones(8, np.float32),
        np.ascontiguousarray(values),
        tuple(covariate),
        np.array([0, 3, 4, 8]),
        period,
        period.number_of(LAST),
    )


def events(*rows: tuple[date, str | None]) -> pl.DataFrame:
    return pl.DataFrame(
        {"date": [day for day, _ in rows], "location": [place for _, place in rows], "event": "feast"},
        schema={"date": pl.Date, "location": pl.String, "event": pl.String},
    )


def test_an_event_marks_its_day_past_and_ahead() -> None:
    panel, ahead = with_events(
        panel_of(), None, events((date(2024, 12, 21), None), (date(2024, 12, 24), None), (date(2024, 12, 21), None)), 3
    )
    assert panel.covariate_names == ("event", "routine")
    assert panel.covariates[:, 0].tolist() == [FEAST * k for k in (0, 1, 0, 0, 0, 0, 1, 0)]
    assert (panel.covariates[:, 1] == 0).all()
    assert ahead is not None
    assert ahead.values[:, :, 0].tolist() == [[0, FEAST, 0]] * 3


def test_an_event_of_a_location_is_no_one_elses() -> None:
    panel, ahead = with_events(
        panel_of(), None, events((date(2024, 12, 20), "y"), (date(2024, 12, 23), "x"), (date(2024, 12, 22), "z")), 1
    )
    assert panel.covariates[:, 0].tolist() == [0, 0, 0, 0, 0, FEAST, 0, 0]
    assert ahead is not None
    assert ahead.values[:, 0, 0].tolist() == [FEAST, FEAST, 0]


@pytest.mark.parametrize(("period", "mark"), [(Period.WEEK, [1, 0]), (Period.MONTH, [1, 1])])
def test_a_longer_period_is_marked_by_any_of_its_days(period: Period, mark: list[int]) -> None:
    found = events((date(2024, 12, 17), None), (date(2025, 1, 31), None))
    panel, ahead = with_events(panel_of(period), None, found, 1)
    assert ahead is not None
    assert [panel.covariates[2, 0], ahead.values[0, 0, 0]] == [FEAST * k for k in mark]


def test_other_covariates_stay_and_a_column_of_that_name_wins() -> None:
    given = KnownAhead(np.full((3, 2, 1), 0.5, np.float32), ("promo",))
    panel, ahead = with_events(panel_of(promo=[0.25] * 8), given, events((date(2024, 12, 23), None)), 2)
    assert panel.covariate_names == ("promo", "event", "routine")
    assert ahead is not None
    assert ahead.names == ("promo", "event", "routine")
    assert ahead.values[0].tolist() == [[0.5, FEAST, 0.0], [0.5, 0.0, 0.0]]
    for name in ("event", "routine"):
        own = panel_of(**{name: [1.0] * 8})
        assert with_events(own, given, events((LAST, None)), 2) == (own, given)


def test_events_are_told_apart_by_their_names_and_the_lowest_code_counts() -> None:
    names = ["Christmas", "Easter", "fair"]
    days = [date(2024, 12, 21), date(2024, 12, 22), date(2024, 12, 22)]
    table = pl.DataFrame(
        {"date": days, "location": [None] * 3, "event": names}, schema_overrides={"location": pl.String}
    )
    codes = [code_of(name) for name in names]
    assert len(set(codes)) == 3
    assert all(1 <= code <= CODES for code in codes)
    for rows in (table, table.reverse()):
        panel, _ = with_events(panel_of(), None, rows, 1)
        assert panel.covariates[4:, 0].tolist() == [0, 0, codes[0], min(codes[1:])]


def test_a_routine_is_no_event() -> None:
    payday = [(date(2023, 1, 1) + timedelta(days), None) for days in range(0, 724, 12)]
    assert payday[-1][0] > date(2024, 12, 15)
    routine = events(*payday).with_columns(event=pl.lit("payday"))
    panel, _ = with_events(panel_of(), None, pl.concat([routine, events((date(2024, 12, 20), None))]), 1)
    assert panel.covariates[:, 0].tolist() == [FEAST * k for k in (1, 0, 0, 0, 0, 1, 0, 0)]
    assert set(panel.covariates[:, 1].tolist()) == {0.0, code_of("payday")}
