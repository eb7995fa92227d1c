"""The benchmark of limits in its smallest size: what it measures is what it says."""

from fullshelf.bench.limits import measure_limits
from fullshelf.bench.machine import Limits, this_machine


def test_a_small_catalogue_is_shared_out_and_its_gap_told():
    said = []
    report = measure_limits(
        this_machine(), Limits(1.0, 0.0, 0.0), (600,), fields={"location": 4, "category": 2}, say=said.append
    )
    warm, row = report.rows
    assert warm.task == "warm-up"  # it compiles, apart
    assert row.work == 600
    assert row.figures["limits"] == 3 * 7
    assert 0 < row.figures["binding"] < 21
    assert row.figures["worst use"] <= 1 + 1e-9
    assert 0 <= row.figures["gap"] < 0.05
    assert row.figures["questions"] > 10
    assert row.figures["peak GiB"] > 0.05
    assert row.figures["CPU s"] > 0
    assert said
    assert report.sentences
