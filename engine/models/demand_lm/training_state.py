"""What a training run is at a step: weights, their average, the optimiser, the step; in a folder, replaced whole."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from fullshelf.engine.errors import InputError

LATEST = "checkpoint"  # the newest complete one, in the run's folder


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run has come."""

    step: int  # steps done
    windows: int  # windows seen
    seconds: float  # spent in training, over all calls


class Average:
    """An exponential average of a model's weights, which forgets little by little: its horizon grows with the steps."""

    def __init__(self, model: nn.Module, keep: float) -> None:
        self.keep = keep
        self.weights = {name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad}
        self.steps = 0

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Take in the weights of one more step."""
        self.steps += 1
        keep = min(self.keep, self.steps / (self.steps + 10))
        for name, p in model.named_parameters():
            if name in self.weights:
                self.weights[name].lerp_(p.detach(), 1 - keep)

    @torch.no_grad()
    def swap(self, model: nn.Module) -> None:
        """Exchange the model's weights with the average; called twice, all is as before."""
        for name, p in model.named_parameters():
            if name in self.weights:
                held = p.detach().clone()
                p.copy_(self.weights[name])
                self.weights[name].copy_(held)


def save_checkpoint(
    folder: Path, model: nn.Module, average: Average, optimizer: torch.optim.Optimizer, progress: Progress
) -> None:
    """Write a checkpoint under a temporary name, then put it in the place of the last one."""
    new, old, place = folder / f"{LATEST}.new", folder / f"{LATEST}.old", folder / LATEST
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    tensors = {f"model.{k}": v for k, v in model.state_dict().items()}
    tensors |= {f"average.{k}": v for k, v in average.weights.items()}
    scalars: dict[str, Any] = {"progress": asdict(progress), "average_steps": average.steps}
    state = optimizer.state_dict()
    for number, held in state["state"].items():
        for name, value in held.items():
            tensors[f"optimizer.{number}.{name}"] = torch.as_tensor(value)
    scalars["groups"] = state["param_groups"]
    save_file({k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}, new / "state.safetensors")
    (new / "state.json").write_text(json.dumps(scalars))
    shutil.rmtree(old, ignore_errors=True)
    if place.exists():
        place.rename(old)
    new.rename(place)
    shutil.rmtree(old, ignore_errors=True)


def has_checkpoint(folder: Path) -> bool:
    """Tell whether the folder holds a checkpoint; one that was being replaced counts."""
    place, old = folder / LATEST, folder / f"{LATEST}.old"
    if not place.exists() and old.exists():
        os.rename(old, place)  # noqa: PTH104 - atomic
    return (place / "state.json").exists()


def load_checkpoint(folder: Path, model: nn.Module, average: Average, optimizer: torch.optim.Optimizer) -> Progress:
    """Put model, average and optimiser in the state of the folder's checkpoint.

    Raises
    ------
    InputError
        If the checkpoint belongs to a model of another shape.
    """
    place = folder / LATEST
    scalars = json.loads((place / "state.json").read_text())
    tensors = load_file(place / "state.safetensors")
    parts: dict[str, dict[str, Tensor]] = {"model": {}, "average": {}, "optimizer": {}}
    for name, value in tensors.items():
        part, rest = name.split(".", 1)
        parts[part][rest] = value
    expected = {k: v.shape for k, v in model.state_dict().items()}
    if {k: v.shape for k, v in parts["model"].items()} != expected:
        raise InputError(f"{place} holds a model of another shape; choose another output folder, or delete this one")
    model.load_state_dict(parts["model"])
    for name, value in parts["average"].items():
        average.weights[name].copy_(value)
    average.steps = scalars["average_steps"]
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in parts["optimizer"].items():
        number, field = name.split(".")
        state.setdefault(int(number), {})[field] = value
    optimizer.load_state_dict({"state": state, "param_groups": scalars["groups"]})
    return Progress(**scalars["progress"])
