"""The memory that a model on a CPU frees is kept for its next batch, not given back to the system.

glibc maps an array of megabytes afresh for each operation, and the system fills every page of it with zeros first: a
seventh of DemandLM's time. The numbers stay the same, and so does the peak, to a hundredth.
"""

from __future__ import annotations

import ctypes

TRIM, MAPPED = -1, -3  # names of the two settings in malloc.h: M_TRIM_THRESHOLD, M_MMAP_THRESHOLD
KEPT = 64 << 20  # bytes at the end of the heap that are not given back
LARGEST = 32 << 20  # bytes of an array that may come from the heap; glibc takes no more


def keep_freed_memory() -> None:
    """Ask glibc to keep what is freed; nothing happens where the C library is another."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    mallopt(MAPPED, LARGEST)
    mallopt(TRIM, KEPT)
