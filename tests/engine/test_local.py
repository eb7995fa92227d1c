import threading
import time

import pytest

from fullshelf.engine.errors import Interrupted
from fullshelf.engine.local import run_shards
from fullshelf.engine.stopping import Stop


def test_every_shard_has_one_outcome_and_an_error_harms_no_other() -> None:
    def work(shard: int) -> int:
        if shard == 3:
            raise ValueError("poison")
        return shard * shard

    outcomes = {o.shard: o for o in run_shards(range(20), work, 4, Stop())}
    assert sorted(outcomes) == list(range(20))
    assert str(outcomes[3].error) == "poison"
    assert all(o.result == s * s for s, o in outcomes.items() if s != 3)


def test_no_more_shards_are_in_flight_than_the_window() -> None:
    lock, now, most = threading.Lock(), 0, 0

    def work(shard: int) -> int:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.002)
        with lock:
            now -= 1
        return shard

    assert len(list(run_shards(range(50), work, 3, Stop()))) == 50
    assert most <= 3


def test_a_stop_finishes_what_is_at_work_and_begins_nothing_new() -> None:
    stop, begun, seen = Stop(), [], []

    def work(shard: int) -> int:
        begun.append(shard)
        if shard == 2:
            stop.set()
        return shard

    with pytest.raises(Interrupted):
        seen.extend(outcome.shard for outcome in run_shards(range(1000), work, 1, stop))
    assert len(begun) < 10
    assert begun[:3] == [0, 1, 2]


def test_all_that_was_begun_before_a_stop_is_yielded() -> None:
    stop, seen, begun = Stop(), [], []

    def work(shard: int) -> int:
        begun.append(shard)
        if shard == 5:
            stop.set()
        return shard

    def collect() -> None:
        for outcome in run_shards(range(1000), work, 2, stop):
            seen.append(outcome.shard)  # noqa: PERF401 - the list must keep what came before the error

    with pytest.raises(Interrupted):
        collect()
    assert sorted(seen) == sorted(begun)
