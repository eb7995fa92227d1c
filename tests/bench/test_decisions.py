from pathlib import Path

import pytest

from fullshelf.bench import decisions as bench
from fullshelf.bench.machine import Limits, this_machine
from fullshelf.bench.replays import replay_rows, scenario_folders

NOTHING = Limits(1.0, 0.0, 0.0)
JUDGE = """
import json, sys
policy = sys.argv[sys.argv.index("--policy") + 1] if "--policy" in sys.argv else "ours"
cost = {"ours": 60.0, "textbook": 100.0}.get(policy, 120.0)
print(json.dumps({"series": 7, "total_cost": cost, "holding": 1.0, "shortage": cost - 1, "ordering": 0.0, "waste": 0.0,
                  "fill_rate": 0.9, "violations": {"below_moq": 2} if policy == "ours" else {}}))
"""


def measured(tmp_path: Path, shared: Path | None):
    quick = {"periods": 120, "rounds": 2, "models": ("seasonal-naive",), "say": lambda line: None}
    return bench.measure_decisions(this_machine(), NOTHING, tmp_path / "work", 20, shared, **quick)


def shared_with_a_judge(folder: Path) -> Path:
    (folder / "tools").mkdir(parents=True)
    (folder / "tools" / "replay.py").write_text(JUDGE)
    (folder / "scenarios" / "corner_shop").mkdir(parents=True)
    (folder / "scenarios" / "corner_shop" / "scenario.yaml").write_text("name: corner_shop\n")
    return folder


def test_each_policy_is_counted_on_the_simulated_shop_beside_the_textbook(tmp_path: Path):
    report = measured(tmp_path, None)
    assert [row.who for row in report.rows] == [
        "fullshelf seasonal-naive, auto",
        "fullshelf seasonal-naive, order-up-to",
        "textbook",
    ]
    textbook = report.rows[-1]
    for row in report.rows:
        parts = sum(row.figures[part] for part in ("holding", "shortage", "ordering", "waste"))
        assert row.figures["cost"] == pytest.approx(parts)
        assert row.figures["of textbook"] == pytest.approx(row.figures["cost"] / textbook.figures["cost"])
        assert 0 < row.figures["fill rate"] <= 1
    assert "were not asked for" in report.sentences[-1]
    assert report.figures["seconds of the backtest"] > 0


def test_without_scenarios_their_part_is_left_out_with_the_reason(tmp_path: Path):
    assert scenario_folders(tmp_path, None) == []
    report = measured(tmp_path, tmp_path)
    assert {row.task for row in report.rows} == {"simulated shop"}
    assert f"none in {tmp_path / 'scenarios'}" in report.sentences[-1]


def test_the_judge_counts_ours_and_every_policy_on_a_scenario(tmp_path: Path):
    shared = shared_with_a_judge(tmp_path)
    rows = list(replay_rows(shared, scenario_folders(shared, ["corner_shop"]), "demand", lambda line: None))
    ours, *policies = rows
    assert ours.figures["of textbook"] == pytest.approx(0.6)
    assert ours.note == "rules broken: below_moq 2"
    assert {row.who for row in policies} >= {"textbook", "moving-average"}
    assert all(row.note == "no rule broken" for row in policies)
    assert scenario_folders(shared, ["another"]) == []


def test_a_judge_that_fails_is_an_error_with_its_message(tmp_path: Path):
    shared = shared_with_a_judge(tmp_path)
    (shared / "tools" / "replay.py").write_text("raise SystemExit('no such scenario')")
    with pytest.raises(RuntimeError, match="corner_shop: no such scenario"):
        list(replay_rows(shared, scenario_folders(shared, None), "demand", lambda line: None))
