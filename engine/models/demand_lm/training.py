"""Training of DemandLM: AdamW, warm-up–stable–decay, averaged weights, on windows that a thread prepares meanwhile.

A step's windows depend on the seed and the step's number alone, so a run that was interrupted goes on bit by bit as if
it had not been. Started by `accelerate launch` or `torchrun`, the processes share each step, each with windows of its
own. On a CPU that others used too, two processes of one thread trained 300 windows a second, one of two threads 37.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import broadcast
from torch.nn.attention import SDPBackend, sdpa_kernel

from fullshelf.engine.models.demand_lm.loss import pinball_loss
from fullshelf.engine.models.demand_lm.modeling import DemandLM
from fullshelf.engine.models.demand_lm.prior import Sample
from fullshelf.engine.models.demand_lm.training_state import (
    Average,
    Progress,
    has_checkpoint,
    load_checkpoint,
    save_checkpoint,
)

Source = Callable[[int], Sample]  # the windows of a step
LOG = "log.jsonl"
AHEAD = 3  # steps whose windows are prepared while another is worked on


@dataclass(frozen=True, slots=True)
class Plan:
    """How a run trains. It ends after `steps` or `minutes`, whichever comes first; one of them must be given."""

    steps: int | None = None
    minutes: float | None = None
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    warm_up: int = 200  # steps
    decay: float = 0.25  # share of the run in which the learning rate falls to nothing
    clip: float = 1.0  # largest norm of the gradient
    total_weight: float = 0.4  # of the running totals' loss, which is √k larger
    average: float = 0.998  # of the averaged weights kept at a step
    seed: int = 0
    check_every: int = 500  # steps between two looks at the held-back windows
    save_minutes: float = 5.0  # between two checkpoints
    mixed_precision: str | None = None  # None: bf16 where the hardware has it, else no

    def __post_init__(self) -> None:
        if self.steps is None and self.minutes is None:
            raise ValueError("Plan: give steps, minutes or both")

    def share_done(self, progress: Progress) -> float:
        """Return how much of the run is over, 0…1."""
        by_steps = progress.step / self.steps if self.steps else 0.0
        by_time = progress.seconds / 60 / self.minutes if self.minutes else 0.0
        return min(1.0, max(by_steps, by_time))

    def rate(self, progress: Progress) -> float:
        """Return the learning rate: a rise over `warm_up` steps, a plateau, a straight fall to a hundredth."""
        rise = min(1.0, (progress.step + 1) / self.warm_up) if self.warm_up else 1.0
        left = 1.0 - self.share_done(progress)
        fall = min(1.0, left / self.decay) if self.decay else 1.0
        return self.learning_rate * rise * max(fall, 0.01)


@dataclass(frozen=True, slots=True)
class Scores:
    """Mean losses over held-back windows."""

    single: float
    total: float

    def objective(self, total_weight: float) -> float:
        """Return the loss that training lowers."""
        return self.single + total_weight * self.total


@dataclass(frozen=True, slots=True)
class Trained:
    """What a run came to."""

    progress: Progress
    scores: Scores | None  # of the averaged weights, on the held-back windows
    complete: bool  # False: it was asked to stop


def train(
    model: DemandLM,
    source: Source,
    plan: Plan,
    folder: Path,
    held_back: list[Sample] | None = None,
    stop: Callable[[], bool] = lambda: False,
    report: Callable[[dict[str, Any]], None] = lambda _: None,
    checked: Callable[[DemandLM, Scores], bool] = lambda _model, _scores: False,
) -> Trained:
    """Train the model in place; at the end it holds the averaged weights.

    Parameters
    ----------
    model
        Where to start from; a checkpoint in the folder takes its place.
    source
        Windows of each step; called in a thread, and again for the same step after an interruption.
    folder
        For checkpoints and the log (`log.jsonl`: one line for each look at the held-back windows, and each 50 steps).
    held_back
        Windows to look at; never trained on.
    stop
        Asked after each step; True ends the run after a checkpoint.
    report
        Called with each line of the log.
    checked
        Called after each look at the held-back windows with the averaged weights in the model; True ends the run.
    """
    AcceleratorState._reset_state()  # a process may train twice, each time with a precision of its own
    accelerator = Accelerator(cpu=not torch.cuda.is_available(), mixed_precision=plan.mixed_precision or _precision())
    model.get_input_embeddings().requires_grad_(False)  # read by nobody; loading weights thawed it
    optimizer = torch.optim.AdamW(_groups(model, plan), lr=plan.learning_rate, betas=(0.9, 0.98), eps=1e-8, fused=True)
    folder.mkdir(parents=True, exist_ok=True)
    model.to(accelerator.device)
    average = Average(model, plan.average)
    progress = Progress(0, 0, 0.0)
    if has_checkpoint(folder):
        progress = load_checkpoint(folder, model, average, optimizer)
    prepared, prepared_optimizer = accelerator.prepare(model, optimizer)
    levels = torch.tensor(model.config.levels, device=accelerator.device)
    complete, scores, saved = True, None, time.monotonic()

    with _log(folder / LOG, progress.step, accelerator.is_main_process, report) as write:
        seen: list[float] = []
        began = time.monotonic()
        for sample in _prepared(source, progress.step):
            progress, stopping = _agreed(accelerator, progress, stop())
            if plan.share_done(progress) >= 1:
                break
            if stopping:
                complete = False
                break
            rate = plan.rate(progress)
            for group in optimizer.param_groups:
                group["lr"] = rate
            prepared.train()
            loss = _step(prepared, prepared_optimizer, accelerator, on(sample, accelerator.device), levels, plan)
            average.update(accelerator.unwrap_model(prepared))
            seen.append(loss)
            progress = Progress(
                progress.step + 1,
                progress.windows + sample.kind.size * accelerator.num_processes,
                progress.seconds + time.monotonic() - began,
            )
            began = time.monotonic()
            if progress.step % 50 == 0:
                speed = progress.windows / max(progress.seconds, 1e-9)
                write(progress, {"loss": sum(seen) / len(seen), "rate": rate, "windows_per_second": round(speed, 1)})
                seen.clear()
            if held_back and progress.step % plan.check_every == 0:
                average.swap(model)
                scores = evaluate(model, held_back)
                write(progress, {"held_back": scores.single, "held_back_total": scores.total})
                enough = checked(model, scores)
                average.swap(model)
                if enough:
                    break
            if accelerator.is_main_process and time.monotonic() - saved > 60 * plan.save_minutes:
                save_checkpoint(folder, model, average, optimizer, progress)
                saved = time.monotonic()
        if accelerator.is_main_process:
            save_checkpoint(folder, model, average, optimizer, progress)
        average.swap(model)
        if complete and held_back:
            scores = evaluate(model, held_back)
            write(progress, {"held_back": scores.single, "held_back_total": scores.total})
            checked(model, scores)
    model.train(False)
    return Trained(progress, scores, complete)


def _step(
    model: torch.nn.Module,
    optimizer: Any,
    accelerator: Accelerator,
    sample: Sample,
    levels: torch.Tensor,
    plan: Plan,
) -> float:
    on_cpu = accelerator.device.type == "cpu"
    plain = sdpa_kernel(SDPBackend.MATH) if on_cpu else nullcontext()  # fused bf16 attention: backward 2.5 × slower
    with accelerator.autocast(), plain:
        quantiles, totals, scale = model(sample.batch)
    single, total = pinball_loss(quantiles, totals, scale, sample.target, sample.weight, levels)
    loss = single + plan.total_weight * total
    accelerator.backward(loss)
    norm = accelerator.clip_grad_norm_(model.parameters(), plan.clip)
    if bool(torch.isfinite(norm)):  # a step that went wrong is left out
        optimizer.step()
    optimizer.zero_grad()
    return float(loss.detach())


@torch.no_grad()
def evaluate(model: DemandLM, held_back: list[Sample]) -> Scores:
    """Return the mean losses on the windows, each batch alike."""
    device = next(model.parameters()).device
    levels = torch.tensor(model.config.levels, device=device)
    model.train(False)
    found = []
    for sample in held_back:
        here = on(sample, device)
        quantiles, totals, scale = model(here.batch)
        losses = pinball_loss(quantiles, totals, scale, here.target, here.weight, levels)
        found.append((float(losses[0]), float(losses[1])))
    single, total = (math.fsum(part) / len(found) for part in zip(*found, strict=True))
    return Scores(single, total)


def on(sample: Sample, device: torch.device) -> Sample:
    """Return the sample on a device."""
    if device.type == "cpu":
        return sample
    batch = sample.batch

    def moved(values: torch.Tensor) -> torch.Tensor:
        return values.pin_memory().to(device, non_blocking=True)

    there = replace(
        batch,
        units=moved(batch.units),
        exists=moved(batch.exists),
        observed=moved(batch.observed),
        covariates=moved(batch.covariates),
        static=None if batch.static is None else moved(batch.static),
        events=None if batch.events is None else moved(batch.events),
    )
    return replace(sample, batch=there, target=moved(sample.target), weight=moved(sample.weight))


def _agreed(accelerator: Accelerator, progress: Progress, stopping: bool) -> tuple[Progress, bool]:
    """Let the first process say how long it has been and whether to stop: all must end at the same step."""
    if accelerator.num_processes == 1:
        return progress, stopping
    said = torch.tensor([progress.seconds, float(stopping)], dtype=torch.float32, device=accelerator.device)
    seconds, stop = broadcast(said, from_process=0).tolist()
    return replace(progress, seconds=seconds), bool(stop)


def _groups(model: DemandLM, plan: Plan) -> list[dict[str, Any]]:
    """Return the weights to train: matrices shrink towards zero, vectors do not."""
    trained = [p for p in model.parameters() if p.requires_grad]
    return [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": plan.weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]


def _precision() -> str:
    """Return bf16 where the hardware multiplies it: 1.5 to 2 times the windows a second on a CPU with AMX."""
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported() else "no"
    return "bf16" if torch.cpu.get_capabilities().get("amx_bf16") else "no"


def _prepared(source: Source, first: int) -> Iterator[Sample]:
    """Yield the windows of each step from the first on; a thread stays `AHEAD` steps ahead."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="windows") as pool:
        waiting = [pool.submit(source, first + k) for k in range(AHEAD)]
        try:
            while True:
                yield waiting.pop(0).result()
                first += 1
                waiting.append(pool.submit(source, first + AHEAD - 1))
        finally:
            for future in waiting:
                future.cancel()


@contextmanager
def _log(
    path: Path, step: int, here: bool, report: Callable[[dict[str, Any]], None]
) -> Iterator[Callable[[Progress, dict[str, Any]], None]]:
    """Open the log; lines of steps after `step`, of a run that stopped without a checkpoint, are dropped."""
    if not here:
        yield lambda _progress, _content: None
        return
    kept = [line for line in path.read_text().splitlines() if json.loads(line)["step"] <= step] if path.exists() else []
    path.write_text("".join(f"{line}\n" for line in kept))
    with path.open("a", buffering=1) as file:

        def write(progress: Progress, content: dict[str, Any]) -> None:
            line = {"step": progress.step, "windows": progress.windows, "seconds": round(progress.seconds, 1)} | content
            file.write(json.dumps(line) + "\n")
            report(line)

        yield write
