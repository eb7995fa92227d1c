"""The parts of the scaling benchmark that need no cluster; the rest runs in the suite."""

from fullshelf.bench.scaling import ACTORS, SIMULATED, _Run, _scheduler


def test_the_scheduler_alone_gives_out_every_shard_of_the_size_that_is_asked_for():
    said: list[str] = []
    row = _scheduler(2 * ACTORS, said.append)
    assert row.work == 2 * ACTORS
    assert row.size == "2,000 shards, 1,000 simulated actors"
    assert row.rate > 0
    assert len(row.timing.seconds) > 1
    assert said
    assert SIMULATED["small"] < SIMULATED["full"]


def test_start_up_ends_when_each_worker_has_done_two_shards():
    run = _Run({}, (1.0, 2.0, 3.0, 5.0, 6.0, 9.0), 12.0)
    assert run.start_up() == 5.0
    assert run.after_start_up() == 4.0
    assert run.whole() == 12.0
