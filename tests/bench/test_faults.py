"""The fault campaign: what it plans, and, slowly, a short one against a real cluster."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from fullshelf.bench.faults import FULL_DISK, IN_A_ROUND, KINDS, ROUNDS, faults_of


def test_the_same_seed_plans_the_same_faults_and_every_kind_is_among_them() -> None:
    rounds = faults_of(5, ROUNDS["full"], disk=True)
    assert rounds == faults_of(5, ROUNDS["full"], disk=True)
    assert rounds != faults_of(6, ROUNDS["full"], disk=True)
    count = Counter(kind for faults in rounds for kind in faults)
    assert set(count) == {*KINDS, FULL_DISK}
    assert count.total() == ROUNDS["full"] * IN_A_ROUND >= 50
    assert max(count.values()) - min(count.values()) <= 1


def test_a_small_campaign_has_every_kind_too() -> None:
    assert set(faults_of(5, ROUNDS["small"], disk=True)[0]) == {*KINDS, FULL_DISK}


def test_without_the_right_to_mount_no_disk_is_filled() -> None:
    assert all(set(faults) <= set(KINDS) for faults in faults_of(5, 3, disk=False))


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_short_campaign_ends_with_the_peaceful_runs_bytes(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "fullshelf.engine", "bench", "faults", "--size", "small", "--work", str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=os.environ | {"COLUMNS": "200"})
    assert done.returncode == 0, done.stderr[-3000:]
    assert "rounds with the same bytes: 1" in done.stdout
