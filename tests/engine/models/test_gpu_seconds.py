"""Seconds of a GPU, by events of a CUDA that is not there."""

import pytest
import torch

from fullshelf.engine.models.gpu_seconds import counted
from fullshelf.engine.profile import sampled, sampling, working


class Event:
    moments = iter((100.0, 350.0))  # ms

    def __init__(self, enable_timing: bool) -> None:
        assert enable_timing
        self.reached = False

    def record(self) -> None:
        self.at = next(self.moments)

    def synchronize(self) -> None:
        self.reached = True

    def elapsed_time(self, other: "Event") -> float:
        assert other.reached, "a GPU goes on behind the thread's back"
        return other.at - self.at


def test_what_the_gpu_computed_in_the_block_is_told_and_a_cpu_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "Event", Event)
    with sampling(), working("forecast"):
        with counted(torch.device("cuda")):
            pass
        with counted(torch.device("cpu")):
            pass
        assert [row["gpu"] for row in sampled() if row["stage"] == "forecast"] == [0.25]
