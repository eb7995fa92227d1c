"""Every metric that the dashboard or an alert names exists, and every one that exists is shown."""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml

from fullshelf.cluster.metrics import KINDS, NAMES
from fullshelf.cluster.scheduler import Scheduler

CONFIGS = Path(__file__).parents[2] / "configs"
OF_RAY = {"ray_node_gpus_utilization"}


def expressions() -> list[str]:
    panels = json.loads((CONFIGS / "grafana.json").read_text())["panels"]
    shown = [target["expr"] for panel in panels for target in panel["targets"]]
    groups = yaml.safe_load((CONFIGS / "alerts.yaml").read_text())["groups"]
    return shown + [rule["expr"] for group in groups for rule in group["rules"]]


def test_what_is_shown_exists_and_what_exists_is_shown() -> None:
    named = {name for text in expressions() for name in re.findall(r"\bray_\w+", text)} - OF_RAY
    plain = {re.sub(r"_(total|bucket|sum|count)$", "", name.removeprefix("ray_")) for name in named}
    assert plain == set(NAMES)


def test_the_kinds_of_faults_are_those_that_the_scheduler_counts() -> None:
    scheduler = Scheduler([0, 1])
    scheduler.joined(0, 0.0)
    scheduler.answered(0, {0: "ValueError"}, 1.0, 1.0)
    scheduler.lost(0, 2.0)
    assert {kind for kind, count in scheduler.counts.items() if count} <= set(KINDS)
    assert {kind for text in expressions() for kind in re.findall(r'kind="(\w+)"', text)} <= set(KINDS)
