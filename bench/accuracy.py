"""`fullshelf bench accuracy`: `fullshelf forecast` on the open tasks, scored by the judge that stands beside them.

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
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from math import exp, log
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

KNOWN_AHEAD = ("skus", "future", "events")


@dataclass(frozen=True, slots=True)
class Score:
    """What the judge said of one model on one window of one task."""

    task: str
    as_of: str
    model: str
    wql: float
    wql_naive: float
    mase: float | None
    bias: float
    total_wql: float | None  # of the total over the whole horizon
    coverage: dict[str, float]
    seconds: float

    @property
    def ratio(self) -> float:
        """WQL as a share of the seasonal naive's."""
        return self.wql / self.wql_naive


def score_tasks(shared: Path, models: Sequence[str], tasks: Sequence[str] | None, windows: int) -> Iterator[Score]:
    """Forecast and score each task, window and model.

    Raises
    ------
    FileNotFoundError
        If the open data are not there.
    RuntimeError
        If the forecast or the judge fails; the message is theirs.
    """
    data = shared / "data"
    for task in json.loads((data / "tasks.json").read_text(encoding="utf-8")):
        if tasks and task["task"] not in tasks:
            continue
        for window, as_of in enumerate(task["as_of"][:windows]):
            for model in models:
                yield _score(shared, task, window, as_of, model)


def _score(shared: Path, task: dict[str, Any], window: int, as_of: str, model: str) -> Score:
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
        judge = [f"{shared}/tools/score.py", "--task", str(folder), "--window", str(window)]
        said = _call([*judge, "--forecast", out, "--cumulative", totals]).strip().splitlines()[-1]
    result = json.loads(said)
    total = result["cumulative"].get(str(task["horizon"]), {})
    return Score(
        task["task"], as_of, model, result["wql"], result["wql_naive"], result["mase"], result["bias"],
        total.get("wql"), result["coverage"], seconds,
    )  # fmt: skip


def _call(words: list[str]) -> str:
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False, env=os.environ)
    if done.returncode:
        raise RuntimeError(
            f"{' '.join(words[:4])} …: exit code {done.returncode}: {(done.stdout + done.stderr)[-2000:]}"
        )
    return done.stdout


def show(scores: Sequence[Score], console: Console) -> None:
    """Print a table of the scores and, for each model, the geometric mean of the ratios; then one JSON line."""
    table = Table(
        "task", "as of", "model", "WQL", "naive", "ratio", "MASE", "bias", "total WQL", "covered 0.5/0.9/0.99", "s"
    )
    for s in scores:
        covered = "/".join(f"{s.coverage[q]:.2f}" for q in ("0.5", "0.9", "0.99"))
        mase, total = ("-" if x is None else f"{x:.4f}" for x in (s.mase, s.total_wql))
        table.add_row(
            s.task, s.as_of, s.model, f"{s.wql:.4f}", f"{s.wql_naive:.4f}", f"{s.ratio:.3f}", mase, f"{s.bias:+.3f}",
            total, covered, f"{s.seconds:.0f}",
        )  # fmt: skip
    console.print(table)
    means = {}
    for model in dict.fromkeys(s.model for s in scores):
        ratios = [s.ratio for s in scores if s.model == model]
        means[model] = exp(sum(map(log, ratios)) / len(ratios))
        console.print(f"{model}: geometric mean of the ratios {means[model]:.4f} over {len(ratios)} windows")
    print(json.dumps({"benchmark": "accuracy", "mean_ratio": means, "scores": [asdict(s) for s in scores]}))
