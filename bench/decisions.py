"""`fullshelf bench decisions`: what the orders would have cost, beside the textbook and other policies.

On a simulated shop `fullshelf backtest` counts the money, everywhere alike. On the scenarios, real sales that stand
beside the project, an independent replay counts it; without them that part is left out, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml

from fullshelf.bench.machine import Limits, Machine
from fullshelf.bench.replays import replay_rows, scenario_folders
from fullshelf.bench.result import OURS, Report, Row
from fullshelf.engine.backtest import backtest
from fullshelf.engine.config import load_config
from fullshelf.engine.simulate import simulate_marketplace

SERIES = {"small": 120, "full": 2_000}
PERIODS, ROUNDS = 500, 8
SEED = 29
MODELS = ("auto", "seasonal-naive")
POLICIES = ("auto", "order-up-to", "textbook")
TEXTBOOK = "textbook"
SIMULATED = (
    "Simulated shop: sales with stock-outs, packs, shelf lives and limits on capital and space, lived again over "
    f"{ROUNDS} weekly rounds by `fullshelf backtest`. It is our simulator and our judge; all contenders begin with the "
    "textbook's stock, meet the same sales and the same limits. The textbook orders mean + z·sd·√(L + R) of the newest "
    "year and cuts all orders by one share where a limit binds, as a buyer without prices does: a shop that ranks its "
    "orders would lose less than it. `± of difference` is half of what 90 % of resamples of the series span, as a "
    "share of the cost of the configured one."
)
REPLAYED = (
    "Scenarios: real sales, replayed by a judge outside the project. The built-in policies see the same inputs and "
    "choose with one window for all series; a shop that tunes the window by scenario would do better than them, as it "
    "would with our settings, which are the defaults. Seconds are those of the whole replay."
)


def measure_decisions(
    machine: Machine,
    limits: Limits,
    work: Path,
    series: int,
    shared: Path | None,
    *,
    periods: int = PERIODS,
    rounds: int = ROUNDS,
    models: Sequence[str] = MODELS,
    policies: Sequence[str] = POLICIES,
    scenarios: Sequence[str] | None = None,
    observe: str = "demand",
    say: Callable[[str], None] = print,
) -> Report:
    """Count the money of each model and policy on a simulated shop and, where `shared` holds them, on scenarios.

    Raises
    ------
    RuntimeError
        If the replay or a refresh in it fails; the message is theirs.
    """
    say(f"backtest of {series:,} simulated series")
    rows, seconds = simulated_rows(work, series, periods, rounds, models, policies)
    sentences = [SIMULATED]
    if shared is None:
        sentences.append("The scenarios were not asked for: `--size full` or `--scenario NAME` replays them.")
    elif not (folders := scenario_folders(shared, scenarios)):
        sentences.append(
            f"The scenarios were left out: none in {shared / 'scenarios'}. They are real sales that are no part of the "
            "project; `--shared` names their folder."
        )
    else:
        rows += replay_rows(shared, folders, observe, say)
        sentences.append(REPLAYED)
    figures = {"seconds of the backtest": seconds}
    return Report("decisions", machine, limits, tuple(rows), {"marketplace": SEED}, tuple(sentences), figures)


def simulated_rows(
    work: Path, series: int, periods: int, rounds: int, models: Sequence[str], policies: Sequence[str]
) -> tuple[list[Row], float]:
    """Simulate a shop under `work` and live its last rounds again; a row for each model and policy, and the seconds."""
    market = simulate_marketplace(series, periods, work / "market", seed=SEED, overwrite=True)
    plan = yaml.safe_load(market.configuration.read_text(encoding="utf-8"))
    plan |= {"output": str(work / "runs"), "forecast": {"model": models[0]}, "plan": {"policy": policies[0]}}
    plan["backtest"] = {"rounds": rounds, "every": 7, "models": list(models), "policies": list(policies)}
    configuration = market.folder / "decisions.yaml"
    configuration.write_text(yaml.safe_dump(plan), encoding="utf-8")
    summary = backtest(load_config(configuration))
    size = f"{summary['series']:,} series, {summary['rounds']} rounds"
    textbook = next((row["cost"] for row in summary["contenders"] if row["policy"] == TEXTBOOK), None)
    rows = [_row(row, size, textbook, summary["contenders"][0]["cost"]) for row in summary["contenders"]]
    return rows, summary["seconds"]["total"]


def _row(found: dict[str, Any], size: str, textbook: float | None, base: float) -> Row:
    policy = found["policy"]
    figures = {
        "cost": found["cost"],
        "of textbook": None if textbook is None else found["cost"] / textbook,
        "holding": found["holding_cost"],
        "shortage": found["shortage_cost"],
        "ordering": found["order_cost"],
        "waste": found["waste_cost"],
        "fill rate": found["fill_rate"],
        "WQL": found["wql"],
        "± of difference": (found["high"] - found["low"]) / 2 / base if base > 0 else None,
    }
    who = policy if policy == TEXTBOOK else f"{OURS} {found['model']}, {policy}"
    known = {name: float(value) for name, value in figures.items() if value is not None}
    return Row("simulated shop", who, size, 1, "backtest", None, 1, known)
