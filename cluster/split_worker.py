"""What runs inside an actor that splits sales: steps of one exchange, opened from a file; only their numbers go back.

At import nothing here loads Polars or numba: the actor first sets how many threads they may use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fullshelf.cluster.actor import Actor

if TYPE_CHECKING:
    from fullshelf.engine.exchange import Exchange
    from fullshelf.engine.pickled import JobFile

__all__ = ["SplitWorker"]


class SplitWorker(Actor["Exchange"]):
    """Works on the steps of one exchange."""

    def piece(self, number: int) -> int:
        """Read a piece of the sales; return its number."""
        from fullshelf.engine.exchange import split_piece

        split_piece(self._opened, number, _go_on)
        return number

    def range(self, number: int) -> int:
        """Write a range of shards; return its number."""
        from fullshelf.engine.exchange import join_range

        join_range(self._opened, number, self._threads, _go_on)
        return number

    def _read(self, file: JobFile) -> Exchange:
        from fullshelf.engine.pickled import read_job

        exchange: Exchange = read_job(file)["exchange"]
        return exchange


def _go_on() -> None:
    """Never stop: the driver ends the process where it must."""
