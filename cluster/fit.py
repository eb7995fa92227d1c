"""`fullshelf fit` on a Ray cluster: Ray Train starts the processes, accelerate lets them share each step.

Every process runs the engine's own `fit` and finds the others by the environment that Ray Train sets. The inputs and
the folder `fit.output` must be seen by every node. A request to stop travels as a file there.
"""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray
from ray.train import RunConfig, ScalingConfig, WorkerGroupError
from ray.train.torch import TorchConfig, TorchTrainer

from fullshelf.cluster.executor import connect
from fullshelf.engine.config import Config
from fullshelf.engine.errors import FullshelfError, RunError, UsageError
from fullshelf.engine.progress import Reporter, silent
from fullshelf.engine.stopping import Stop

__all__ = ["fit"]

NOTES, STOP = ".ray", ".stop"  # in the folder of the fit: what Ray Train writes, and the request to stop
POLL_SECONDS = 1.0


def fit(config: Config, progress: Reporter = silent, stop: Stop | None = None, resume: bool = True) -> dict[str, Any]:
    """Train as `config.fit` says, with `run.actors` processes on the cluster; return as the engine's `fit` does.

    A process takes `run.cores_per_actor` cores and, where the cluster has GPUs, `run.gpus_per_actor` of them, by
    default one; without `run.actors` there is one process to a GPU, or one.

    Raises
    ------
    FullshelfError
        What the engine's `fit` raises in any of the processes.
    """
    from fullshelf.engine.fit_job import SUMMARY, TRAINING
    from fullshelf.engine.models.demand_lm.training import LOG

    folder, stop = Path(config.fit.output), stop or Stop()
    new, connected = not folder.exists(), connect(config.run.address)
    try:
        with _watching(folder / STOP, folder / TRAINING / LOG, config.fit.steps, progress, stop):
            _trainer(config, folder, resume).fit()
    except WorkerGroupError as e:
        risen = _risen(e)
        if new and isinstance(risen, UsageError):  # bad input writes nothing
            shutil.rmtree(folder, ignore_errors=True)
        raise risen from e
    finally:
        shutil.rmtree(folder / NOTES, ignore_errors=True)
        if connected:
            ray.shutdown()
    found: dict[str, Any] = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
    return found | {"folder": str(folder), "already": False}


def _trainer(config: Config, folder: Path, resume: bool) -> TorchTrainer:
    settings, there = config.run, ray.cluster_resources().get("GPU", 0.0)
    gpus = settings.gpus_per_actor if settings.gpus_per_actor is not None else min(1.0, there)
    resources = {"CPU": settings.cores_per_actor} | ({"GPU": gpus} if gpus else {})
    scaling: dict[str, Any] = {  # its type follows RAY_TRAIN_V2_ENABLED
        "num_workers": settings.actors or max(1, int(there / gpus) if gpus else 1),
        "use_gpu": gpus > 0,
        "resources_per_worker": resources,
        "accelerator_type": settings.accelerator,
        "label_selector": dict(settings.labels) or None,
    }
    return TorchTrainer(
        _one_process,
        train_loop_config={"config": config, "resume": resume, "stop": str(folder / STOP)},
        torch_config=TorchConfig(backend="nccl" if gpus else "gloo"),
        scaling_config=ScalingConfig(**scaling),
        run_config=RunConfig(name=NOTES, storage_path=str(folder)),
    )


def _one_process(given: dict[str, Any]) -> None:
    """Run the engine's `fit` in a process that Ray Train started."""
    from fullshelf.engine.fit_job import fit as run

    stop, ended = Stop(), threading.Event()

    def look() -> None:
        while not ended.wait(POLL_SECONDS):
            if Path(given["stop"]).exists():
                stop.set()

    looking = threading.Thread(target=look, name="stop", daemon=True)
    looking.start()
    try:
        run(given["config"], silent, stop, given["resume"])
    finally:
        ended.set()
        looking.join()


@contextmanager
def _watching(asked: Path, log: Path, steps: int | None, progress: Reporter, stop: Stop) -> Iterator[None]:
    """Hand a request to stop on to the processes, and tell what their log says."""
    ended = threading.Event()
    asked.unlink(missing_ok=True)

    def look() -> None:
        while not ended.wait(POLL_SECONDS):
            if stop.wanted and asked.parent.exists():
                asked.touch()
            if log.exists() and (lines := log.read_text(encoding="utf-8").splitlines()):
                progress("steps", json.loads(lines[-1])["step"], steps)

    looking = threading.Thread(target=look, name="fit", daemon=True)
    looking.start()
    try:
        yield
    finally:
        ended.set()
        looking.join()
        asked.unlink(missing_ok=True)


def _risen(error: WorkerGroupError) -> Exception:
    """Return what a process raised: the first that has words for the user, else the whole."""
    causes = [cause for _, cause in sorted(error.worker_failures.items())]
    for cause in causes:
        for found in (cause, cause.__cause__, getattr(cause, "cause", None)):
            if isinstance(found, FullshelfError):
                return found
    words = "; ".join(f"{type(cause).__name__}: {' '.join(str(cause).split())[:300]}" for cause in causes)
    return RunError(f"fit: {words or error}. The checkpoint stays, call again to resume")
