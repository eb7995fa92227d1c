import re

import pytest

from fullshelf.engine.report.flame import WIDTH, flame, where_the_time_went


def row(phase: str, stage: str, wall: float, seconds: float, **parts: float):
    resources = {"cpu": 0.0, "helpers": 0.0, "queued": 0.0, "disk": 0.0, "waiting": 0.0} | parts
    rest = {"helper_cpu": 0.0, "read_mb": 1.0, "written_mb": 0.0, "peak_memory_mb": 300.0}
    return {"phase": phase, "stage": stage, "wall": wall, "seconds": seconds} | resources | rest


PROFILE = [
    row("split", "split", 2.0, 2.0, cpu=0.5, helpers=1.5),
    row("shards", "read", 1.0, 2.0, helpers=2.0),
    row("shards", "forecast", 5.0, 10.0, cpu=9.0, queued=1.0),
]


def widths(picture: str, css: str) -> list[float]:
    return [float(w) for w in re.findall(rf'class="{css}"[^>]* width="([0-9.]+)"', picture)]


def test_phases_are_as_wide_as_their_share_of_the_run():
    picture = flame(PROFILE, 10.0)
    split, shards, *stages = widths(picture, "narrow")
    assert split == pytest.approx(0.2 * WIDTH, abs=1.1)
    assert widths(picture, "narrow").count(split) == 2  # the phase and the only stage in it
    assert max(shards, *stages) == pytest.approx(0.6 * WIDTH, abs=1.1)


def test_what_the_threads_did_lies_below_their_stage_with_its_seconds():
    picture = flame(PROFILE, 10.0)
    assert "forecast, computing: 9.0\u202fs" in picture
    assert "forecast, no core free: 1.0\u202fs" in picture
    assert "read, computing" not in picture


def test_a_run_that_was_not_sampled_has_no_picture():
    assert where_the_time_went([], 3.0) == ""


def test_the_numbers_stand_below_the_picture():
    page = where_the_time_went(PROFILE, 10.0)
    assert "shards, forecast" in page
    assert "300\u202fMB" in page


def test_seconds_of_a_gpu_are_a_column_where_there_was_one():
    assert "GPU" not in where_the_time_went(PROFILE, 10.0)
    assert "GPU" in where_the_time_went(
        [*PROFILE[:-1], {**PROFILE[-1], "gpu": 2.0}, row("a", "b", 1, 1) | {"gpu": 0.0}], 9
    )
