import io
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from rich.console import Console

from fullshelf.engine.config import load_config
from fullshelf.engine.profile import Sampler, Usage, _Look, computed_on_gpu, sampled, sampling, working
from fullshelf.engine.profile_text import print_profile
from fullshelf.engine.refresh import refresh
from fullshelf.engine.simulate import simulate_marketplace

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the system's counters are those of Linux")
LEADER, WORKER, OTHER, POLARS = 1, 2, 3, 4


def look(at: float, read: int = 0, **computed: float) -> _Look:
    names = {"leader": LEADER, "worker": WORKER, "other": OTHER, "polars": POLARS}
    return _Look(at, {names[n]: s for n, s in computed.items()}, {names[n]: 0.0 for n in computed}, read, 0)


@pytest.fixture
def sampler() -> Sampler:
    made = Sampler()
    made._leader = LEADER
    return made


def test_a_stage_that_waits_while_polars_computes_is_helped(sampler: Sampler):
    before, after = look(0.0, worker=0.0, polars=0.0), look(1.0, worker=0.25, polars=0.5)
    sampler._add(before, after, {LEADER: "shards", WORKER: "read"}, set())
    ((key, usage),) = sampler._usage.items()
    assert key == ("shards", "read")
    assert (usage.seconds, usage.wall, usage.cpu, usage.helpers, usage.waiting) == (1.0, 1.0, 0.25, 0.5, 0.25)


def test_what_helpers_do_is_shared_by_how_long_the_stages_waited(sampler: Sampler):
    before = look(0.0, worker=0.0, other=0.0, polars=0.0)
    after = look(1.0, worker=1.0, other=0.0, polars=0.8)
    sampler._add(before, after, {LEADER: "shards", WORKER: "forecast", OTHER: "read"}, set())
    forecast, read = sampler._usage["shards", "forecast"], sampler._usage["shards", "read"]
    assert (forecast.cpu, forecast.helper_cpu) == (1.0, 0.0)
    assert (read.cpu, read.helper_cpu, read.waiting) == (0.0, 0.8, pytest.approx(0.2))
    assert forecast.wall == read.wall == 0.5  # side by side: each has half of the phase


def test_two_helpers_at_once_are_one_second_of_waiting_and_two_of_cores(sampler: Sampler):
    sampler._add(look(0.0, polars=0.0, other=0.0), look(1.0, polars=1.0, other=1.0), {LEADER: "split"}, set())
    usage = sampler._usage["split", "split"]
    assert (usage.helpers, usage.helper_cpu, usage.waiting) == (1.0, 2.0, 0.0)


def test_a_gpus_seconds_go_to_the_stage_of_the_thread_that_had_it_compute():
    def forecast():
        with working("forecast"):
            computed_on_gpu(0.25)
            computed_on_gpu(0.5)

    with sampling(), working("shards"), ThreadPoolExecutor(1) as pool:
        pool.submit(forecast).result()
        computed_on_gpu(1.0)  # by the thread that leads
        rows = {(row["phase"], row["stage"]): row["gpu"] for row in sampled()}
    assert rows["shards", "forecast"] == 0.75
    assert rows["shards", "shards"] == 1.0
    computed_on_gpu(1.0)  # outside a run it is nobody's


def test_a_stage_whose_helpers_find_no_core_waits_for_a_core(sampler: Sampler):
    before, after = look(0.0, polars=0.0), look(1.0, polars=0.25)
    after.queued[POLARS] = 0.5
    sampler._add(before, after, {LEADER: "allocate"}, set())
    usage = sampler._usage["allocate", "allocate"]
    assert (usage.helpers, usage.queued, usage.waiting) == (0.25, 0.5, 0.25)


def test_the_five_ways_to_spend_time_add_up_to_it(sampler: Sampler):
    before, after = look(0.0, worker=0.0, polars=0.0), look(1.0, worker=0.3, polars=0.9)
    after.queued[WORKER] = 0.2
    sampler._add(before, after, {LEADER: "shards", WORKER: "write"}, {WORKER})
    usage = sampler._usage["shards", "write"]
    spent = usage.cpu + usage.helpers + usage.queued + usage.disk + usage.waiting
    assert spent == pytest.approx(usage.seconds)
    assert usage.disk == pytest.approx(0.5)


def test_bytes_and_memory_belong_to_the_stages_at_work(sampler: Sampler):
    sampler._add(look(0.0), look(1.0, read=3_000_000), {LEADER: "split"}, set())
    usage = sampler._usage["split", "split"]
    assert usage.read_mb == 3.0
    assert usage.peak_memory_mb > 10


def test_time_in_no_stage_is_nobodys(sampler: Sampler):
    sampler._add(look(0.0, other=0.0), look(1.0, other=1.0), {}, set())
    assert sampler.rows() == []


@linux
def test_a_busy_and_a_sleeping_thread_are_told_apart():
    def spin() -> None:
        with working("spin"):
            end = time.perf_counter() + 0.5
            while time.perf_counter() < end:
                pass

    def sleep() -> None:
        with working("sleep"):
            threading.Event().wait(0.5)

    with sampling(), working("shards"), ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(spin), pool.submit(sleep)]:
            done.result()
        rows = {row["stage"]: row for row in sampled()}
    busy, idle = (rows[name]["cpu"] + rows[name]["queued"] for name in ("spin", "sleep"))
    assert busy > 0.2 * rows["spin"]["seconds"]  # the rest a virtual machine's host may have taken
    assert idle < 0.2 * rows["sleep"]["seconds"]
    assert busy > 3 * idle
    assert rows["spin"]["phase"] == "shards"
    assert sampled() == []  # outside the block


def test_stages_inside_each_other_count_for_the_inner_one():
    from fullshelf.engine import profile

    me = threading.get_native_id()
    with working("report"):
        with working("write"):
            assert profile._at_work[me] == "write"
        assert profile._at_work[me] == "report"
    assert me not in profile._at_work


def test_the_profile_is_printed_by_phase_and_stage():
    row = {"phase": "shards", "stage": "read"} | dict.fromkeys(Usage.__slots__, 0.0) | {"seconds": 2.0, "cpu": 1.0}
    page = io.StringIO()
    print_profile(Console(file=page, width=160), {"profile": [row]})
    assert "shards, read" in page.getvalue()
    assert "50\u202f%" in page.getvalue()
    print_profile(Console(file=page, width=160), {})
    assert "nothing was sampled" in page.getvalue()


@linux
def test_a_refresh_says_where_its_time_went_in_run_json_and_on_its_page(tmp_path):
    market = simulate_marketplace(60, 60, tmp_path / "market")
    summary = refresh(load_config(market.configuration))
    profile = summary["profile"]
    assert {row["phase"] for row in profile} <= {"split", "shards", "allocate", "report"}
    assert sum(row["wall"] for row in profile) <= summary["seconds"]["total"] * 1.05
    assert sum(row["wall"] for row in profile) > summary["seconds"]["total"] * 0.5
    assert all(row["peak_memory_mb"] <= summary["peak_memory_mb"] * 1.01 for row in profile)
    page = Path(summary["folder"], "report.html").read_text(encoding="utf-8")
    assert "Where the time went" in page
