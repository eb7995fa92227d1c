"""Some series of a shard, drawn by the hash of their key: the same ones however the catalogue is split."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from fullshelf.engine.panel import Panel
from fullshelf.engine.series_numbers import key_hashes
from fullshelf.engine.shard_input import ShardInput

SALT = np.uint64(0x9E3779B97F4A7C15)  # shards are a remainder of the same hash, and shares its highest bits


def drawn(given: ShardInput, share: float) -> ShardInput:
    """Return a share of the series; overrides are left out."""
    panel = given.panel
    mixed = key_hashes(panel.keys["sku"], panel.keys["location"]) * SALT
    chosen = np.flatnonzero(mixed < np.uint64(min(share * 2.0**64, 2.0**64 - 2**12)))
    return replace(
        given,
        panel=_some(panel, chosen),
        supply=given.supply[chosen],
        stock=given.stock[chosen],
        skus=given.skus[chosen],
        overrides=None,
    )


def _some(panel: Panel, chosen: NDArray[np.int64]) -> Panel:
    lengths = np.diff(panel.offsets)
    inside = np.zeros(panel.series, np.bool_)
    inside[chosen] = True
    return panel.part(chosen, np.repeat(inside, lengths), lengths[chosen])
