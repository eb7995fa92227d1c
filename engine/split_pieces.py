"""How the splitting of large sales is cut up: pieces of the input files to read, ranges of shards to write.

Pieces come in the order of the files and of the rows in them, so whoever puts their rows together piece by piece has
them in the order in which one process would have read them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fullshelf.engine.sources import SourceFile

__all__ = ["Piece", "Span", "cut", "shard_bounds"]

PIECE_ROWS = 1 << 23  # of one task that reads
RANGE_ROWS = 1 << 25  # of one task that writes shards
MOST_RANGES = 1024  # each leaves a segment in every piece


@dataclass(frozen=True, slots=True)
class Span:
    """Neighbouring rows of one file."""

    file: int  # its number
    begin: int  # rows of the file before it
    rows: int | None  # None: up to the end of the file


Piece = tuple[Span, ...]


def cut(files: Iterable[tuple[SourceFile, int]], most: int) -> tuple[Piece, ...]:
    """Cut files (each with its rows) into pieces of at most so many rows; small files share one.

    Only Parquet can be entered in its middle: a CSV file is never cut.

    Examples
    --------
    >>> files = [(SourceFile("a", "parquet"), 25), (SourceFile("b", "parquet"), 4), (SourceFile("c", "csv"), 6)]
    >>> [[(s.file, s.begin, s.rows) for s in piece] for piece in cut(files, 10)]
    [[(0, 0, 10)], [(0, 10, 10)], [(0, 20, None), (1, 0, None)], [(2, 0, None)]]
    """
    pieces: list[list[Span]] = []
    room = 0
    for number, (file, rows) in enumerate(files):
        begins = range(0, rows, most) if file.format == "parquet" and rows > most else range(1)
        for begin in begins:
            size = min(most, rows - begin) if len(begins) > 1 else rows
            if not pieces or size > room:
                pieces.append([])
                room = most
            pieces[-1].append(Span(number, begin, None if begin == begins[-1] else size))
            room -= size
    return tuple(tuple(piece) for piece in pieces)


def shard_bounds(shards: int, rows: int, most: int) -> tuple[int, ...]:
    """Return where ranges of shards of about `most` rows begin, and at last the number of shards.

    Examples
    --------
    >>> shard_bounds(8, 250, 100), shard_bounds(2, 10**9, 100), shard_bounds(8, 0, 100)
    ((0, 2, 5, 8), (0, 1, 2), (0, 8))
    """
    ranges = max(1, min(-(-rows // most), shards, MOST_RANGES))
    return tuple(shards * r // ranges for r in range(ranges + 1))
