"""Ratios of sums of which the lower may be nothing."""

from __future__ import annotations

import torch
from torch import Tensor


def ratio(total: Tensor, weight: Tensor) -> Tensor:
    """Return total / weight, 0 where the weight is next to nothing."""
    return torch.where(weight > 1e-3, total / weight.clamp(min=1e-3), 0.0)
