"""Panel: all series of a shard in one ragged array."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fullshelf.engine.calendar import Period

PRODUCT = ("title", "description", "category")  # columns that tell what a product is


@dataclass(frozen=True, slots=True)
class Panel:
    """S series, N observations; series s owns positions offsets[s] … offsets[s + 1] - 1, oldest first.

    Every series runs without a gap from its first period to the as-of period: a period without a row is a sale of zero.
    """

    keys: pl.DataFrame  # S rows: sku, location; sorted by both, unique
    units: NDArray[np.float32]  # (N,) units per period, returns left out, never negative or NaN
    observed: NDArray[np.float32]  # (N,) share of the period in stock, 0…1; below 1 the sale is a lower bound of demand
    covariates: NDArray[np.float32]  # (N, K) NaN = unknown
    covariate_names: tuple[str, ...]  # K names, e.g. ("price", "promo")
    offsets: NDArray[np.int64]  # (S + 1,)
    period: Period
    last: int  # number of the as-of period (Period.number_of)
    products: pl.DataFrame | None = None  # S rows of PRODUCT, null where nothing is known; None: no such table

    def __post_init__(self) -> None:
        S, N = self.keys.height, self.units.size
        shapes: dict[str, tuple[NDArray[Any], type, tuple[int, ...]]] = {
            "units": (self.units, np.float32, (N,)),
            "observed": (self.observed, np.float32, (N,)),
            "covariates": (self.covariates, np.float32, (N, len(self.covariate_names))),
            "offsets": (self.offsets, np.int64, (S + 1,)),
        }
        for name, (array, dtype, shape) in shapes.items():
            if array.dtype != dtype or array.shape != shape:
                raise ValueError(f"Panel.{name}: expected {np.dtype(dtype)} {shape}, got {array.dtype} {array.shape}")
        if self.products is not None and self.products.shape != (S, len(PRODUCT)):
            raise ValueError(f"Panel.products: expected ({S}, {len(PRODUCT)}), got {self.products.shape}")
        if S and (self.offsets[0] != 0 or self.offsets[-1] != N):
            raise ValueError(f"Panel.offsets must run from 0 to {N}, runs from {self.offsets[0]} to {self.offsets[-1]}")

    @property
    def series(self) -> int:
        """Number of series S."""
        return self.keys.height

    def part(
        self, rows: NDArray[np.int64], cells: NDArray[Any], lengths: NDArray[np.int64], last: int | None = None
    ) -> Panel:
        """Return some series, or all cut short; `last` is their newest period, default the panel's own.

        Parameters
        ----------
        rows
            (n,) numbers of the series.
        cells
            Their observations that stay, series by series: positions in `units`, or (N,) true where one stays.
        lengths
            (n,) how many of each series stay.
        """
        return replace(
            self,
            keys=self.keys[rows],
            units=self.units[cells],
            observed=self.observed[cells],
            covariates=self.covariates[cells],
            offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            last=self.last if last is None else last,
            products=None if self.products is None else self.products[rows],
        )

    def covariate(self, name: str) -> NDArray[np.float32] | None:
        """Return the (N,) values of one covariate, or None where the sales table has no such column."""
        if name not in self.covariate_names:
            return None
        return self.covariates[:, self.covariate_names.index(name)]


@dataclass(frozen=True, slots=True)
class KnownAhead:
    """Covariates known ahead for the periods as-of + 1 … as-of + H, in the order of the panel's series."""

    values: NDArray[np.float32]  # (S, H, K) NaN = unknown
    names: tuple[str, ...]  # K names, a subset of the panel's

    def __post_init__(self) -> None:
        if self.values.dtype != np.float32 or self.values.ndim != 3 or self.values.shape[2] != len(self.names):
            raise ValueError(f"KnownAhead: expected float32 (S, H, {len(self.names)}), got {self.values.shape}")

    def covariate(self, name: str) -> NDArray[np.float32] | None:
        """Return the (S, H) values of one covariate, or None where it is not known ahead."""
        return self.values[:, :, self.names.index(name)] if name in self.names else None
