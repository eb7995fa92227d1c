"""Random shapes that the processes of the prior share: ranges, walks, spells of time. Arrays are (b, T), float32."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float32]  # (b,) one number a series
Grid = NDArray[np.float32]  # (b, T) one number a series and period

SPELLS = 48  # spells of one kind in a window, at most; later ones do not happen


def between(rng: np.random.Generator, low: float, high: float, b: int) -> Rows:
    """Draw b numbers evenly from low…high."""
    return (low + (high - low) * rng.random(b, dtype=np.float32)).astype(np.float32)


def decades(rng: np.random.Generator, low: float, high: float, b: int) -> Rows:
    """Draw b numbers whose logarithm is even between those of low and high."""
    return np.exp(between(rng, float(np.log(low)), float(np.log(high)), b))


def normal(rng: np.random.Generator, *shape: int) -> NDArray[np.float32]:
    """Draw standard normal numbers."""
    return rng.standard_normal(shape, dtype=np.float32)


def chance(rng: np.random.Generator, share: float, b: int) -> NDArray[np.intp]:
    """Pick each of b rows with that probability; return their numbers."""
    return np.flatnonzero(rng.random(b) < share)


def autoregression(rng: np.random.Generator, keep: Rows, sd: Rows, T: int) -> Grid:
    """Draw stationary first-order autoregressions with that coefficient and standard deviation, one a row."""
    b = keep.size
    shocks = normal(rng, T, b)
    shocks[1:] *= np.sqrt(1 - keep * keep)
    for t in range(1, T):
        shocks[t] += keep * shocks[t - 1]
    shocks *= sd
    return np.ascontiguousarray(shocks.T)


def random_walk(rng: np.random.Generator, sd: Rows, T: int) -> Grid:
    """Draw random walks with normal steps of that standard deviation, 0 in the middle of the window."""
    walk = np.cumsum(normal(rng, sd.size, T), axis=1, dtype=np.float32)
    walk -= walk[:, T // 2, None]
    walk *= sd[:, None]
    return np.clip(walk, -4, 4, out=walk)


@dataclass(frozen=True, slots=True)
class Spells:
    """Stretches of periods, of several rows, in no order: row, first period, one past the last period."""

    row: NDArray[np.intp]  # (E,)
    start: NDArray[np.intp]  # (E,) 0…T
    end: NDArray[np.intp]  # (E,) 0…T

    @property
    def count(self) -> int:
        """Number of spells E."""
        return int(self.row.size)

    def paint(self, b: int, T: int, value: Rows | float = 1.0) -> Grid:
        """Return (b, T): the sum of the values of the spells that hold a period."""
        weight = np.broadcast_to(np.asarray(value, dtype=np.float64), self.row.shape)
        at = np.concatenate([self.row * (T + 1) + self.start, self.row * (T + 1) + self.end])
        change = np.bincount(at, np.concatenate([weight, -weight]), b * (T + 1)).reshape(b, T + 1)
        painted = np.cumsum(change[:, :T], axis=1)
        painted[np.abs(painted) < 1e-6] = 0  # sums of opposite numbers leave crumbs
        return painted.astype(np.float32)

    def after(self, length: NDArray[np.intp], T: int) -> Spells:
        """Return the stretches of that length that follow."""
        return Spells(self.row, self.end, np.minimum(self.end + length, T))


def spells(rng: np.random.Generator, gap: Rows, length: Rows, T: int, regular: Rows | float = 0.0) -> Spells:
    """Draw stretches of about `length` periods, each about `gap` periods after the last.

    Gaps are exponential; with `regular` towards 1 they are all alike.
    """
    b = gap.size
    shortest = max(float((gap + length).min(initial=T)), 1.0)
    count = int(min(SPELLS, np.ceil(2 * T / shortest) + 2))
    even = np.broadcast_to(np.asarray(regular, dtype=np.float32), (b,))[:, None]
    gaps = gap[:, None] * (even + (1 - even) * rng.standard_exponential((b, count), dtype=np.float32))
    lengths = np.maximum(np.rint(length[:, None] * (0.5 + rng.random((b, count), dtype=np.float32))), 1)
    gaps = np.maximum(np.rint(gaps), 1)
    first = -np.rint(rng.random(b, dtype=np.float32) * (gap + length))
    ends = first[:, None] + np.cumsum(gaps + lengths, axis=1)
    starts = ends - lengths
    inside = (ends > 0) & (starts < T)
    row, column = np.nonzero(inside)
    return Spells(
        row,
        np.clip(starts[row, column], 0, T).astype(np.intp),
        np.clip(ends[row, column], 0, T).astype(np.intp),
    )
