"""What a GPU computed for a model, told to the profile of the run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from fullshelf.engine.profile import computed_on_gpu


@contextmanager
def counted(device: torch.device) -> Iterator[None]:
    """Tell the profile what the device's GPU computed inside the block, which ends when it has; of a CPU nothing."""
    if device.type != "cuda":
        yield
        return
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    begin.record()
    yield
    end.record()
    end.synchronize()
    computed_on_gpu(begin.elapsed_time(end) / 1000)
