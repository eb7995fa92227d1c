"""The pinball loss of both heads, in units in which slow and fast movers count alike."""

from __future__ import annotations

import torch
from torch import Tensor

CAP = 5.0  # a window that sells more than this many times its history's scale is not given more weight for it


def pinball(quantiles: Tensor, target: Tensor, levels: Tensor) -> Tensor:
    """Return max(q (y - x), (q - 1)(y - x)) for target y (…,) and quantiles x (…, Q): (…, Q)."""
    error = target[..., None] - quantiles
    return torch.maximum(levels * error, (levels - 1.0) * error)


def pinball_loss(
    quantiles: Tensor, totals: Tensor, scale: Tensor, target: Tensor, weight: Tensor, levels: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the loss of the periods and that of the totals of 1…k, each a mean over all that counts.

    The errors are divided by the scale of the history, which was known before: dividing by the target's own mean would
    weigh outcomes by what they turned out to be, and pull every quantile down. Only targets beyond `CAP` scales are
    divided by more. The total of k periods is divided by √k more than its mean: so far ahead and near count alike.

    Parameters
    ----------
    quantiles, totals, scale
        What `DemandLM.forward` returns: (B, H, Q), (B, H, Q) and (B,), in units of the scale.
    target
        (B, H) true demand, units per period.
    weight
        (B, H) what each period counts, 0 where the demand is not known; the total of 1…k counts up to the first 0.
    levels
        (Q,) the probabilities of the quantiles.
    """
    y = target / scale[:, None]
    known = weight.sum(1).clamp(min=1e-6)
    size = ((y * weight).sum(1) / known / CAP).clamp(min=1.0)
    single = (pinball(quantiles, y, levels).mean(-1) * weight).sum(1) / size
    k = torch.arange(1, y.shape[1] + 1, device=y.device, dtype=y.dtype)
    counts = weight.cummin(dim=1).values
    of_totals = pinball(totals, y.cumsum(1) / k, levels).mean(-1) * k.sqrt()
    total = (of_totals * counts).sum(1) / size
    return single.sum() / weight.sum().clamp(min=1e-6), total.sum() / counts.sum().clamp(min=1e-6)
