"""Random draws that belong to a key, not to a place in a stream.

A series gets its own generator from (seed, stream, number), so its draws are the same on any thread, in any order and
in any chunk. The generator is SplitMix64 (Steele, Lea, Flood 2014): one 64-bit word of state, held in an array of
length 1 that the draws advance.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fullshelf.kernels.compile import core, loop

__all__ = ["gamma", "generator", "key", "keys", "lognormals", "normal", "normals", "poisson", "uniform", "uniforms"]

# Constants of SplitMix64. All operands stay uint64: numba turns uint64 with a signed literal into float64.
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_A = np.uint64(0xBF58476D1CE4E5B9)
_MIX_B = np.uint64(0x94D049BB133111EB)
_S11, _S27, _S30, _S31 = np.uint64(11), np.uint64(27), np.uint64(30), np.uint64(31)
_TO_UNIT = 2.0**-53
_INVERSION_UP_TO = 10.0  # mean below which a Poisson draw searches from 0; above it, rejection is faster


@core
def _mix(z: Any) -> Any:
    z = (z ^ (z >> _S30)) * _MIX_A
    z = (z ^ (z >> _S27)) * _MIX_B
    return z ^ (z >> _S31)


@core
def key(seed: int, stream: int, number: int) -> Any:
    """Return the uint64 key of one thing (e.g. a series) in one stream (e.g. "demand") under a seed."""
    z = _mix(np.uint64(seed) + _GOLDEN)
    z = _mix((z ^ np.uint64(stream)) + _GOLDEN)
    return _mix((z ^ np.uint64(number)) + _GOLDEN)


@core
def generator(k: Any) -> NDArray[np.uint64]:
    """Return the state of a fresh generator for a key."""
    state = np.empty(1, np.uint64)
    state[0] = k
    return state


@core
def uniform(state: NDArray[np.uint64]) -> float:
    """Draw from the uniform distribution on (0, 1), both ends left out."""
    state[0] += _GOLDEN
    return (float(_mix(state[0]) >> _S11) + 0.5) * _TO_UNIT


@core
def normal(state: NDArray[np.uint64]) -> float:
    """Draw from the standard normal distribution (Box and Muller 1958, one of the two values)."""
    radius = math.sqrt(-2.0 * math.log(uniform(state)))
    return radius * math.cos(2.0 * math.pi * uniform(state))


@core
def gamma(state: NDArray[np.uint64], shape: float) -> float:
    """Draw from the gamma distribution with scale 1 (Marsaglia and Tsang 2000); shape > 0."""
    boost = 1.0
    if shape < 1.0:
        boost = uniform(state) ** (1.0 / shape)
        shape += 1.0
    d = shape - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d)
    while True:
        x = normal(state)
        v = (1.0 + c * x) ** 3
        if v > 0.0 and math.log(uniform(state)) < 0.5 * x * x + d - d * v + d * math.log(v):
            return boost * d * v


@core
def poisson(state: NDArray[np.uint64], mean: float) -> int:
    """Draw from the Poisson distribution: by inversion for small means, else by rejection (PTRS, Hörmann 1993)."""
    if mean <= 0.0:
        return 0
    if mean < _INVERSION_UP_TO:
        u = uniform(state)
        p = math.exp(-mean)
        total = p
        k = 0
        while u > total and k < 200:  # 200: rounding may leave total below u for ever
            k += 1
            p *= mean / k
            total += p
        return k
    b = 0.931 + 2.53 * math.sqrt(mean)
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    v_r = 0.9277 - 3.6224 / (b - 2.0)
    while True:
        u = uniform(state) - 0.5
        v = uniform(state)
        us = 0.5 - abs(u)
        k = math.floor((2.0 * a / us + b) * u + mean + 0.43)
        if us >= 0.07 and v <= v_r:
            return k
        if k < 0 or (us < 0.013 and v > us):
            continue
        accept = -mean + k * math.log(mean) - math.lgamma(k + 1.0)
        if math.log(v * inverse_alpha / (a / (us * us) + b)) <= accept:
            return k


@loop
def keys(seed: int, stream: int, numbers: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return one key for each number, shape (S,)."""
    out = np.empty(numbers.size, np.uint64)
    for i in range(numbers.size):
        out[i] = key(seed, stream, numbers[i])
    return out


@loop
def uniforms(seed: int, stream: int, numbers: NDArray[np.int64]) -> NDArray[np.float64]:
    """Draw one uniform for each number, shape (S,)."""
    out = np.empty(numbers.size)
    for i in range(numbers.size):
        out[i] = uniform(generator(key(seed, stream, numbers[i])))
    return out


@loop
def normals(seed: int, stream: int, numbers: NDArray[np.int64]) -> NDArray[np.float64]:
    """Draw one standard normal for each number, shape (S,)."""
    out = np.empty(numbers.size)
    for i in range(numbers.size):
        out[i] = normal(generator(key(seed, stream, numbers[i])))
    return out


@loop
def lognormals(seed: int, stream: int, numbers: NDArray[np.int64], median: float, sigma: float) -> NDArray[np.float64]:
    """Draw one log-normal for each number, shape (S,)."""
    out = np.empty(numbers.size)
    for i in range(numbers.size):
        out[i] = median * math.exp(sigma * normal(generator(key(seed, stream, numbers[i]))))
    return out
