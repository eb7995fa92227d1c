"""`fullshelf forecast` on the open tasks, scored by the judge that stands beside them; peers write the same tables.

The tasks are folders of real sales with `tasks.json` beside them; they are not part of the project. The judge and the
forecast are separate programs, called as a user calls them, so nothing of the truth can reach a model.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from fullshelf.bench.forecast_peer import StatsForecastPeer
from fullshelf.bench.forecast_sample import first_series
from fullshelf.bench.machine import one_core
from fullshelf.bench.result import OURS, Row
from fullshelf.bench.timing import once
from fullshelf.engine.calendar import Period
from fullshelf.engine.config import parse_config
from fullshelf.engine.forecast import Forecast
from fullshelf.engine.forecast_table import forecast_frame
from fullshelf.engine.intake import prepare
from fullshelf.engine.panel import Panel
from fullshelf.kernels.levels import LEVELS

KNOWN_AHEAD = ("skus", "future", "events")
PEER_BUDGET = 240.0  # seconds of one core that a peer may be expected to take on a task
TRIED = 20  # series that tell how long it would take


def tasks_file(shared: Path) -> Path:
    """Return the list of the open tasks, which need not be there."""
    return shared / "data" / "tasks.json"


def task_rows(
    shared: Path,
    models: Sequence[str],
    peers: Sequence[str],
    tasks: Sequence[str] | None,
    windows: int,
    say: Callable[[str], None],
) -> Iterator[Row]:
    """Forecast and score each task, window, model and peer.

    Raises
    ------
    RuntimeError
        If the forecast or the judge fails; the message is theirs.
    """
    for task in json.loads(tasks_file(shared).read_text(encoding="utf-8")):
        if tasks and task["task"] not in tasks:
            continue
        for window, as_of in enumerate(task["as_of"][:windows]):
            for model in models:
                say(f"{task['task']}, {as_of}: {model}")
                yield _ours(shared, task, window, as_of, model)
            for peer in peers:
                say(f"{task['task']}, {as_of}: statsforecast {peer}")
                yield _peer(shared, task, window, as_of, peer)


def _ours(shared: Path, task: dict[str, Any], window: int, as_of: str, model: str) -> Row:
    folder = shared / "data" / task["task"]
    with tempfile.TemporaryDirectory(prefix="fullshelf-accuracy-") as scratch:
        out, totals = f"{scratch}/F.parquet", f"{scratch}/C.parquet"
        words = ["--sales", f"{folder}/sales.parquet", "--period", task["period"], "--horizon", str(task["horizon"])]
        words += ["--season", str(task["season"]), "--as-of", as_of, "--model", model, "--quiet"]
        for table in KNOWN_AHEAD:
            if (folder / f"{table}.parquet").exists():
                words += [f"--{table}", f"{folder}/{table}.parquet"]
        begun = time.perf_counter()
        _call(["-m", "fullshelf.engine", "forecast", *words, "--out", out, "--cumulative-out", totals])
        seconds = time.perf_counter() - begun
        said = _judge(shared, folder, window, "--forecast", out, "--cumulative", totals)
        series = pl.scan_parquet(out).select(pl.struct("sku", "location").n_unique()).collect().item()
    total = said["cumulative"].get(str(task["horizon"]), {}).get("wql")
    threads = len(os.sched_getaffinity(0))
    size = f"{series:,} series, as of {as_of}"
    figures = _figures(said) | ({} if total is None else {"WQL of totals": total})
    note = "whole command, reading included"
    return Row(task["task"], f"{OURS} {model}", size, series, "series", once(seconds), threads, figures, note)


def _peer(shared: Path, task: dict[str, Any], window: int, as_of: str, peer: str) -> Row:
    folder, horizon = shared / "data" / task["task"], task["horizon"]
    who = f"statsforecast {peer}"
    with tempfile.TemporaryDirectory(prefix="fullshelf-accuracy-") as scratch:
        panel = _panel(folder, task, as_of, Path(scratch))
        size = f"{panel.series:,} series, as of {as_of}"
        contender = StatsForecastPeer(peer, horizon, Period(task["period"]))
        with one_core():
            few = first_series(panel, min(TRIED, panel.series))
            contender(few)  # compiles
            begun = time.perf_counter()
            contender(few)
            expected = (time.perf_counter() - begun) / few.series * panel.series
            if expected > PEER_BUDGET:
                note = f"not run: {expected / 60:,.0f} min by its first {few.series} series"
                return Row(task["task"], who, size, panel.series, "series", None, note=note)
            begun = time.perf_counter()
            quantiles = contender(panel).astype(np.float32)
            seconds = time.perf_counter() - begun
        middle = quantiles[:, :, LEVELS.index(0.5)]
        frame = forecast_frame(panel, Forecast(np.array(LEVELS), quantiles, middle, None))
        frame.write_parquet(f"{scratch}/F.parquet")
        said = _judge(shared, folder, window, "--forecast", f"{scratch}/F.parquet")
    return Row(task["task"], who, size, panel.series, "series", once(seconds), 1, _figures(said), "forecasting alone")


def _panel(folder: Path, task: dict[str, Any], as_of: str, scratch: Path) -> Panel:
    values = {"period": task["period"], "as_of": date.fromisoformat(as_of), "run": {"shards": 1}}
    config = parse_config(values | {"inputs": {"sales": str(folder / "sales.parquet")}}, base=scratch)
    return prepare(config, scratch / "cache").read(0, task["horizon"]).panel


def _figures(said: dict[str, Any]) -> dict[str, float]:
    found = {"WQL": said["wql"], "of naive": said["wql"] / said["wql_naive"], "MASE": said["mase"]}
    found |= {"bias": said["bias"], "at or below q0.9": said["coverage"]["0.9"]}
    return {name: value for name, value in found.items() if value is not None}


def _judge(shared: Path, folder: Path, window: int, *words: str) -> dict[str, Any]:
    said = _call([f"{shared}/tools/score.py", "--task", str(folder), "--window", str(window), *words])
    found: dict[str, Any] = json.loads(said.strip().splitlines()[-1])
    return found


def _call(words: list[str]) -> str:
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(
            f"{' '.join(words[:4])} …: exit code {done.returncode}: {(done.stdout + done.stderr)[-2000:]}"
        )
    return done.stdout
