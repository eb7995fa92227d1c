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

from fullshelf.bench import faults as campaign
from fullshelf.bench.fault_plan import (
    ANY_TIME,
    FULL_DISK,
    IN_A_ROUND,
    KINDS,
    OF_STORE,
    ROUNDS,
    STORE_KINDS,
    STORE_ROUNDS,
    faults_of,
    moments_of,
    store_faults_of,
    struck_text,
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
    for number, faults in enumerate(faults_of(5, ROUNDS["full"], disk=True) + store_faults_of(5, "full")):
        moments = moments_of(faults, random.Random(number))
        assert moments == moments_of(faults, random.Random(number))
        early = [kind for kind, moment in zip(faults, moments, strict=True) if moment is not None]
        assert early
        assert set(early) <= ANY_TIME
        assert early[0] == next(kind for kind in faults if kind in ANY_TIME)


def test_without_the_right_to_mount_no_disk_is_filled() -> None:
    assert all(set(faults) <= set(KINDS) for faults in faults_of(5, 3, disk=False))


def test_a_round_in_a_store_has_every_way_in_which_a_store_fails() -> None:
    for size, kinds in STORE_KINDS.items():
        assert set(OF_STORE) <= set(kinds)
        assert [sorted(faults) for faults in store_faults_of(5, size)] == [sorted(kinds)] * STORE_ROUNDS[size]
    assert store_faults_of(5, "full") != store_faults_of(6, "full")


def test_the_store_fails_when_told_to_and_keeps_what_it_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with faulty_store(tmp_path, "campaign") as store:
        for name, value in store.environment.items():
            monkeypatch.setenv(name, value)
        storage._client.cache_clear()
        file = Remote("s3://campaign/a", tmp_path)
        file.send(b"kept")
        assert store.refused() == 0
        store.answer(403)
        with pytest.raises((RunError, ConfigError), match="s3://campaign/a: cannot be read"):
            file.read_bytes()
        assert store.refused() > 0
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


def test_faults_that_found_nothing_to_strike_are_counted_and_named() -> None:
    planned = Counter({"kill an actor": 2, "freeze an actor": 1})
    assert struck_text(planned, planned) == "3 of 3 planned faults struck."
    said = struck_text(planned, Counter({"kill an actor": 1}))
    assert said == "1 of 3 planned faults struck; these found nothing to strike: freeze an actor 1, kill an actor 1."


class Run:
    """A run whose one call ends soon: a process that sleeps."""

    def __init__(self, output: Path, seconds: float, done: bool) -> None:
        self.output, self.runs, self.configuration = output, "nowhere", output
        self._seconds, self._done = seconds, done

    def start(self, address: str | None) -> subprocess.Popen[str]:
        words = [sys.executable, "-S", "-c", f"import time; time.sleep({self._seconds})"]
        return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def records(self) -> set[str]:
        return {"a shard"} if self._done else set()

    def open_shards(self) -> list[Path]:
        return []


class Peaceful:
    """A cluster, and a store that nobody asks for anything."""

    address = None

    def answer(self, status: int) -> None:
        pass

    heal = freeze = thaw = lambda self: None

    def refused(self) -> int:
        return 0


def under_fire(run: Run, faults: list[str]) -> tuple[list[str], list[str]]:
    peaceful = Peaceful()
    felt, left = campaign._under_fire(run, peaceful, peaceful, faults, (0.1, 0.1), random.Random(1), lambda line: None)
    return [hit.kind for hit in felt], left


def test_a_fault_planned_for_after_the_end_of_a_run_is_left_over(tmp_path: Path) -> None:
    assert under_fire(Run(tmp_path, 1.0, done=False), ["damage a cached shard"]) == ([], ["damage a cached shard"])
    assert under_fire(Run(tmp_path, 1.5, done=True), ["kill an actor"]) == ([], ["kill an actor"])  # there is none


def test_a_store_that_turned_nobody_away_has_not_struck_nor_has_one_that_the_run_did_not_outlast(
    tmp_path: Path,
) -> None:
    assert under_fire(Run(tmp_path, 2.0, done=True), ["let the store fail"]) == ([], ["let the store fail"])
    assert under_fire(Run(tmp_path, 4.0, done=True), ["freeze the store"]) == (["freeze the store"], [])


def test_a_driver_that_has_just_ended_cannot_be_killed() -> None:
    ended = subprocess.Popen([sys.executable, "-S", "-c", ""], text=True)
    ended.wait()
    assert not campaign._strike("kill the driver", None, None, ended, random.Random(1))
    alive = Run(Path(), 60.0, done=False).start(None)
    assert campaign._strike("kill the driver", None, None, alive, random.Random(1))
    alive.communicate()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_short_campaign_ends_with_the_peaceful_runs_bytes(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "fullshelf.engine", "bench", "faults", "--size", "small", "--work", str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=os.environ | {"COLUMNS": "200"})
    assert done.returncode == 0, done.stderr[-3000:]
    assert "rounds with the same bytes: 2" in done.stdout
    assert "9 of 9 planned faults struck." in done.stdout or "found nothing to strike: " in done.stdout
