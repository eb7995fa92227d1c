import json
import subprocess
import sys
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fullshelf.engine.calendar import Period
from fullshelf.engine.hindsight import accuracy, compare, surprises
from fullshelf.engine.panel import Panel

LEVELS = (0.05, 0.1, 0.5, 0.9, 0.95)
SCORE = Path(__file__).parents[3] / "shared" / "tools" / "score.py"


def make_panel(
    histories: list[list[float]], observed: list[list[float]] | None = None, period: Period = Period.DAY
) -> Panel:
    observed = observed or [[1.0] * len(h) for h in histories]
    return Panel(
        keys=pl.DataFrame({"sku": [f"s{i:03d}" for i in range(len(histories))], "location": "all"}),
        units=np.concatenate([np.float32(h) for h in histories]),
        observed=np.concatenate([np.float32(o) for o in observed]),
        covariates=np.zeros((sum(map(len, histories)), 0), np.float32),
        covariate_names=(),
        offsets=np.cumsum([0, *map(len, histories)]),
        period=period,
        last=period.number_of(date(2024, 6, 30)),
    )


def make_forecasts(panel: Panel, horizon: int, since: int, seed: int = 0) -> pl.DataFrame:
    """Forecasts of a run whose as-of date lies `since` periods before the panel's."""
    rng = np.random.default_rng(seed)
    rows = []
    for sku in panel.keys["sku"]:
        for step in range(1, horizon + 1):
            quantiles = np.sort(rng.integers(0, 40, len(LEVELS)) / 4)
            day = panel.period.start(panel.last - since + step)
            rows.append({"sku": sku, "location": "all", "date": day, "step": step, "mean": rng.integers(0, 40) / 4})
            rows[-1] |= {f"q{q:g}": float(v) for q, v in zip(LEVELS, quantiles, strict=True)}
    return pl.DataFrame(rows)


def slow(previous: pl.DataFrame, panel: Panel) -> dict[str, float]:
    """The measures, one pair at a time, from their definitions."""
    pairs = []
    for row in previous.iter_rows(named=True):
        for s, key in enumerate(panel.keys.iter_rows()):
            back = panel.last - panel.period.number_of(row["date"])
            position = int(panel.offsets[s + 1]) - 1 - back
            known = key == (row["sku"], row["location"]) and back >= 0 and position >= panel.offsets[s]
            if known and panel.observed[position] == 1:
                pairs.append((float(panel.units[position]), row))
    units = sum(y for y, _ in pairs)
    loss = [
        sum(max(q * (y - row[f"q{q:g}"]), (q - 1) * (y - row[f"q{q:g}"])) for y, row in pairs) for q in (0.1, 0.5, 0.9)
    ]
    return {
        "pairs": len(pairs),
        "units": units,
        "wql": 2 * sum(loss) / 3 / units,
        "wape": sum(abs(y - row["q0.5"]) for y, row in pairs) / units,
        "bias": sum(row["mean"] - y for y, row in pairs) / units,
        "covered": sum(y <= row["q0.9"] for y, row in pairs) / len(pairs),
    }


@pytest.mark.parametrize("period", list(Period))
def test_measures_are_those_of_their_definitions(period):
    histories, observed = [[1, 4, 2, 0, 7], [3, 3], [0, 0, 9, 1]], [[1, 1, 1, 1, 0.5], [1, 1], [1, 1, 0, 1]]
    panel = make_panel(histories, observed, period)
    previous = make_forecasts(panel, horizon=6, since=3)
    got, expected = accuracy(compare(previous, panel)), slow(previous, panel)
    assert got.pairs == expected["pairs"] == 6
    assert got.stocked_out == 2
    assert got.units == expected["units"]
    for name in ("wql", "wape", "bias"):
        assert getattr(got, name) == pytest.approx(expected[name], rel=1e-12)
    assert got.coverage[0.9] == pytest.approx(expected["covered"])


def test_one_pair_by_hand():
    panel = make_panel([[10.0]])
    previous = pl.DataFrame(
        {"sku": ["s000"], "location": ["all"], "date": [date(2024, 6, 30)], "step": [3], "mean": [9.0]}
        | {"q0.1": [4.0], "q0.5": [8.0], "q0.9": [12.0]}
    )
    got = accuracy(compare(previous, panel, "20240627-abc"))
    assert got.wql == pytest.approx(2 * (0.1 * 6 + 0.5 * 2 + 0.1 * 2) / 3 / 10)
    assert (got.wape, got.bias, got.coverage) == (0.2, -0.1, {0.1: 0.0, 0.5: 0.0, 0.9: 1.0})


def test_sums_are_kept_apart_by_step_and_name_the_run():
    panel = make_panel([[1, 2, 3, 4], [5, 6, 7, 8]])
    sums = compare(make_forecasts(panel, horizon=4, since=3), panel, run="monday")
    assert sums["step"].to_list() == [1, 2, 3]
    assert sums["run"].to_list() == ["monday"] * 3
    assert sums["units"].to_list() == [2 + 6, 3 + 7, 4 + 8]


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 6), st.integers(0, 6), st.integers(0, 2**32 - 1))
def test_sums_of_shards_add_up_to_those_of_the_catalogue(series, cut, seed):
    rng = np.random.default_rng(seed)
    histories = [rng.poisson(3, rng.integers(1, 9)).tolist() for _ in range(series)]
    observed = [(rng.random(len(h)) < 0.8).astype(float).tolist() for h in histories]
    panel = make_panel(histories, observed)
    previous = make_forecasts(panel, horizon=5, since=4, seed=seed)
    cut = min(cut, series)
    parts = []
    for at in (slice(0, cut), slice(cut, series)):
        keys = panel.keys[at]
        if keys.height:
            ends = panel.offsets[at.start : at.stop + 1]
            part = Panel(
                keys,
                panel.units[ends[0] : ends[-1]],
                panel.observed[ends[0] : ends[-1]],
                panel.covariates[ends[0] : ends[-1]],
                (),
                ends - ends[0],
                panel.period,
                panel.last,
            )
            parts.append(compare(previous, part))
    whole = compare(previous, panel)
    added = pl.concat(parts).group_by("run", "step").sum().sort("step").select(whole.columns)
    for name in whole.columns[1:]:
        assert added[name].to_list() == pytest.approx(whole[name].to_list(), rel=1e-12), name


def test_only_what_is_known_now_is_compared():
    panel = make_panel([[4.0, 4.0]])
    previous = make_forecasts(panel, horizon=9, since=3)
    stranger = previous.with_columns(sku=pl.lit("delisted"))
    sums = compare(pl.concat([previous, stranger]), panel)
    # step 1 lies before the series' first period, steps 4 … 9 after the as-of date; the stranger is not in the panel
    assert sums.select("step", "pairs").rows() == [(2, 1), (3, 1)]


def test_nothing_known_yet_gives_no_measure():
    panel = make_panel([[4.0, 4.0]])
    sums = compare(make_forecasts(panel, horizon=3, since=0), panel)
    assert sums.is_empty()
    got = accuracy(sums)
    assert (got.pairs, got.wql, got.wape, got.bias, got.coverage) == (0, None, None, None, {})


def test_no_sale_at_all_gives_coverage_but_no_ratio():
    panel = make_panel([[0.0, 0.0]])
    got = accuracy(compare(make_forecasts(panel, horizon=1, since=1), panel))
    assert got.pairs == 1
    assert got.wape is None
    assert got.coverage[0.95] == 1.0


def test_forecasts_without_a_median_have_no_wape():
    panel = make_panel([[4.0, 4.0]])
    got = accuracy(compare(make_forecasts(panel, horizon=1, since=1).drop("q0.5"), panel))
    assert got.wape is None
    assert got.wql is not None


def foreseen(panel: Panel, low: float, mean: float, high: float, since: int) -> pl.DataFrame:
    days = [panel.period.start(panel.last - since + step) for step in range(1, since + 1)]
    return panel.keys.join(
        pl.DataFrame({"date": days, "step": range(1, since + 1), "mean": mean, "q0.95": high, "q0.05": low}),
        how="cross",
    )


def test_a_surprise_is_what_was_sold_outside_the_range_of_quantiles():
    panel = make_panel([[4, 9, 4], [4, 0, 1], [3, 5, 4], [9, 1, 9]])
    found = surprises(foreseen(panel, 2, 4, 6, since=2), panel)
    assert found["surprise"].to_list() == [3, -3, None, 2]  # the last: three more, one less
    assert found["sold"].to_list() == [13, 1, None, 10]
    assert found["foreseen"].to_list() == [8, 8, None, 8]


def test_a_stock_out_is_no_surprise_but_more_than_the_range_is():
    panel = make_panel([[4, 0], [4, 8]], observed=[[1, 0.5], [1, 0.5]])
    assert surprises(foreseen(panel, 2, 4, 6, since=1), panel)["surprise"].to_list() == [None, 2]


def test_without_an_earlier_run_nobody_is_surprised():
    panel = make_panel([[4, 9], [1, 1]])
    for before in (None, foreseen(panel, 2, 4, 6, since=0)):
        assert surprises(before, panel).null_count().row(0) == (2, 2, 2)


@pytest.mark.shared
def test_measures_are_those_of_the_scorer(tmp_path):
    if not SCORE.exists():
        pytest.skip(f"{SCORE} is not there: the scorer lies outside the repository")
    rng = np.random.default_rng(5)
    H, histories = 4, [rng.poisson(4, 20).astype(float).tolist() for _ in range(8)]
    observed = [(rng.random(20) < 0.8).astype(float).tolist() for _ in histories]
    panel = make_panel(histories, observed)
    previous = make_forecasts(panel, horizon=H, since=H)
    as_of = panel.period.start(panel.last - H)
    days = [panel.period.start(panel.last - 19 + t) for t in range(20)]
    sales = pl.concat(
        pl.DataFrame({"sku": sku, "location": "all", "date": days, "units": h, "in_stock": o})
        for sku, h, o in zip(panel.keys["sku"], histories, observed, strict=True)
    )
    sales.write_parquet(tmp_path / "sales.parquet")
    previous.write_parquet(tmp_path / "forecast.parquet")
    command = f"{sys.executable} {SCORE} --sales {tmp_path}/sales.parquet --period day --horizon {H} --season 7"
    command += f" --as-of {as_of} --forecast {tmp_path}/forecast.parquet"
    printed = subprocess.run(command.split(), capture_output=True, text=True, check=True, timeout=60).stdout
    theirs = json.loads(printed.splitlines()[-1])
    ours = accuracy(compare(previous, panel))
    assert ours.pairs == theirs["pairs"]
    for name in ("wql", "wape", "bias"):
        assert getattr(ours, name) == pytest.approx(theirs[name], rel=1e-9)
    assert {f"{q:g}": share for q, share in ours.coverage.items()} == pytest.approx(theirs["coverage"])
