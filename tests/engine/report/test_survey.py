import math
from itertools import pairwise

import polars as pl
import pytest

from fullshelf.engine.report import survey as module
from fullshelf.engine.report.survey import EDGES, EXCEPTION_COLUMNS, FILL, exceptions, survey


def rows_of(facts):
    values = {(r["sku"], r["location"]): r for r in facts.values.collect().iter_rows(named=True)}
    return [row | values[row["sku"], row["location"]] for row in facts.orders.collect().iter_rows(named=True)]


def test_totals_are_those_of_adding_row_by_row(facts):
    found, rows = survey(facts.orders, facts.values, 12, 8), rows_of(facts)
    assert found.rows == len(rows)
    assert found.placed == sum(r["order_quantity"] > 0 for r in rows)
    assert found.limited == sum(r["shadow_price"] > 0 for r in rows)
    expected = {
        "order_quantity": sum(r["order_quantity"] for r in rows),
        "order_value": sum(r["order_quantity"] * r["unit_cost"] for r in rows),
        "shortage_value": sum(r["expected_shortage"] * r["unit_price"] for r in rows),
        "leftover_value": sum(r["expected_leftover"] * r["unit_cost"] for r in rows),
        "stock_value": sum(r["on_hand"] * r["unit_cost"] for r in rows),
        "on_order_value": sum(r["on_order"] * r["unit_cost"] for r in rows),
        "expected_cost": sum(r["expected_cost"] for r in rows),
    }
    for name, value in expected.items():
        assert found.sums[name] == pytest.approx(value), name
    served = sum(r["expected_demand"] * r["fill_rate"] for r in rows)
    assert found.fill_rate == pytest.approx(served / sum(r["expected_demand"] for r in rows))


def test_exceptions_are_those_of_their_definitions(facts):
    found = survey(facts.orders, facts.values, 0, 5)
    late, short, excess, overdue, surprise = {}, {}, {}, {}, {}
    for r in rows_of(facts):
        key, position = (r["sku"], r["location"]), r["on_hand"] + r["on_order"] - r["backorders"]
        rate = r["expected_demand"] / (r["lead_time"] + r["review_period"])
        if rate * r["lead_time"] > position:
            late[key] = (rate * r["lead_time"] - position) * r["unit_price"]
        elif r["fill_rate"] < FILL and r["expected_shortage"] > 0:
            short[key] = r["expected_shortage"] * r["unit_price"]
        if r["order_quantity"] == 0 and position > r["order_up_to"]:
            excess[key] = (position - r["order_up_to"]) * r["unit_cost"]
        if r["overdue"] > 0:
            relied = max(r["expected_demand"] - position + r["overdue"], 0)
            overdue[key] = min(r["overdue"], relied) * r["unit_price"]
        if r["surprise"] is not None:
            surprise[key] = abs(r["surprise"]) * r["unit_price" if r["surprise"] > 0 else "unit_cost"]
    kinds = {"late": late, "short": short, "excess": excess, "overdue": overdue, "surprise": surprise}
    for name, expected in kinds.items():
        assert expected, f"the made-up run should have series that are {name}"
        assert found.counts[name] == len(expected)
        assert found.stakes[name] == pytest.approx(sum(expected.values()))
        worst = sorted(expected, key=lambda key: -expected[key])[:5]
        assert found.worst[name].select("sku", "location").rows() == worst


def test_the_table_of_exceptions_holds_all_of_them_most_money_first(facts):
    found, table = survey(facts.orders, facts.values, 0, 3), exceptions(facts.orders, facts.values)
    assert table.columns == list(EXCEPTION_COLUMNS)
    assert table["money"].is_sorted(descending=True)
    for kind, count in found.counts.items():
        of_kind = table.filter(pl.col("kind") == kind)
        assert of_kind.height == count
        assert of_kind["money"].sum() == pytest.approx(found.stakes[kind])
        assert of_kind.select("sku", "location").rows()[:3] == found.worst[kind].select("sku", "location").rows()
    unpriced = exceptions(facts.orders, None)
    assert unpriced["money"].null_count() == unpriced.height
    assert exceptions(facts.orders.head(0), facts.values).is_empty()


def test_histograms_count_every_series_once(facts):
    found, rows = survey(facts.orders, facts.values, 0, 0), rows_of(facts)
    assert found.histograms["order_value"].sum() == found.placed
    for name in ("fill_rate", "critical_ratio"):
        edges = EDGES[name]
        expected = [sum(a <= r[name] < b for r in rows) for a, b in pairwise(edges)]
        assert found.histograms[name][1:-1].tolist() == expected
        assert found.histograms[name].sum() == len(rows)


@pytest.mark.parametrize("batch", [1, 7, 100])
def test_the_size_of_the_batches_changes_nothing(facts, monkeypatch, batch):
    whole = survey(facts.orders, facts.values, 9, 4)
    monkeypatch.setattr(module, "BATCH", batch)
    parts = survey(facts.orders, facts.values, 9, 4)
    assert parts.sums == pytest.approx(whole.sums, rel=1e-12)
    assert parts.counts == whole.counts
    assert parts.examples.equals(whole.examples)
    for name, rows in whole.worst.items():
        assert parts.worst[name].equals(rows)
    for name, counts in whole.histograms.items():
        assert parts.histograms[name].tolist() == counts.tolist()
    for by, groups in whole.groups.items():
        assert parts.groups[by]["name"].to_list() == groups["name"].to_list()


def test_the_order_of_the_rows_does_not_choose_the_examples(facts):
    chosen = survey(facts.orders, facts.values, 20, 4).examples
    shuffled = facts.orders.collect().sample(fraction=1, shuffle=True, seed=3).lazy()
    assert survey(shuffled, facts.values, 20, 4).examples.equals(chosen)


@pytest.mark.parametrize("n", [0, 1, 12, 100])
def test_examples_are_different_series_of_different_kinds(facts, n):
    chosen = survey(facts.orders, facts.values, n, 0).examples
    assert chosen.height == n
    if n:
        assert chosen.select("sku", "location").n_unique() == n
        assert chosen["why"].n_unique() >= min(n, 6)


def test_a_small_catalogue_gives_as_many_examples_as_it_has(facts_of):
    facts = facts_of(3)
    assert survey(facts.orders, facts.values, 12, 8).examples.height == 3


def test_without_costs_everything_is_counted_in_units(facts):
    found = survey(facts.orders, None, 5, 3)
    assert not found.priced
    assert found.sums["order_value"] == found.sums["order_quantity"] > 0
    assert found.counts["late"] == found.counts["excess"] == 0  # nobody knows the stock
    assert found.counts["short"] > 0


def test_unknown_costs_and_stock_of_some_series_do_not_spoil_the_sums(facts):
    first = pl.int_range(pl.len()) < 10
    columns = ["unit_cost", "unit_price", "shortage_cost", "on_hand"]
    holes = facts.values.with_columns(pl.when(first).then(None).otherwise(pl.col(columns)).name.keep())
    found = survey(facts.orders, holes, 5, 3)
    assert all(math.isfinite(x) for x in found.sums.values())
    assert 0 < found.sums["order_value"] < survey(facts.orders, facts.values, 5, 3).sums["order_value"]


def test_many_groups_are_shown_as_the_largest_and_the_rest(facts):
    values = facts.values.with_columns(category=pl.format("c{}", pl.int_range(pl.len()) % 30))
    groups = survey(facts.orders, values, 0, 0).groups["category"]
    assert groups.height == module.GROUPS + 1
    assert groups["name"].to_list()[-1] is None
    assert groups["series"].sum() == 240
    assert groups["order_value"].head(-1).is_sorted(descending=True)
