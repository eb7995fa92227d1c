"""What came out, for each series and each round."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fullshelf.engine.backtest.shard_trial import GRAIN, ShardTrial

Array = NDArray[np.float64]
Objects = NDArray[np.object_]
T = TypeVar("T", bound=np.generic)


@dataclass(frozen=True, slots=True)
class Result:
    """S series, C contenders, F models, R rounds."""

    series: pl.DataFrame  # S rows: sku, location, category, price (currency per unit, null unknown), lived
    mean: Array  # (S,) units per period of the newest year
    sd: Array  # (S,)
    money: Array  # (C, S, M) MEASURES of the rounds that count
    cost: Array  # (C, S, K) currency, in each of the K rounds that count
    errors: Array  # (F, 2, S, 5) ERRORS of single periods and of protection intervals
    covered: NDArray[np.int64]  # (F, 2, S, Q) pairs at or below each level
    round_money: Objects  # (C, R, M) whole parts of GRAIN
    round_errors: Objects  # (F, R, 2, 5)
    censored: int  # periods of a series, among those lived, that were not in stock throughout

    def by_round(self) -> tuple[Array, Array]:
        """Return the sums by round as numbers."""
        return (self.round_money / GRAIN).astype(np.float64), (self.round_errors / GRAIN).astype(np.float64)


def result_of(shard: ShardTrial) -> Result:
    """Take from a shard what outlives it."""
    return Result(
        series=shard.values.select(
            "sku",
            "location",
            "category",
            price=pl.coalesce("unit_price", "unit_cost"),
            lived=pl.Series(shard.in_money),
        ),
        mean=shard.year[0],
        sd=shard.year[1],
        money=shard.money,
        cost=shard.cost,
        errors=np.stack([score.sums for score in shard.scores]),
        covered=np.stack([score.covered for score in shard.scores]),
        round_money=shard.round_money,
        round_errors=shard.round_errors,
        censored=shard.censored,
    )


def gather(parts: list[Result]) -> Result:
    """Put the results of shards together; the order of the series, and so each sum, does not depend on the shards."""
    series = pl.concat([part.series for part in parts]).with_row_index("place").sort("sku", "location")
    order = series["place"].to_numpy()

    def joined(arrays: list[NDArray[T]], axis: int) -> NDArray[T]:
        # in one memory layout: a sum over an axis follows the layout, and its last digits with it
        return np.ascontiguousarray(np.take(np.concatenate(arrays, axis=axis), order, axis=axis))

    return Result(
        series=series.drop("place"),
        mean=joined([part.mean for part in parts], 0),
        sd=joined([part.sd for part in parts], 0),
        money=joined([part.money for part in parts], 1),
        cost=joined([part.cost for part in parts], 1),
        errors=joined([part.errors for part in parts], 2),
        covered=joined([part.covered for part in parts], 2),
        round_money=sum((part.round_money for part in parts[1:]), parts[0].round_money),
        round_errors=sum((part.round_errors for part in parts[1:]), parts[0].round_errors),
        censored=sum(part.censored for part in parts),
    )
