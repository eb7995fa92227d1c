"""The fault campaign: what it plans, and, slowly, a short one against a real cluster."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from fullshelf.bench.faults import (
    ANY_TIME,
    FULL_DISK,
    IN_A_ROUND,
    KINDS,
    ROUNDS,
    STORE_KINDS,
    faults_of,
    moments_of,
    store_faults_of,
)
from fullshelf.bench.faulty_store import faulty_store
from fullshelf.engine import storage
from fullshelf.engine.errors import ConfigError, RunError
from fullshelf.engine.storage import Remote


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


def test_in_each_round_a_fault_strikes_before_a_shard_is_done_and_only_kinds_that_need_none_do() -> None:
    for number, faults in enumerate(faults_of(5, ROUNDS["full"], disk=True) + store_faults_of(5, 3)):
        moments = moments_of(faults, random.Random(number))
        assert moments == moments_of(faults, random.Random(number))
        early = [kind for kind, moment in zip(faults, moments, strict=True) if moment is not None]
        assert early
        assert set(early) <= ANY_TIME
        assert early[0] == next(kind for kind in faults if kind in ANY_TIME)


def test_without_the_right_to_mount_no_disk_is_filled() -> None:
    assert all(set(faults) <= set(KINDS) for faults in faults_of(5, 3, disk=False))


def test_a_round_in_a_store_has_every_way_in_which_a_store_fails() -> None:
    for faults in store_faults_of(5, 3):
        assert sorted(faults) == sorted(STORE_KINDS)
    assert store_faults_of(5, 3) != store_faults_of(6, 3)


def test_the_store_fails_when_told_to_and_keeps_what_it_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with faulty_store(tmp_path, "campaign") as store:
        for name, value in store.environment.items():
            monkeypatch.setenv(name, value)
        storage._client.cache_clear()
        file = Remote("s3://campaign/a", tmp_path)
        file.send(b"kept")
        store.answer(403)
        with pytest.raises((RunError, ConfigError), match="s3://campaign/a: cannot be read"):
            file.read_bytes()
        store.answer(503)
        begun = time.monotonic()
        heal = threading.Timer(0.5, store.heal)
        heal.start()
        assert file.read_bytes() == b"kept"  # the library asks again
        assert time.monotonic() - begun > 0.4
        store.freeze()
        thaw = threading.Timer(0.5, store.thaw)
        thaw.start()
        assert file.read_bytes() == b"kept"
        heal.join()
        thaw.join()
    storage._client.cache_clear()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_short_campaign_ends_with_the_peaceful_runs_bytes(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "fullshelf.engine", "bench", "faults", "--size", "small", "--work", str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=os.environ | {"COLUMNS": "200"})
    assert done.returncode == 0, done.stderr[-3000:]
    assert "rounds with the same bytes: 2" in done.stdout
