"""What a monitoring system sees of a run: counters, gauges and histograms that Ray exports to Prometheus.

Each name below appears there with the prefix `ray_`. `configs/grafana.json` shows them and `configs/alerts.yaml` warns;
a test holds both to this list.
"""

from __future__ import annotations

from typing import Any

from ray.util.metrics import Counter, Gauge, Histogram

from fullshelf.cluster.fleet import Fleet
from fullshelf.cluster.scheduler import Scheduler
from fullshelf.engine.local import Outcome

__all__ = ["NAMES", "Metrics"]

NAMES = {
    "fullshelf_series": "series of the shards that are done",
    "fullshelf_shards": "shards that ended, by outcome: done, quarantined",
    "fullshelf_faults": "what the driver had to see to, by kind: retried, raced, lost, killed",
    "fullshelf_stage_seconds": "seconds of a shard, by stage",
    "fullshelf_shards_waiting": "shards that no actor has yet",
    "fullshelf_shards_in_flight": "shards in the hands of actors",
    "fullshelf_actors_ready": "actors at hand",
    "fullshelf_actors_pending": "actors asked for that are not ready",
}
KINDS = ("retried", "raced", "lost", "killed")
SECONDS = [0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0]


class Metrics:
    """The metrics of one run; every value carries its id as the tag `run`."""

    def __init__(self, run: str) -> None:
        self._run = {"run": run}
        self._seen = dict.fromkeys(KINDS, 0)
        self._series = Counter("fullshelf_series", NAMES["fullshelf_series"], ("run",))
        self._shards = Counter("fullshelf_shards", NAMES["fullshelf_shards"], ("run", "outcome"))
        self._faults = Counter("fullshelf_faults", NAMES["fullshelf_faults"], ("run", "kind"))
        name = "fullshelf_stage_seconds"
        self._stages = Histogram(name, NAMES[name], SECONDS, ("run", "stage"))
        self._waiting, self._in_flight, self._ready, self._pending = (
            Gauge(name, NAMES[name], ("run",))
            for name in (
                "fullshelf_shards_waiting",
                "fullshelf_shards_in_flight",
                "fullshelf_actors_ready",
                "fullshelf_actors_pending",
            )
        )

    def watch(self, scheduler: Scheduler, fleet: Fleet) -> None:
        """Take over how the scheduler and the fleet stand."""
        self._waiting.set(scheduler.waiting, self._run)
        self._in_flight.set(scheduler.in_flight, self._run)
        self._ready.set(fleet.size, self._run)
        self._pending.set(fleet.pending, self._run)
        for kind, before in self._seen.items():
            if (now := scheduler.counts[kind]) > before:
                self._faults.inc(now - before, self._run | {"kind": kind})
                self._seen[kind] = now

    def ended(self, outcome: Outcome[dict[str, Any]]) -> None:
        """Count a shard that is done or quarantined."""
        record = outcome.result
        self._shards.inc(1, self._run | {"outcome": "quarantined" if record is None else "done"})
        if record is None:
            return
        if record["series"]:
            self._series.inc(record["series"], self._run)
        for stage, seconds in record["seconds"].items():
            self._stages.observe(seconds, self._run | {"stage": stage})
