"""`fullshelf bench sizes`: what a larger DemandLM is worth, trained from scratch on the same windows of the prior.

Each shape sees the same windows in the same order, so the losses tell what its size buys at equal data; the seconds
tell what it costs. The shipped weights stand beside them: they have seen many times as many windows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from math import exp, log
from pathlib import Path

import numpy as np
import torch
from transformers.utils import logging

from fullshelf.bench.inference import answers, histories
from fullshelf.bench.machine import Limits, Machine
from fullshelf.bench.open_tasks import task_rows, tasks_file
from fullshelf.bench.result import OURS, Report, Row
from fullshelf.bench.timing import Timing, measure, once
from fullshelf.engine.calendar import Period
from fullshelf.engine.models.demand_lm.configuration import DemandLMConfig, small_backbone
from fullshelf.engine.models.demand_lm.fitting import RECENT
from fullshelf.engine.models.demand_lm.forecaster import SHIPPED
from fullshelf.engine.models.demand_lm.modeling import DemandLM
from fullshelf.engine.models.demand_lm.prior import Sample
from fullshelf.engine.models.demand_lm.serving import DemandLMServer
from fullshelf.engine.models.demand_lm.training import Plan, evaluate, train
from fullshelf.engine.models.demand_lm.training_prior import held_back, prior_source
from fullshelf.engine.models.demand_lm.training_shapes import draw_shape
from fullshelf.engine.models.demand_lm.windows import contexts, rows_of

CONTEXT = 512  # days of the histories whose forecasts are timed
BATCH = 64  # windows of mean size in a step
SEED = 29
TASK, SHIPPED_NAME = "sizes", f"{OURS} as shipped"
PARAMETERS, HELD_BACK, TOTALS, SPEED, REAL = "parameters", "held back", "of totals", "series per second", "of naive"
READING = (
    "`held back` and `of totals` are the losses that training lowers, on windows of the prior that no run has seen; "
    "`series per second` is one core's, from host arrays to host quantiles, 512 days and 28 ahead; `of naive` is the "
    "geometric mean over the open tasks' newest windows of the loss over the seasonal naive's, zero-shot. At equal "
    "windows a large model is short of training more than a small one is."
)


@dataclass(frozen=True, slots=True)
class Shape:
    """A decoder and the networks around it."""

    width: int
    layers: int
    heads: int

    @property
    def name(self) -> str:
        """How the table calls it."""
        return f"{OURS} width {self.width}, {self.layers} layer{'s' if self.layers > 1 else ''}"

    def model(self) -> DemandLM:
        """Return one with random weights, the same each time."""
        torch.manual_seed(SEED)
        backbone = small_backbone(self.width, self.layers, self.heads)
        patch, head = 2 * self.width, 3 * self.width // 4
        return DemandLM(
            DemandLMConfig(backbone=backbone, recent=RECENT, context=1024, patch_width=patch, head_width=head)
        )


SHAPES = {
    "small": (Shape(32, 1, 2), Shape(64, 2, 4)),
    "full": (Shape(32, 2, 2), Shape(64, 2, 4), Shape(96, 3, 4), Shape(128, 4, 4), Shape(192, 6, 6)),
}
WINDOWS = {"small": 2_000, "full": 100_000}


def measure_sizes(
    machine: Machine,
    limits: Limits,
    work: Path,
    windows: int,
    shared: Path | None,
    *,
    shapes: tuple[Shape, ...] = SHAPES["full"],
    say: Callable[[str], None] = print,
) -> Report:
    """Train each shape on so many windows under `work` and measure it; then the shipped weights.

    Parameters
    ----------
    shared
        Folder of the open tasks; None, or one that is not there: they are left out.

    Raises
    ------
    RuntimeError
        If a forecast or the judge fails on an open task; the message is theirs.
    """
    torch.set_num_threads(1)  # of the arithmetic; another thread draws windows
    tasks = shared if shared is not None and tasks_file(shared).exists() else None
    looked_at, found = held_back(share=0.5), dict[str, _Found]()
    for shape in shapes:
        say(f"{shape.name}: {windows:,} windows")
        folder = work / f"{shape.width}-{shape.layers}"
        seen, spent = _trained(shape, windows, folder)
        found[shape.name] = _Found(folder / "model", seen, spent, _accuracy(folder / "model", looked_at, tasks, say))
    say(SHIPPED_NAME)
    found[SHIPPED_NAME] = _Found(SHIPPED, 0, None, _accuracy(SHIPPED, looked_at, tasks, say))
    say("series per second of each")
    speeds = _speeds({who: one.folder for who, one in found.items()})
    rows = [
        Row(
            TASK,
            who,
            f"{one.windows:,} windows" if one.spent else "",
            one.windows,
            "windows",
            one.spent,
            1,
            one.figures | {SPEED: speeds[who]},
            "" if one.spent else "its card says on how many windows",
        )
        for who, one in found.items()
    ]
    left_out = () if tasks else ("The open tasks, real sales that are no part of the project, were left out.",)
    return Report(TASK, machine, limits, tuple(rows), {"windows and weights": SEED}, (READING, *left_out))


@dataclass(frozen=True, slots=True)
class _Found:
    """What a shape came to."""

    folder: Path
    windows: int
    spent: Timing | None
    figures: dict[str, float]


def _trained(shape: Shape, windows: int, folder: Path) -> tuple[int, Timing]:
    """Train, or go on with what lies in the folder, and save the model there."""
    logging.disable_progress_bar()
    model = shape.model()
    plan = Plan(steps=steps_of(windows), learning_rate=4e-3, seed=SEED)
    trained = train(model, prior_source(SEED, BATCH), plan, folder)
    model.save_pretrained(folder / "model")
    return trained.progress.windows, once(trained.progress.seconds)


def steps_of(windows: int) -> int:
    """Return the steps that show at least so many windows."""
    steps, seen = 0, 0
    while seen < windows:
        seen += draw_shape(np.random.Generator(np.random.SFC64([SEED, steps])), BATCH).windows
        steps += 1
    return steps


def _accuracy(
    folder: Path, looked_at: list[Sample], shared: Path | None, say: Callable[[str], None]
) -> dict[str, float]:
    model = DemandLM.from_pretrained(folder)
    scores = evaluate(model, looked_at)
    parameters = float(sum(weight.numel() for weight in model.parameters()))
    found = {PARAMETERS: parameters, HELD_BACK: scores.single, TOTALS: scores.total}
    if shared is not None:
        found[REAL] = exp(float(np.mean(list(_losses(folder, shared, say)))))
    return found


def _speeds(folders: dict[str, Path]) -> dict[str, float]:
    """Return series per second of each model, called in turns: a noisy minute hits all of them."""
    panel = histories(4 * rows_of(contexts(Period.DAY, CONTEXT)[-1]), CONTEXT)
    calls: dict[str, Callable[[], object]] = {}
    for who, folder in folders.items():
        server = DemandLMServer.load(folder)
        server.model.config.context = CONTEXT
        calls[who] = partial(answers, server, panel)
    timings = measure(calls, repeats=15, budget=20.0)
    return {who: panel.series / timing.median for who, timing in timings.items()}


def _losses(folder: Path, shared: Path, say: Callable[[str], None]) -> Iterator[float]:
    for row in task_rows(shared, [str(folder)], (), None, 1, say):
        yield log(row.figures["of naive"])
