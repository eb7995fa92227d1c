"""Demand by its distribution: probabilities, quantiles and loss functions for arrays of SKUs.

>>> demand = Demand.poisson([2.0, 20.0])
>>> demand.quantile(0.9).tolist()
[4.0, 26.0]
>>> demand.loss([4.0, 26.0]).round(4).tolist()
[0.0751, 0.2186]
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from fullshelf.kernels import families
from fullshelf.kernels.blocks import FloatArray, floats, over_blocks
from fullshelf.kernels.compile import loop

__all__ = ["Demand"]

CDF, SF, DENSITY, QUANTILE, UPPER_QUANTILE, LOSS, LEFTOVER, SECOND_LOSS, SECOND_LEFTOVER, MEAN, VARIANCE = range(11)


@loop
def _evaluate(family: int, what: int, a: FloatArray, b: FloatArray, x: FloatArray, answer: FloatArray) -> None:
    for i in range(x.size):
        if what == CDF:
            answer[i] = families.tails(family, a[i], b[i], x[i])[0]
        elif what == SF:
            answer[i] = families.tails(family, a[i], b[i], x[i])[1]
        elif what == DENSITY:
            answer[i] = families.density(family, a[i], b[i], x[i])
        elif what == QUANTILE:
            answer[i] = families.quantile(family, a[i], b[i], x[i], 1.0 - x[i])
        elif what == UPPER_QUANTILE:
            answer[i] = families.quantile(family, a[i], b[i], 1.0 - x[i], x[i])
        elif what == LOSS:
            answer[i] = families.losses(family, a[i], b[i], x[i])[0]
        elif what == LEFTOVER:
            answer[i] = families.losses(family, a[i], b[i], x[i])[1]
        elif what == SECOND_LOSS:
            answer[i] = families.second_losses(family, a[i], b[i], x[i])[0]
        elif what == SECOND_LEFTOVER:
            answer[i] = families.second_losses(family, a[i], b[i], x[i])[1]
        elif families.spread(family, a[i], b[i]) == families.INVALID:
            answer[i] = np.nan
        elif what == MEAN:
            answer[i] = families.mean_of(family, a[i], b[i])
        else:
            answer[i] = families.variance_of(family, a[i], b[i])


@dataclass(frozen=True, slots=True)
class Demand:
    """Demand of one period (or one protection interval) for each SKU, all from one family of distributions.

    Make it with one of the class methods. Parameters are scalars or arrays over SKUs and broadcast, also against the
    arguments of the methods below. A SKU whose parameters no distribution has (negative or NaN) answers NaN, and no
    other SKU notices. Zero spread means a certain demand.

    Attributes
    ----------
    family
        Code of the family, see `fullshelf.kernels.families`.
    a, b
        Its two parameters.
    """

    family: int
    a: FloatArray
    b: FloatArray

    @classmethod
    def normal(cls, mean: ArrayLike, sd: ArrayLike) -> Self:
        """Make normal demand; below zero it stands for returns, nothing is cut off.

        >>> float(Demand.normal(50, 8).quantile(0.95).round(3))
        63.159
        """
        return cls(families.NORMAL, floats(mean), floats(sd))

    @classmethod
    def poisson(cls, mean: ArrayLike) -> Self:
        """Make Poisson demand with the given mean.

        >>> float(Demand.poisson(2.0).quantile(0.95))
        5.0
        """
        return cls(families.POISSON, floats(mean), np.asarray(0.0))

    @classmethod
    def negative_binomial(cls, mean: ArrayLike, variance: ArrayLike) -> Self:
        """Make negative binomial demand: variance = mean is the Poisson limit, a variance below the mean answers NaN.

        >>> Demand.negative_binomial(5.0, 15.0).cdf([0, 5]).round(6).tolist()
        [0.06415, 0.633977]
        """
        return cls(families.NEGATIVE_BINOMIAL, floats(mean), floats(variance))

    @classmethod
    def gamma(cls, mean: ArrayLike, sd: ArrayLike) -> Self:
        """Make gamma demand; sd = mean is the exponential distribution. From shape and scale: `gamma_shape`.

        >>> float(Demand.gamma(50, 25).quantile(0.9).round(3))
        83.51
        """
        return cls(families.GAMMA, floats(mean), floats(sd))

    @classmethod
    def gamma_shape(cls, shape: ArrayLike, scale: ArrayLike) -> Self:
        """Make gamma demand with mean shape x scale and standard deviation sqrt(shape) x scale.

        >>> float(Demand.gamma_shape(4, 12.5).quantile(0.7 / 0.88).round(6))
        68.437821
        """
        shape, scale = floats(shape), floats(scale)
        with np.errstate(invalid="ignore"):
            return cls(families.GAMMA, shape * scale, np.sqrt(shape) * scale)

    @classmethod
    def lognormal(cls, log_mean: ArrayLike, log_sd: ArrayLike) -> Self:
        """Make demand whose logarithm is normal with the given mean and standard deviation.

        >>> float(Demand.lognormal(6.0, 0.3).mean.round(3))
        421.998
        """
        return cls(families.LOGNORMAL, floats(log_mean), floats(log_sd))

    @classmethod
    def uniform(cls, low: ArrayLike, high: ArrayLike) -> Self:
        """Make demand spread evenly between low and high.

        >>> float(Demand.uniform(0, 100).quantile(0.9))
        90.0
        """
        return cls(families.UNIFORM, floats(low), floats(high))

    @property
    def shape(self) -> tuple[int, ...]:
        """Axes over SKUs.

        >>> Demand.normal([100, 80], 20).shape
        (2,)
        """
        return np.broadcast_shapes(self.a.shape, self.b.shape)

    def broadcast(self, shape: tuple[int, ...]) -> Self:
        """Return the same demand with one entry for each SKU of a shape.

        >>> Demand.poisson(2.0).broadcast((3,)).mean.tolist()
        [2.0, 2.0, 2.0]
        """
        a, b = (np.array(np.broadcast_to(parameter, shape)) for parameter in (self.a, self.b))
        return type(self)(self.family, a, b)

    @property
    def discrete(self) -> bool:
        """Whether demand comes in whole units.

        >>> Demand.poisson(2.0).discrete, Demand.normal(50, 8).discrete
        (True, False)
        """
        return self.family in (families.POISSON, families.NEGATIVE_BINOMIAL)

    @property
    def mean(self) -> FloatArray:
        """E[X], units.

        >>> float(Demand.uniform(0, 100).mean)
        50.0
        """
        return self._over(MEAN, 0.0, False)

    @property
    def variance(self) -> FloatArray:
        """Var[X], units squared.

        >>> float(Demand.negative_binomial(5, 15).variance)
        15.0
        """
        return self._over(VARIANCE, 0.0, False)

    def cdf(self, units: ArrayLike, *, parallel: bool = False) -> FloatArray:
        """P(X <= units).

        >>> float(Demand.poisson(2.0).cdf(3).round(4))
        0.8571
        """
        return self._over(CDF, units, parallel)

    def sf(self, units: ArrayLike, *, parallel: bool = False) -> FloatArray:
        """P(X > units), with all digits of small probabilities.

        >>> float(Demand.poisson(2.0).sf(3).round(4))
        0.1429
        """
        return self._over(SF, units, parallel)

    def density(self, units: ArrayLike, *, parallel: bool = False) -> FloatArray:
        """Density at `units`; of discrete demand P(X = units).

        >>> float(Demand.poisson(2.0).density(3).round(4))
        0.1804
        """
        return self._over(DENSITY, units, parallel)

    def quantile(self, probability: ArrayLike, *, parallel: bool = False) -> FloatArray:
        """Smallest x with P(X <= x) >= probability; NaN outside [0, 1], possibly infinite at 0 and 1.

        >>> Demand.poisson(2.0).quantile([0.0, 0.5, 0.95]).tolist()
        [0.0, 2.0, 5.0]
        """
        return self._over(QUANTILE, probability, parallel)

    def upper_quantile(self, probability: ArrayLike, *, parallel: bool = False) -> FloatArray:
        """Smallest x with P(X > x) <= probability: `quantile(1 - probability)` with all digits of small ones.

        >>> float(Demand.poisson(2.0).upper_quantile(1e-12))
        18.0
        """
        return self._over(UPPER_QUANTILE, probability, parallel)

    def loss(self, units: ArrayLike, *, parallel: bool = False) -> FloatArray:
        """E[(X - units)+]: the expected shortage of a stock, units.

        >>> float(Demand.poisson(2.0).loss(3).round(4))
        0.218
        """
        return self._over(LOSS, units, parallel)

    def leftover(self, units: ArrayLike, *, parallel: bool = False) -> FloatArray:
        """E[(units - X)+]: what is expected to be left of a stock, units.

        >>> float(Demand.poisson(2.0).leftover(3).round(4))
        1.218
        """
        return self._over(LEFTOVER, units, parallel)

    def second_loss(self, units: ArrayLike, *, parallel: bool = False) -> FloatArray:
        """Second-order loss, units squared: E[((X - units)+)^2] / 2, discrete E[(X - units)+ (X - units - 1)+] / 2.

        The expected shortage integrated (added up) over all stocks from `units` upwards; NaN where discrete demand
        meets a `units` that is no integer.

        >>> float(Demand.poisson(2.0).second_loss(3).round(4))
        0.1053
        """
        return self._over(SECOND_LOSS, units, parallel)

    def second_leftover(self, units: ArrayLike, *, parallel: bool = False) -> FloatArray:
        """Second-order loss below: E[((units - X)+)^2] / 2, discrete E[(units - X)+ (units + 1 - X)+] / 2.

        >>> float(Demand.poisson(2.0).second_leftover(3).round(4))
        1.8947
        """
        return self._over(SECOND_LEFTOVER, units, parallel)

    def over_blocks(
        self, loop: Callable[..., None], arguments: list[ArrayLike], results: int, *, parallel: bool = False
    ) -> list[FloatArray]:
        """Apply `loop(family, a, b, *arguments, *results)` block by block, see `fullshelf.kernels.blocks`.

        >>> def twice(family, a, b, x, out):
        ...     out[:] = 2.0 * x
        >>> Demand.poisson([2.0, 3.0]).over_blocks(twice, [7.0], 1)[0].tolist()
        [14.0, 14.0]
        """
        return over_blocks(loop, [self.a, self.b, *arguments], results, fixed=(self.family,), parallel=parallel)

    def _over(self, what: int, x: ArrayLike, parallel: bool) -> FloatArray:
        (answer,) = over_blocks(_evaluate, [self.a, self.b, x], 1, fixed=(self.family, what), parallel=parallel)
        return answer
