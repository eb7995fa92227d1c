"""The numba compile options, in one place.

`core` compiles a scalar function that other kernels call; `loop` compiles the loop over series or SKUs.
Both release the GIL, so shards run side by side in threads, and keep their machine code on disk beside the source
(or in NUMBA_CACHE_DIR), so a second start compiles nothing; `fullshelf.kernels.compile_cache` sees to it that code made
from an older source of any kernel is never run.

No `fastmath`: it may assume that NaN does not occur, and an unknown value is NaN here; it also lets the order of a sum
depend on the loop's vector width, which would break "the same bytes whatever the batch".
`error_model="numpy"` makes 0/0 NaN instead of raising, which also lets loops vectorise.
`boundscheck` stays off; `NUMBA_BOUNDSCHECK=1 make test` switches it on for a debugging run.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

from fullshelf.kernels.compile_cache import code_folder

__all__ = ["core", "loop", "parallel"]

_F = TypeVar("_F", bound=Callable[..., Any])


def core(function: _F) -> _F:
    """Compile a scalar core: small, called from inside loops, inlined by LLVM where that pays."""
    with code_folder(function):
        return cast(_F, njit(cache=True, nogil=True, error_model="numpy")(function))


def loop(function: _F) -> _F:
    """Compile a serial loop over series or SKUs; runs beside others in threads, for it releases the GIL."""
    with code_folder(function):
        return cast(_F, njit(cache=True, nogil=True, error_model="numpy")(function))


def parallel(function: _F) -> _F:
    """Compile a loop whose `prange` uses all of numba's threads: for callers with all SKUs in one array.

    Not for use inside a shard: the runner already gives each shard its own thread.
    """
    with code_folder(function):
        return cast(_F, njit(cache=True, nogil=True, error_model="numpy", parallel=True)(function))
