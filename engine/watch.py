"""Who is told about progress and asked whether to go on, while inputs are prepared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Watch"]


@dataclass(frozen=True, slots=True)
class Watch:
    """What long work needs from outside."""

    progress: Callable[[str, int, int | None], None]  # stage, how much is done, the total or None
    stop: Callable[[], None]  # raises when the end was asked for
    threads: int  # that may work
