"""Which patches share a token: old ones, so that a long history costs few tokens.

The newest patches have a token each; older ones share, four to a token, then thirteen: of days a quarter in weeks, the
rest of a year in four weeks, then quarters. What a group says is the mean of its patches, and in attention it counts as
many times as it has patches.

B rows, N patches of the past and ahead, G groups.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

SHARED = ((4, 10), (13, None))  # patches to a token and how many such tokens, going back from the newest


def group_sizes(past: int, recent: int) -> list[int]:
    """Return the patches of each group, oldest first, of `past` patches of which `recent` have a token of their own.

    With `recent` 0 every patch has its own.

    Examples
    --------
    >>> group_sizes(10, 4)
    [2, 4, 1, 1, 1, 1]
    """
    if recent == 0 or past <= recent:
        return [1] * past
    sizes, left = [1] * recent, past - recent
    for size, most in SHARED:
        count = 0
        while left > 0 and (most is None or count < most):
            sizes.append(min(size, left))
            left -= sizes[-1]
            count += 1
    return sizes[::-1]


@lru_cache(maxsize=64)
def membership(past: int, ahead: int, recent: int) -> tuple[Tensor | None, Tensor]:
    """Return which patch is in which group, (G, N), and the patch in the middle of each group, (G,).

    None in place of the first: every patch is a group.
    """
    sizes = group_sizes(past, recent) + [1] * ahead
    ends = torch.tensor(sizes).cumsum(0)
    begins = ends - torch.tensor(sizes)
    middle = (begins + ends - 1) // 2
    if len(sizes) == past + ahead:
        return None, middle
    patch = torch.arange(past + ahead)
    return ((patch >= begins[:, None]) & (patch < ends[:, None])).float(), middle


def shares(member: Tensor, alive: Tensor) -> tuple[Tensor, Tensor]:
    """Return what each patch counts in the mean of its group, (B, G, N), and the patches that exist in it, (B, G)."""
    held = member * alive[:, None]
    count = held.sum(-1)
    return held / count.clamp(min=1.0)[:, :, None], count
