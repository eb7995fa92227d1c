"""Train the network: drawn instances, a simulated shop, the gradient of its cost, Adam; no labels anywhere.

This is direct backpropagation of costs through a simulator that is differentiable (Madeka, Torkkola, Eisenach, Luo,
Foster and Kakade 2022, Deep Inventory Management; Alvo, Russo and Kanoria 2023, Neural Inventory Control in Networks
via Hindsight Differentiable Policy Optimization). One network learns a whole range of instances.

The same seed and steps on the same machine give the same weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fullshelf.engine.models.learned_policy.instances import Instances, draw_instances
from fullshelf.engine.models.learned_policy.network import Known, OrderNetwork, Orders
from fullshelf.engine.models.learned_policy.simulator import simulated_costs
from fullshelf.kernels.order_network import LONGEST

WARM = 10  # periods that do not count: the shop begins with two periods of demand, and one on each way
SCORED = 42
DRIFTING = 0.4  # share of steps on drifting demand
CLIP = 1.0  # largest norm of a gradient
KEEP = 0.98  # of the average of weights, from step to step
LOOK = 48  # instances of each kind in a look at those held back
HELD_BACK = 1_000_000  # first of the steps whose instances are never trained on


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how fast."""

    steps: int = 450
    instances: int = 192  # in a step
    learning_rate: float = 4e-3  # falls to a hundredth along a half cosine
    check_every: int = 100  # steps
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Gain:
    """Cost of the network's orders over that of the formula's, same demand, on instances held back."""

    lead: int
    drifting: bool
    ratio: float  # of the sums over the instances, each by its yardstick
    error: float  # standard error of the ratio


def train(
    plan: Plan,
    report: Callable[[dict[str, Any]], None] = lambda _line: None,
    stop: Callable[[], bool] = lambda: False,
) -> tuple[OrderNetwork, int]:
    """Train a network; return it, its weights averaged over the last steps, and the steps done.

    `report` gets a line for each step, now and then with `ratio`, the mean of `held_back`.
    """
    torch.manual_seed(plan.seed)
    network, average = OrderNetwork(), OrderNetwork()
    optimizer = torch.optim.Adam(network.parameters(), plan.learning_rate)
    rng = np.random.default_rng(plan.seed)
    step = 0
    while step < plan.steps and not stop():
        for group in optimizer.param_groups:
            group["lr"] = plan.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * step / plan.steps)))
        lead, drifting = int(rng.integers(1, LONGEST + 1)), bool(rng.random() < DRIFTING)
        given = draw_instances(plan.seed, step, lead, plan.instances, WARM + SCORED, drifting)
        loss = relative_costs(given, network).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), CLIP)
        optimizer.step()
        optimizer.zero_grad()
        step += 1
        keep = min(KEEP, step / (step + 10))
        with torch.no_grad():
            for held, new in zip(average.parameters(), network.parameters(), strict=True):
                held.copy_(new) if step == 1 else held.lerp_(new, 1 - keep)
        if step % plan.check_every == 0:
            gains = held_back(average, plan.seed, LOOK, SCORED)
            report({"step": step, "ratio": sum(g.ratio for g in gains) / len(gains)})
        else:
            report({"step": step})
    return average, step


def relative_costs(given: Instances, network: OrderNetwork | None) -> Tensor:
    """Return the cost (B,) of the scored periods over the instance's yardstick."""
    known = Known.of(given)

    def tensor(values: np.ndarray) -> Tensor:
        return torch.as_tensor(values, dtype=known.rate.dtype)

    whole = torch.as_tensor(given.whole)
    usual = known.rate * tensor(given.scale[:, 0])
    usual = torch.where(whole, usual.round(), usual)
    costs = simulated_costs(
        Orders(known, network), tensor(given.demand), tensor(given.scale), known.holding, known.shortage, given.lead,
        on_hand=2 * usual, coming=usual[:, None].repeat(1, given.lead), whole=whole,
    )  # fmt: skip
    return costs[:, WARM:].mean(1) / tensor(given.yardstick)


@torch.no_grad()
def held_back(network: OrderNetwork, seed: int, instances: int = 256, scored: int = 4 * SCORED) -> list[Gain]:
    """Compare the network with the formula on instances that no step has seen, over so many periods each."""
    gains = []
    for lead in range(1, LONGEST + 1):
        for drifting in (False, True):
            given = draw_instances(seed, HELD_BACK + lead, lead, instances, WARM + scored, drifting)
            ours, base = relative_costs(given, network), relative_costs(given, None)
            ratio = float(ours.sum() / base.sum())
            error = float((ours - ratio * base).std() * math.sqrt(instances) / base.sum())
            gains.append(Gain(lead, drifting, ratio, error))
    return gains


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute with one thread: the arrays are small, and the sums do not depend on how many cores there are.

    >>> with one_thread():
    ...     torch.get_num_threads()
    1
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
