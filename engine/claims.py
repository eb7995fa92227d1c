"""What each series claims of the limits: of thousands of them it uses a dozen, one of each group at most.

Limits of one resource whose scopes exclude each other (two locations, two suppliers, two categories of one depth) form
a group; groups and their order follow from the limits alone, so all shards agree on them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fullshelf.engine.limits import Limit, claim_of

Array = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Claims:
    """Claims of S series in G groups of limits."""

    limit: NDArray[np.int32]  # (S, G) index of the limit, J where there is none
    claim: Array  # (S, G) units of the resource per unit ordered


def limit_groups(limits: Sequence[Limit]) -> list[Ints]:
    """Return the groups of limits, each the indices of limits that have no series in common."""
    return [np.array(indices, dtype=np.int64) for indices in _groups(limits).values()]


def claims_of(limits: Sequence[Limit], values: pl.DataFrame) -> Claims:
    """Return the claims of a shard's series.

    Parameters
    ----------
    values
        S rows: location, unit_cost, unit_price, volume, supplier, category.
    """
    groups, S, J = _groups(limits), values.height, len(limits)
    limit, claim = np.full((S, len(groups)), J, dtype=np.int32), np.zeros((S, len(groups)))
    each = {resource: claim_of(resource, values) for resource in {key[0] for key in groups}}
    scopes: dict[tuple[str, int], pl.Series] = {}
    for g, ((resource, field, depth, _), indices) in enumerate(groups.items()):
        if field == "all":
            limit[:, g] = indices[0]
        else:
            if (field, depth) not in scopes:
                scopes[field, depth] = _scope(values, field, depth)
            number = {limits[j].scope.partition("=")[2]: j for j in indices}
            found = scopes[field, depth].replace_strict(
                list(number), list(number.values()), default=J, return_dtype=pl.Int32
            )
            limit[:, g] = found.fill_null(J).to_numpy()
        claim[:, g] = np.where(limit[:, g] < J, each[resource], 0.0)
    limit[claim <= 0.0] = J
    return Claims(limit, claim)


def _groups(limits: Sequence[Limit]) -> dict[tuple[str, str, int, int], list[int]]:
    """Sort limits by resource, field and depth of the category; a scope that comes twice begins another group."""
    groups: dict[tuple[str, str, int, int], list[int]] = {}
    seen: dict[tuple[str, str], int] = {}
    for j, limit in enumerate(limits):
        field, _, value = limit.scope.partition("=")
        again = seen.get((limit.resource, limit.scope), 0)
        seen[limit.resource, limit.scope] = again + 1
        depth = value.count("/") + 1 if field == "category" else 0
        groups.setdefault((limit.resource, field, depth, again), []).append(j)
    return groups


def _scope(values: pl.DataFrame, field: str, depth: int) -> pl.Series:
    """Return the series' names of a field; of categories the first `depth` parts of the path, null where shorter."""
    if field != "category":
        return values[field].cast(pl.String)
    parts = pl.col("category").cast(pl.String).str.split("/")
    head = pl.when(parts.list.len() >= depth).then(parts.list.head(depth).list.join("/"))
    return values.select(head.alias("category"))["category"]
