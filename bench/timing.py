"""How long a call takes: the first call apart (it compiles and warms up), then the median and the spread of the rest.

It does not know what is measured, and it does not stop other work on the machine: contenders are called in turns, so
that a noisy minute hits all of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of one contender.

    Examples
    --------
    >>> timing = Timing(first=3.0, seconds=(1.0, 1.2, 0.8))
    >>> timing.median, round(timing.spread, 2)
    (1.0, 0.2)
    """

    first: float  # seconds of the first call: compilation, caches, threads that start
    seconds: tuple[float, ...]  # of the calls after it; the first call itself where nothing was repeated

    def __post_init__(self) -> None:
        if not self.seconds:
            raise ValueError("a timing needs at least one call")

    @property
    def median(self) -> float:
        """Median seconds of a warm call."""
        return float(np.median(self.seconds))

    @property
    def spread(self) -> float:
        """Interquartile range of the warm calls, as a share of the median."""
        low, high = np.quantile(self.seconds, (0.25, 0.75))
        return float((high - low) / self.median) if self.median > 0 else 0.0


def once(seconds: float) -> Timing:
    """Return the timing of something that was run a single time, e.g. a stage of a whole refresh."""
    return Timing(first=seconds, seconds=(seconds,))


def measure(
    contenders: Mapping[str, Callable[[], object]], *, repeats: int = 7, budget: float = 20.0
) -> dict[str, Timing]:
    """Call every contender once for the warm-up, then all of them in turns.

    Parameters
    ----------
    contenders
        Functions without arguments by name; what they return is thrown away.
    repeats
        Warm calls of each.
    budget
        Seconds after which a contender is not called again; it always has one warm call.
    """
    first = {name: _seconds(call) for name, call in contenders.items()}
    warm: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(repeats):
        for name, call in contenders.items():
            if not warm[name] or sum(warm[name]) < budget:
                warm[name].append(_seconds(call))
    return {name: Timing(first[name], tuple(warm[name])) for name in contenders}


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
