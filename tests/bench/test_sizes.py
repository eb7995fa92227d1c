from pathlib import Path

import pytest

from fullshelf.bench.machine import Limits, this_machine
from fullshelf.bench.sizes import Shape, measure_sizes, steps_of


def test_a_larger_shape_has_more_parameters_and_both_saw_the_same_windows(tmp_path: Path) -> None:
    shapes = (Shape(16, 1, 2), Shape(32, 2, 2))
    report = measure_sizes(
        this_machine(()), Limits(1e9, 0.0, 0.0), tmp_path, 200, None, shapes=shapes, say=lambda _: None
    )
    small, large, shipped = report.rows
    assert small.figures["parameters"] < large.figures["parameters"] < shipped.figures["parameters"]
    assert small.work == large.work >= 200
    assert all(row.figures["series per second"] > 0 for row in report.rows)
    trained, untrained = shipped.figures["held back"], small.figures["held back"]
    assert 0 < trained < untrained
    assert "left out" in report.sentences[-1]


def test_a_shape_has_the_same_weights_each_time() -> None:
    one, again = (dict(Shape(16, 1, 2).model().named_parameters()) for _ in range(2))
    assert all(bool((weight == again[name]).all()) for name, weight in one.items())


@pytest.mark.parametrize("windows", [1, 1_000])
def test_steps_show_at_least_so_many_windows(windows: int) -> None:
    assert steps_of(windows) >= 1
    assert steps_of(windows) <= steps_of(windows + 500)
