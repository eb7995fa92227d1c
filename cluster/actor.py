"""What every actor of a run is: it opens one job from a file, and works on numbered pieces of it, several in one call.

At import nothing here loads Polars, numba or torch: the actor first sets how many threads they may use.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pickle import PicklingError
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from fullshelf.cluster.threads import set_threads
from fullshelf.engine.local import Outcome
from fullshelf.engine.process_name import process_name

if TYPE_CHECKING:
    from fullshelf.engine.pickled import JobFile

__all__ = ["Actor", "Answer"]

J = TypeVar("J")


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of the numbers of one call."""

    outcomes: tuple[Outcome[Any], ...]  # in the order of the numbers
    seconds: float  # that the actor was at it


class Actor(ABC, Generic[J]):
    """Works on one job.

    Parameters
    ----------
    cores
        That Ray granted.
    """

    def __init__(self, cores: float) -> None:
        self._threads = set_threads(cores)
        self._job: J | None = None

    def open(self, file: JobFile) -> str:
        """Open the job; return the name of this process.

        Raises
        ------
        RunError
            If this machine cannot give the numbers that the driver expects.
        """
        self._job = self._read(file)
        return process_name()

    def each(self, method: str, numbers: Sequence[int]) -> Answer:
        """Call a method with one number after another; an error is the outcome of its number alone."""
        begun = time.perf_counter()
        outcomes = tuple(self._outcome(method, number) for number in numbers)
        return Answer(outcomes, time.perf_counter() - begun)

    def _outcome(self, method: str, number: int) -> Outcome[Any]:
        try:
            return Outcome(number, getattr(self, method)(number), None)
        except Exception as e:  # whatever it is: the driver decides what becomes of this number, and the others go on
            return Outcome(number, None, _portable(e))

    @abstractmethod
    def _read(self, file: JobFile) -> J:
        """Return the job that lies in a file."""

    @property
    def _opened(self) -> J:
        if self._job is None:
            raise RuntimeError("open a job first")
        return self._job


def _portable(error: Exception) -> Exception:
    """Return the error, or one with its words where it would not arrive in another process."""
    from ray import cloudpickle

    try:
        cloudpickle.loads(cloudpickle.dumps(error))
    except (PicklingError, TypeError, AttributeError):
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
