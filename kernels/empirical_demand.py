"""Demand as it was observed or forecast: samples, outcomes with probabilities, or quantiles; no named distribution.

It stands where `fullshelf.kernels.distributions.Demand` does: in `newsvendor.cost`, `profit`, `lot_order` and
`order_levels`, in `under_limits` and `under_budget`, in `priority_list` and `service.service_levels`. Between quantiles
and beyond them it is read as `fullshelf.kernels.quantile_grid` says; samples are what they are, and nothing lies
between them.

>>> demand = EmpiricalDemand.samples([0, 0, 3, 5])
>>> float(demand.mean), float(demand.quantile(0.5)), float(demand.loss(3))
(2.0, 0.0, 0.5)
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from fullshelf.kernels.blocks import FloatArray, floats
from fullshelf.kernels.compile import loop
from fullshelf.kernels.empirical_rows import GRID, OUTCOMES, empirical_losses, empirical_quantile, empirical_tails
from fullshelf.kernels.quantile_grid import knots, mean_of, variance_of
from fullshelf.kernels.threads import in_threads, writeable

__all__ = ["EmpiricalDemand", "checked_levels"]

CDF, SF, QUANTILE, LOSS, LEFTOVER, MEAN, VARIANCE = range(7)


@loop
def _evaluate(
    values: FloatArray, weights: FloatArray, x: FloatArray, answer: FloatArray, kind: int, levels: FloatArray, what: int
) -> None:
    for s in range(x.size):
        row, weight = values[s], weights[s]
        if what in (CDF, SF):
            below, above = empirical_tails(kind, levels, row, weight, x[s])
            answer[s] = below if what == CDF else above
        elif what == QUANTILE:
            answer[s] = empirical_quantile(kind, levels, row, weight, x[s], 1.0 - x[s], 1.0)
        elif what in (LOSS, LEFTOVER):
            short, left = empirical_losses(kind, levels, row, weight, x[s])
            answer[s] = short if what == LOSS else left
        elif row[0] != row[0]:
            answer[s] = math.nan
        elif kind == GRID:
            answer[s] = mean_of(levels, row) if what == MEAN else variance_of(levels, row)
        else:
            total = mean = square = 0.0
            for i in range(row.size):
                total += weight[i]
                mean += weight[i] * row[i]
            mean /= total
            for i in range(row.size):
                square += weight[i] * (row[i] - mean) ** 2
            answer[s] = mean if what == MEAN else square / total


@dataclass(frozen=True, slots=True)
class EmpiricalDemand:
    """Demand of one period (or one protection interval) for each SKU, by its outcomes or its quantiles.

    Make it with one of the class methods. A SKU without any number answers NaN, and no other SKU notices.

    Attributes
    ----------
    kind
        Whether `values` are outcomes or the knots of quantiles.
    levels
        (K,) probabilities of the knots; empty for outcomes.
    values
        (..., K) units, rising; NaN for a SKU without demand.
    weights
        (..., K) how often each outcome counts; (..., 0) for quantiles.
    """

    kind: int
    levels: FloatArray
    values: FloatArray
    weights: FloatArray

    @classmethod
    def samples(cls, samples: ArrayLike) -> Self:
        """Make demand of which every sample is as likely as any other.

        Parameters
        ----------
        samples
            (..., N) demands in any order, units; NaN stands for no sample, so that SKUs may have different numbers.

        Examples
        --------
        >>> EmpiricalDemand.samples([[4, 0, 2], [7, np.nan, 1]]).mean.tolist()
        [2.0, 4.0]
        """
        values = floats(samples)
        if values.ndim == 0 or values.shape[-1] == 0:
            raise ValueError(f"samples must list at least one demand along the last axis, got shape {values.shape}")
        return cls._of_outcomes(values, np.where(np.isfinite(values), 1.0, 0.0))

    @classmethod
    def outcomes(cls, values: ArrayLike, probabilities: ArrayLike) -> Self:
        """Make demand of given values and probabilities.

        Parameters
        ----------
        values, probabilities
            (..., N) demands in any order, units, and how likely each is; they broadcast. A SKU whose probabilities are
            negative or do not add up to 1 within 1e-6 has no demand: it answers NaN.

        Examples
        --------
        >>> float(EmpiricalDemand.outcomes([1, 2, 10], [0.5, 0.4, 0.1]).cdf(2))
        0.9
        """
        if np.ndim(values) == 0 or np.ndim(probabilities) == 0 or np.shape(values)[-1] != np.shape(probabilities)[-1]:
            raise ValueError(
                f"values and probabilities must list the same outcomes along their last axis, "
                f"got shapes {np.shape(values)} and {np.shape(probabilities)}"
            )
        demands, weights = np.broadcast_arrays(floats(values), floats(probabilities))
        proper = (weights >= 0.0).all(axis=-1) & np.isfinite(demands).all(axis=-1)
        proper &= np.abs(weights.sum(axis=-1) - 1.0) <= 1e-6
        return cls._of_outcomes(np.where(proper[..., None], demands, np.nan), weights)

    @classmethod
    def _of_outcomes(cls, values: FloatArray, weights: FloatArray) -> Self:
        """Sort; what is no number counts nothing and repeats the largest number of its row."""
        known = np.isfinite(values)
        order = np.argsort(np.where(known, values, np.inf), axis=-1, kind="stable")
        rows = np.take_along_axis(np.where(known, values, -np.inf), order, axis=-1)
        rows = np.maximum.accumulate(rows, axis=-1)
        counts = np.take_along_axis(np.where(known, weights, 0.0), order, axis=-1)
        return cls(OUTCOMES, np.empty(0), np.where(np.isinf(rows), np.nan, rows), counts)

    @classmethod
    def quantiles(cls, levels: ArrayLike, quantiles: ArrayLike) -> Self:
        """Make demand of quantiles at any rising levels, evenly spaced or not.

        Parameters
        ----------
        levels
            (Q,) rising probabilities inside (0, 1).
        quantiles
            (..., Q) units; what falls is raised to the highest before it. A SKU with an unknown one answers NaN.

        Raises
        ------
        ValueError
            If the levels do not rise inside (0, 1), or the quantiles do not fit them.

        Examples
        --------
        >>> demand = EmpiricalDemand.quantiles([0.1, 0.5, 0.9], [2.0, 8.0, 20.0])
        >>> float(demand.quantile(0.75)), float(demand.cdf(8.0))
        (15.5, 0.5)
        """
        at, values = checked_levels(levels, quantiles)
        corners, curves = knots(at, np.ascontiguousarray(values).reshape(-1, at.size))
        curves[~np.isfinite(values).all(axis=-1).reshape(-1)] = np.nan
        shape = values.shape[:-1]
        return cls(GRID, corners, curves.reshape(*shape, corners.size), np.empty((*shape, 0)))

    @property
    def shape(self) -> tuple[int, ...]:
        """Axes over SKUs.

        >>> EmpiricalDemand.samples([[4, 0, 2], [7, 3, 1]]).shape
        (2,)
        """
        return self.values.shape[:-1]

    def broadcast(self, shape: tuple[int, ...]) -> Self:
        """Return the same demand with one entry for each SKU of a shape.

        >>> EmpiricalDemand.samples([0, 0, 3, 5]).broadcast((2,)).mean.tolist()
        [2.0, 2.0]
        """
        values, weights = (
            writeable(np.broadcast_to(part, (*shape, part.shape[-1]))) for part in (self.values, self.weights)
        )
        return type(self)(self.kind, self.levels, values, weights)

    @property
    def discrete(self) -> bool:
        """Whether demand comes in whole units: nobody says so here.

        >>> EmpiricalDemand.samples([0, 0, 3, 5]).discrete
        False
        """
        return False

    @property
    def mean(self) -> FloatArray:
        """E[X], units.

        >>> float(EmpiricalDemand.samples([0, 0, 3, 5]).mean)
        2.0
        """
        return self._over(MEAN, 0.0, False)

    @property
    def variance(self) -> FloatArray:
        """Var[X], units squared; of samples the mean square distance from their mean.

        >>> float(EmpiricalDemand.samples([0, 0, 3, 5]).variance)
        4.5
        """
        return self._over(VARIANCE, 0.0, False)

    def cdf(self, units: ArrayLike, *, parallel: bool = False) -> FloatArray:
        """P(X <= units).

        >>> EmpiricalDemand.samples([0, 0, 3, 5]).cdf([-1, 0, 4]).tolist()
        [0.0, 0.5, 0.75]
        """
        return self._over(CDF, units, parallel)

    def sf(self, units: ArrayLike, *, parallel: bool = False) -> FloatArray:
        """P(X > units).

        >>> float(EmpiricalDemand.samples([0, 0, 3, 5]).sf(4))
        0.25
        """
        return self._over(SF, units, parallel)

    def quantile(self, probability: ArrayLike, *, parallel: bool = False) -> FloatArray:
        """Smallest x with P(X <= x) >= probability; NaN outside [0, 1], of quantiles with a tail inf at 1.

        >>> EmpiricalDemand.samples([0, 0, 3, 5]).quantile([0.0, 0.5, 0.75, 1.0]).tolist()
        [0.0, 0.0, 3.0, 5.0]
        """
        return self._over(QUANTILE, probability, parallel)

    def loss(self, units: ArrayLike, *, parallel: bool = False) -> FloatArray:
        """E[(X - units)+]: the expected shortage of a stock, units.

        >>> EmpiricalDemand.samples([0, 0, 3, 5]).loss([0, 4]).tolist()
        [2.0, 0.25]
        """
        return self._over(LOSS, units, parallel)

    def leftover(self, units: ArrayLike, *, parallel: bool = False) -> FloatArray:
        """E[(units - X)+]: what is expected to be left of a stock, units.

        >>> EmpiricalDemand.samples([0, 0, 3, 5]).leftover([0, 4]).tolist()
        [0.0, 2.25]
        """
        return self._over(LEFTOVER, units, parallel)

    def over_rows(
        self,
        run: Callable[..., None],
        arguments: Sequence[ArrayLike],
        results: int,
        *fixed: object,
        parallel: bool = False,
    ) -> list[FloatArray]:
        """Apply `run(values, weights, *arguments, *results, kind, levels, *fixed)` to SKUs as rows.

        Raises
        ------
        ValueError
            If the arguments do not broadcast against the SKUs.

        Examples
        --------
        >>> def largest(values, weights, factor, out, kind, levels):
        ...     out[:] = factor * values[:, -1]
        >>> EmpiricalDemand.samples([[4, 0], [1, 3]]).over_rows(largest, [[1.0, 10.0]], 1)[0].tolist()
        [4.0, 30.0]
        """
        given = [floats(argument) for argument in arguments]
        try:
            shape = np.broadcast_shapes(self.shape, *(value.shape for value in given))
        except ValueError:
            found = ", ".join(str(value.shape) for value in given)
            raise ValueError(
                f"demand of {self.shape} and arguments of {found} do not broadcast: give scalars or one entry a SKU"
            ) from None
        size = math.prod(shape)
        table, weights = (
            writeable(np.broadcast_to(part, (*shape, part.shape[-1])).reshape(size, part.shape[-1]))
            for part in (self.values, self.weights)
        )
        rows = [writeable(np.broadcast_to(value, shape).reshape(-1)) for value in given]
        answers = [np.empty(size) for _ in range(results)]
        in_threads(run, (table, weights, *rows, *answers), self.kind, self.levels, *fixed, parallel=parallel)
        return [answer.reshape(shape)[()] for answer in answers]

    def _over(self, what: int, x: ArrayLike, parallel: bool) -> FloatArray:
        (answer,) = self.over_rows(_evaluate, [x], 1, what, parallel=parallel)
        return answer


def checked_levels(levels: ArrayLike, quantiles: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return levels (Q,) and quantiles (..., Q) as arrays.

    Raises
    ------
    ValueError
        If the levels do not rise inside (0, 1), or the quantiles do not fit them.

    Examples
    --------
    >>> [array.tolist() for array in checked_levels([0.1, 0.9], [2, 8])]
    [[0.1, 0.9], [2.0, 8.0]]
    """
    at, values = floats(levels), floats(quantiles)
    if at.ndim != 1 or at.size == 0 or not (at > 0.0).all() or not (at < 1.0).all() or not (np.diff(at) > 0.0).all():
        raise ValueError(f"levels must rise strictly inside (0, 1), got {at.tolist()}")
    if values.ndim == 0 or values.shape[-1] != at.size:
        raise ValueError(f"quantiles must end in an axis of {at.size} levels, got shape {values.shape}")
    return at, values
