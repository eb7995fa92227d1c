"""The refresh on a Ray cluster: the engine's own, with the Ray executor."""

from __future__ import annotations

from typing import Any

from fullshelf.cluster.executor import RayExecutor
from fullshelf.engine.config import Config
from fullshelf.engine.progress import Reporter, silent
from fullshelf.engine.refresh import refresh as run
from fullshelf.engine.stopping import Stop

__all__ = ["refresh"]


def refresh(config: Config, progress: Reporter = silent, stop: Stop | None = None) -> dict[str, Any]:
    """Run the refresh, or resume it, on the cluster that `config.run` names; see `fullshelf.engine.refresh`."""
    with RayExecutor(config) as executor:
        return run(config, progress, stop, executor)
