"""The network in torch, and what it reads and answers: `kernels.order_network` that gradients can pass through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fullshelf.engine.models.learned_policy.instances import Instances
from fullshelf.kernels.demand_paths import path_nodes
from fullshelf.kernels.forecast_shapes import requirement_slopes
from fullshelf.kernels.levels import level_array
from fullshelf.kernels.order_network import (
    FARTHEST,
    FEATURES,
    LEAST_KNOWN,
    LEAST_SCORE,
    MARKS,
    MOST,
    REACH,
    SLOTS,
    Weights,
)

WIDTH = 32
GRID = np.concatenate([[0.0], level_array()])
TAIL = 5.0  # the tail begins where the upper probability is so many times that of the last level, as in quantile_grid


class OrderNetwork(nn.Module):
    """Two hidden layers of softsign; at first it corrects nothing."""

    def __init__(self, width: int = WIDTH) -> None:
        super().__init__()
        self.first, self.second, self.last = nn.Linear(FEATURES, width), nn.Linear(width, width), nn.Linear(width, 1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, given: Tensor) -> Tensor:
        """Return the correction (B,) of the score for features (B, FEATURES)."""
        softsign = nn.functional.softsign
        deeper = softsign(self.second(softsign(self.first(given))))
        return REACH * softsign(self.last(deeper).squeeze(-1))

    def weights(self) -> Weights:
        """Return the weights as the kernel takes them."""
        layers = (self.first, self.second, self.last)
        arrays = [p.detach().double().numpy().copy() for layer in layers for p in (layer.weight, layer.bias)]
        return Weights(arrays[0], arrays[1], arrays[2], arrays[3], arrays[4][0], arrays[5])


@dataclass(frozen=True, slots=True)
class Known:
    """What does not change from period to period, as tensors; see `Instances`."""

    given: Instances
    lead: int
    rate: Tensor
    arriving: Tensor
    shape: Tensor
    score: Tensor
    holding: Tensor
    shortage: Tensor

    @classmethod
    def of(cls, given: Instances, dtype: torch.dtype = torch.float32) -> Known:
        """Take them over."""

        def tensor(values: np.ndarray) -> Tensor:
            return torch.as_tensor(values, dtype=dtype)

        return cls(
            given, given.lead, tensor(given.rate), tensor(given.arriving), tensor(given.shape), tensor(given.score),
            tensor(given.holding), tensor(given.shortage),
        )  # fmt: skip


def hinge(x: Tensor) -> Tensor:
    """Return max(x, 0) whose slope at 0 is one half: on whole units the mean of the slopes on both sides."""
    return 0.5 * (x + x.abs())


class _Requirement(torch.autograd.Function):
    """The planner's requirement, with the slopes that its kernel gives."""

    @staticmethod
    def forward(ctx: Any, on_hand: Tensor, coming: Tensor, given: Instances) -> tuple[Tensor, Tensor]:
        (B, L), K = coming.shape, given.arriving.shape[1]
        need, lost, slope, lost_slope = (np.empty(shape) for shape in ((B, K), (B,), (B, K, L + 1), (B, L + 1)))
        requirement_slopes(
            given.paths, path_nodes().weight, given.switch, given.arriving, GRID, on_hand.detach().double().numpy(),
            np.ascontiguousarray(coming.detach().double().numpy()), need, lost, slope, lost_slope,
        )  # fmt: skip
        answers = [torch.as_tensor(array, dtype=on_hand.dtype) for array in (need, lost, slope, lost_slope)]
        ctx.save_for_backward(*answers[2:])
        return answers[0], answers[1]

    @staticmethod
    def backward(ctx: Any, of_need: Tensor, of_lost: Tensor) -> tuple[Tensor, Tensor, None]:
        slope, lost_slope = ctx.saved_tensors
        moved = torch.einsum("bk,bkj->bj", of_need, slope) + of_lost[:, None] * lost_slope
        return moved[:, 0], moved[:, 1:], None


class Orders:
    """The orders of a network, or of the formula that it corrects."""

    def __init__(self, known: Known, network: OrderNetwork | None = None) -> None:
        self._known, self._network = known, network
        dtype = known.rate.dtype
        levels = GRID
        self._levels = torch.as_tensor(levels, dtype=dtype)
        self._marks = [int(np.flatnonzero(np.isclose(levels, mark))[0]) for mark in MARKS]
        last = levels[-1]
        self._anchor = int(np.flatnonzero(1 - levels <= TAIL * (1 - last) + 1e-6)[0])
        self._per_tail = float(1.0 / np.log((1 - levels[self._anchor]) / (1 - last)))

    def need(self, on_hand: Tensor, coming: Tensor) -> tuple[Tensor, Tensor]:
        """Return the requirement's knots (B, K), and the units expected to be lost before (B,), at scale 1.

        Parameters
        ----------
        on_hand
            (B,) units now, at the end of a period.
        coming
            (B, L) units that arrive for the next periods.
        """
        need, lost = _Requirement.apply(on_hand, coming, self._known.given)  # type: ignore[no-untyped-call]
        return need, lost

    def features(self, on_hand: Tensor, coming: Tensor, need: Tensor, lost: Tensor, formula: Tensor) -> Tensor:
        """Return what the network reads (B, FEATURES), as `order_network.order_features`."""
        k, L = self._known, self._known.lead
        spread, mean, middle, of_total = k.shape.unbind(1)
        newest = [coming[:, L - 1 - i] if i < L - 1 else torch.zeros_like(on_hand) for i in range(SLOTS)]
        apart = (need[:, self._marks] - k.arriving[:, self._marks]) / spread[:, None]
        position, first = on_hand + coming.sum(1), on_hand + coming[:, 0]
        return torch.stack(
            [
                *(0.5 * (units / k.rate).clamp(0.0, MOST) for units in newest),
                *(0.25 * apart.clamp_min(-FARTHEST)).unbind(1),
                0.5 * k.score,
                formula,
                torch.full_like(on_hand, 1.0 / (1.0 + L)),
                spread / (spread + k.rate),
                (position / (k.rate * (L + 1))).clamp(0.0, MOST),
                0.5 * (first / k.rate).clamp(0.0, MOST),
                lost / (k.rate * L),
                (middle - mean) / spread,
                of_total / (spread * np.sqrt(L + 1.0)),
            ],
            dim=1,
        )

    def __call__(self, on_hand: Tensor, coming: Tensor, scale: Tensor) -> Tensor:
        """Return the orders (B,) before whole units, units."""
        k, L = self._known, self._known.lead
        on_hand, coming = on_hand / scale, coming / scale[:, None]
        need, lost = self.need(on_hand, coming)
        covered = ((on_hand + coming.sum(1)) / (k.rate * L)).clamp(0.0, 1.0)
        known = 1.0 - covered * (L / (L + 1))
        if self._network is not None:
            moved = self._network(self.features(on_hand, coming, need, lost, known))
            known = (known + moved / k.score.clamp_min(LEAST_SCORE)).clamp(LEAST_KNOWN, 1.0)
        both = k.shortage + k.holding
        underage = torch.minimum(k.shortage, both * torch.special.ndtr(k.score * known))
        return hinge(self._value_at(need, underage / (underage + k.holding))) * scale

    def _value_at(self, need: Tensor, level: Tensor) -> Tensor:
        """`quantile_grid.value_at` of each curve at its own level (B,)."""
        last = self._levels.numel() - 1
        place = torch.searchsorted(self._levels, level.detach(), right=True).clamp(1, last)
        low, high = need.gather(1, place[:, None] - 1)[:, 0], need.gather(1, place[:, None])[:, 0]
        start, end = self._levels[place - 1], self._levels[place]
        inside = low + (high - low) * ((level - start) / (end - start)).clamp_max(1.0)
        rest = 1.0 - self._levels[last]
        scale = (need[:, last] - need[:, self._anchor]) * self._per_tail
        return inside + scale * hinge(torch.log(rest / (1.0 - level).clamp_min(1e-9)))
