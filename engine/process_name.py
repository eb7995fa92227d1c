"""What a process is called wherever it is named: in a shard's record, in the report, among a cluster's actors."""

from __future__ import annotations

import os
import socket

__all__ = ["process_name"]


def process_name() -> str:
    """Return `host:pid` of this process: machines may give the same pid.

    Examples
    --------
    >>> process_name().endswith(f":{os.getpid()}")
    True
    """
    return f"{socket.gethostname()}:{os.getpid()}"
