"""The Ray executor: the shards of a refresh in long-lived actors, wherever the cluster has room."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import ray
from ray.exceptions import RayError

from fullshelf.cluster.driver import drive
from fullshelf.cluster.fleet import Fleet
from fullshelf.cluster.log import EventLog, Note, unnoted
from fullshelf.cluster.metrics import Metrics
from fullshelf.cluster.responder import ClusterOrders
from fullshelf.cluster.scheduler import IN_FLIGHT, Patience, Scheduler
from fullshelf.cluster.split_worker import SplitWorker
from fullshelf.cluster.splitting import ClusterSplit
from fullshelf.cluster.worker import ShardWorker
from fullshelf.engine.allocation import Allocation, allocate
from fullshelf.engine.config import Config, RunSettings
from fullshelf.engine.errors import ConfigError
from fullshelf.engine.job_file import save_job
from fullshelf.engine.local import Outcome
from fullshelf.engine.models.pretrained import PretrainedModel
from fullshelf.engine.models.protocol import DemandModel
from fullshelf.engine.pipeline import Record, ShardJob
from fullshelf.engine.progress import Reporter
from fullshelf.engine.stopping import Stop
from fullshelf.engine.storage import is_remote

__all__ = ["RayExecutor", "actor_options", "connect", "gpus_for", "room_for"]


class RayExecutor:
    """An `Executor` on a Ray cluster. Use as a context manager: it connects when there is work, and ends what it began.

    Parameters
    ----------
    config
        Its `run` says what an actor needs; every node must see the same `output` folder.
    patience
        With failed, slow and hung shards.
    worker, splitter
        What runs inside the actors: of the shards, and of the splitting of large sales.
    """

    def __init__(
        self,
        config: Config,
        patience: Patience | None = None,
        worker: type[ShardWorker] = ShardWorker,
        splitter: type[SplitWorker] = SplitWorker,
    ) -> None:
        self._config, self._settings, self._worker, self._splitter = config, config.run, worker, splitter
        self._patience = patience or Patience(most_seconds=60 * config.run.shard_minutes)
        self._fleet: Fleet | None = None
        self._ours = False  # whether this executor connected the process to Ray
        self._gpus = 0.0

    def __enter__(self) -> RayExecutor:
        return self

    def __exit__(self, *_: object) -> None:
        if self._fleet is not None:
            self._fleet.close()
        if self._ours:
            ray.shutdown()

    def elsewhere(self, stop: Stop) -> ClusterSplit | None:
        """Return the actors that may split large sales; None where the driver does.

        Raises
        ------
        ConfigError
            If `run.split` is cluster and the split sales would lie where only the driver sees them.
        """
        if self._settings.split == "driver":
            return None
        if self._settings.work is None and is_remote(self._config.output):
            if self._settings.split == "auto":
                return None
            raise ConfigError(
                f"run.split: cluster: with an output in an object store ({self._config.output}) the split sales lie in "
                "the driver's own cache; set run.work to a folder that every node sees"
            )
        options = actor_options(self._settings.model_copy(update={"accelerator": None}), 0.0)
        return ClusterSplit(
            self._settings,
            self._patience,
            self._connect,
            options,
            lambda: self._settings.actors or max(1, room_for(options)),
            stop,
            self._note("split"),
            self._splitter,
        )

    def run(self, job: ShardJob, shards: Sequence[int], stop: Stop) -> Iterator[Outcome[Record]]:
        """Run each shard; a failed one elsewhere, a slow one on a second actor too."""
        if not shards:
            return
        fleet = self._opened(job, shards, stop)
        at_once = IN_FLIGHT if self._overlaps else 1
        scheduler, metrics = Scheduler(shards, self._patience, at_once), Metrics(job.folder.path.name)
        for outcome in drive(fleet, scheduler, self._wanted, stop, metrics.watch, self._note(job.folder.path.name)):
            metrics.ended(outcome)
            yield outcome
        metrics.watch(scheduler, fleet)

    def share_out(
        self, job: ShardJob, records: list[Record], progress: Reporter, stop: Stop
    ) -> tuple[list[Record], Allocation]:
        """Meet the limits over all forecast shards, whose orders the actors hold, and commit them there."""
        shards = sorted(record["shard"] for record in records)
        fleet = self._opened(job, (), stop)
        orders = ClusterOrders(
            fleet,
            shards,
            lambda: fleet.resize(len(shards), self._wanted()),
            stop,
            lambda done: progress("limits", done, len(shards)),
        )
        allocation = allocate(orders, job.limits)
        return orders.commit(lambda done: progress("orders", done, len(shards))), allocation

    @property
    def _overlaps(self) -> bool:
        """Whether an actor works on both its shards at once: reading and planning of one while the other forecasts."""
        return self._gpus > 0 or self._settings.cores_per_actor >= IN_FLIGHT

    def _connect(self) -> None:
        self._ours |= connect(self._settings.address)

    def _note(self, run: str) -> Note:
        return EventLog(run).note if self._settings.log == "json" else unnoted

    def _opened(self, job: ShardJob, shards: Sequence[int], stop: Stop) -> Fleet:
        """Connect, write the job, begin the fleet, where that has not been done."""
        if self._fleet is not None:
            return self._fleet
        self._connect()
        self._gpus = gpus_for(job.model, self._settings)
        threads = self._settings.threads or len(os.sched_getaffinity(0))
        forecast, season = self._config.forecast, self._config.season
        file = save_job(job, forecast, season, shards, threads, stop.check)
        options = actor_options(self._settings, self._gpus)
        start = ray.remote(self._worker).options(
            max_concurrency=IN_FLIGHT if self._overlaps else 1, max_restarts=0, max_task_retries=0, **options
        )
        self._fleet = Fleet(lambda: start.remote(self._settings.cores_per_actor), (file,))
        return self._fleet

    def _wanted(self) -> int:
        return self._settings.actors or max(1, room_for(actor_options(self._settings, self._gpus)))


def connect(address: str | None) -> bool:
    """Connect this process to Ray, unless it is; return whether it was done here. Signals keep their handlers.

    Raises
    ------
    ConfigError
        If there is no cluster at the address, or it does not let us in.
    """
    if ray.is_initialized():
        return False
    if address is not None and address.startswith("ray://"):
        raise ConfigError(
            f"run.address: {address}: the driver must run on the cluster; expected HOST:PORT there, or from here "
            "`fullshelf submit`"
        )
    with _own_signals():
        try:
            ray.init(address=address, namespace="fullshelf", logging_level=logging.WARNING, log_to_driver=False)
        except (ConnectionError, RuntimeError, ValueError, RayError) as e:
            where = address or os.environ.get("RAY_ADDRESS") or "this machine"
            raise ConfigError(f"run.address: {where}: cannot connect to Ray: {' '.join(str(e).split())[:300]}") from e
    return True


@contextmanager
def _own_signals() -> Iterator[None]:
    """Put back the handlers of SIGTERM and SIGINT: Ray sets its own, which end the process without a word."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def gpus_for(model: DemandModel, settings: RunSettings) -> float:
    """Return the GPUs of an actor: as configured, else 1 where the model is a neural one and the cluster has any."""
    if settings.gpus_per_actor is not None:
        return settings.gpus_per_actor
    return 1.0 if isinstance(model, PretrainedModel) and ray.cluster_resources().get("GPU", 0) >= 1 else 0.0


def actor_options(settings: RunSettings, gpus: float) -> dict[str, Any]:
    """Return what an actor asks of its node, in Ray's words."""
    options: dict[str, Any] = {"num_cpus": settings.cores_per_actor, "num_gpus": gpus}
    if settings.accelerator is not None:
        options["accelerator_type"] = settings.accelerator
    if settings.labels:
        options["label_selector"] = dict(settings.labels)
    return options


def room_for(options: Mapping[str, Any], nodes: Sequence[Mapping[str, Any]] | None = None) -> int:
    """Count how many actors the cluster holds, were nothing else on it.

    Examples
    --------
    >>> node = {"Alive": True, "Resources": {"CPU": 8.0, "GPU": 2.0}, "Labels": {"zone": "a"}}
    >>> room_for({"num_cpus": 2, "num_gpus": 0.5}, [node, node | {"Alive": False}])
    4
    >>> room_for({"num_cpus": 2, "num_gpus": 0, "label_selector": {"zone": "b"}}, [node])
    0
    """
    needs = {"CPU": float(options["num_cpus"]), "GPU": float(options["num_gpus"])}
    if "accelerator_type" in options:
        needs[f"accelerator_type:{options['accelerator_type']}"] = 0.001
    labels = options.get("label_selector", {})
    total = 0
    for node in ray.nodes() if nodes is None else nodes:
        fits = all(node.get("Labels", {}).get(name) == value for name, value in labels.items())
        if node["Alive"] and fits:
            total += int(min(node["Resources"].get(name, 0.0) / need for name, need in needs.items() if need > 0))
    return total
