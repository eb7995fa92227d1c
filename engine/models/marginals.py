"""What models have in common that read units alone and answer single periods at a few levels.

A series goes to the smallest context that holds it, because such models normalise over the padding too. Batches have
one shape, and their last row is a series of one period: the libraries take another way through attention where no row
is padded, and a series' bytes must not depend on that. Beyond the model's own horizon it goes on from its own path.
There are no running totals, so lead-time demand takes the way of models without them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from fullshelf.engine.models.pretrained import Answer
from fullshelf.engine.models.sample_levels import golden_path
from fullshelf.engine.panel import Panel

CONTEXTS = (64, 256, 512, 1024, 2048)  # periods, rounded up to whole patches
ROWS = 64  # of a batch, the padded one included

Histories = list[NDArray[np.float32]]
Block = Callable[[Histories, int], NDArray[np.float64]]  # histories and their context to quantiles (n, h, Q)


def marginal_answers(
    panel: Panel,
    horizon: int,
    wanted: NDArray[np.int64],
    levels: NDArray[np.float64],
    patch: int,
    longest: int,
    block: Block,
) -> Iterator[Answer]:
    """Yield rows of the panel with their quantiles (n, H, Q), and None for the totals.

    Parameters
    ----------
    levels
        (Q,) those of the model.
    patch, longest
        Periods of a patch, and of the longest history that the model reads.
    block
        One pass of the model over `ROWS` histories.
    """
    sizes = sorted({min(-(-c // patch) * patch, longest) for c in CONTEXTS})
    lengths = np.diff(panel.offsets)[wanted]
    place = np.minimum(np.searchsorted(sizes, lengths), len(sizes) - 1)
    for number, C in enumerate(sizes):
        of_size = wanted[place == number]
        for first in range(0, of_size.size, ROWS - 1):
            rows = of_size[first : first + ROWS - 1]
            histories = [panel.units[panel.offsets[s] : panel.offsets[s + 1]][-C:] for s in rows]
            yield rows, _continued(histories, C, horizon, levels, block).astype(np.float32), None


def _continued(histories: Histories, C: int, H: int, levels: NDArray[np.float64], block: Block) -> NDArray[np.float64]:
    parts: list[NDArray[np.float64]] = []
    while sum(part.shape[1] for part in parts) < H:
        n = len(histories)
        found = block([*histories, *[np.zeros(1, np.float32)] * (ROWS - n)], C)[:n]
        parts.append(np.maximum.accumulate(np.maximum(np.nan_to_num(found), 0.0), axis=2))
        paths = golden_path(levels, parts[-1]).astype(np.float32)
        histories = [np.concatenate([h, path])[-C:] for h, path in zip(histories, paths, strict=True)]
    return np.concatenate(parts, axis=1)[:, :H]
