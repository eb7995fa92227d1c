"""What runs inside an actor that splits sales: steps of one exchange, opened from a file; only their numbers go back.

At import nothing here loads Polars or numba: the actor first sets how many threads they may use.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from fullshelf.cluster.threads import set_threads

if TYPE_CHECKING:
    from fullshelf.engine.exchange import Exchange
    from fullshelf.engine.pickled import JobFile

__all__ = ["SplitWorker"]


class SplitWorker:
    """Works on the steps of one exchange.

    Parameters
    ----------
    cores
        That Ray granted.
    """

    def __init__(self, cores: float) -> None:
        self._threads = set_threads(cores)
        self._exchange: Exchange | None = None

    def open(self, file: JobFile) -> str:
        """Open the exchange; return where this process is.

        Raises
        ------
        RunError
            If this machine cannot give the bytes that the driver expects.
        """
        from fullshelf.engine.pickled import read_job

        self._exchange = read_job(file)["exchange"]
        return f"{socket.gethostname()}:{os.getpid()}"

    def piece(self, number: int) -> int:
        """Read a piece of the sales; return its number."""
        from fullshelf.engine.exchange import split_piece

        split_piece(self._opened(), number, _go_on)
        return number

    def range(self, number: int) -> int:
        """Write a range of shards; return its number."""
        from fullshelf.engine.exchange import join_range

        join_range(self._opened(), number, self._threads, _go_on)
        return number

    def _opened(self) -> Exchange:
        if self._exchange is None:
            raise RuntimeError("open an exchange first")
        return self._exchange


def _go_on() -> None:
    """Never stop: the driver ends the process where it must."""
