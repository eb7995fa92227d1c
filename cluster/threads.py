"""How many threads a process may use: one place, for all libraries, from what Ray granted."""

from __future__ import annotations

import os

__all__ = ["VARIABLES", "set_threads"]

VARIABLES = (
    "POLARS_MAX_THREADS",
    "NUMBA_NUM_THREADS",
    "OMP_NUM_THREADS",  # torch
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
)


def set_threads(cores: float) -> int:
    """Let every library use that many threads, at least one; call before Polars, numba or torch are imported.

    Examples
    --------
    >>> set_threads(0.5)
    1
    """
    threads = max(1, int(cores))
    os.environ.update(dict.fromkeys(VARIABLES, str(threads)))
    return threads
