"""What periods of like price, promotion and event did to a series: how it answers to what is planned.

The past periods whose plans were most like those of a coming one, weighed by how alike they are, sold so much of the
level of their time: a regression on neighbours (Nadaraya 1964, Watson 1964) for each series by itself. It begins with
no effect at all and asks for evidence by the series' own scatter.

B rows, C periods of context, H periods ahead.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from fullshelf.engine.calendar import Period
from fullshelf.engine.event_covariate import CODES
from fullshelf.engine.models.demand_lm.batch import COVARIATES, ContextBatch
from fullshelf.engine.models.demand_lm.ratios import ratio

LOCAL = {Period.DAY: 28, Period.WEEK: 6, Period.MONTH: 4}  # periods to each side that make a level of that time
FORGOTTEN = {Period.DAY: 730, Period.WEEK: 156, Period.MONTH: 60}  # memory of what plans did, periods
LIKE = {"price": 0.08, "promo": 0.25}  # differences at which two plans are 1/e alike
UNKNOWN = 0.1  # likeness of a period of which no plan is known to one of which it is
UNLIKE = (9.0, 6.0)  # a period without an event is exp(-9) like one with, without a routine exp(-6): they are many
FARTHEST = -80.0  # below it numbers lose their digits, and a CPU its speed
CODE_WIDTH = 16  # numbers of a vector that stands for a name
PLAN_PRIOR = 1.0  # variances by the mean that the effect of a plan starts with, in units


def effect_of_plans(batch: ContextBatch, value: Tensor, expected: Tensor, settled: Tensor) -> tuple[Tensor, Tensor]:
    """Return what periods of like price, promotion and event sold by the level of their time (B, H), and their number.

    1 and 0 for a series of which no plan is known, or that fills the context with one and the same.
    """
    B, C, H = value.shape[0], value.shape[1], batch.horizon
    period, plan = batch.period, batch.covariates
    columns = {name: plan[:, :, COVARIATES.index(name)] for name in (*LIKE, "known")}
    varies = torch.zeros(B, dtype=torch.bool, device=value.device)
    for name in LIKE:
        varies |= columns[name].amax(1) > columns[name].amin(1)
    if batch.events is not None:
        varies |= batch.events.amax((1, 2)) > 0
    if value.device.type == "cpu" and not bool(varies.any()):  # asking a GPU would wait for it
        return value.new_ones(B, H), value.new_zeros(B, H)
    alike = _likeness(columns, batch.events, C, period)
    local = expected * _local_level(value, expected, period)
    sold = torch.bmm(alike, torch.stack([value, local, expected], dim=-1))
    start = (PLAN_PRIOR * ratio(((value - local) ** 2).sum(1), local.sum(1)) + 0.01 * settled + 1e-6)[:, None]
    effect = (sold[..., 0] + start) / (sold[..., 1] + start)
    return (
        torch.where(varies[:, None], effect, 1.0),
        torch.where(varies[:, None], sold[..., 2], 0.0),
    )


def _likeness(columns: dict[str, Tensor], events: Tensor | None, C: int, period: Period) -> Tensor:
    """Return how alike the plans of each period ahead and of each past one are, (B, H, C), less the older.

    exp(-d²) with d² the sum of squared differences: of price and promotion in units of `LIKE`, of events and routines
    between the vectors of their names. Written as one product of matrices, since d² is a sum of products of what is
    planned and what was. Where the plan of a period ahead is not known, all are alike in it.
    """
    x = {name: columns[name] / like for name, like in LIKE.items()}
    known, planned = columns["known"][:, :C], columns["known"][:, C:]
    past, ahead = ({name: v[:, part] for name, v in x.items()} for part in (slice(0, C), slice(C, None)))
    age = torch.arange(C, dtype=known.dtype, device=known.device).flip(0)
    squares = known * (past["price"] ** 2 + past["promo"] ** 2) - math.log(UNKNOWN) * (1.0 - known)
    by_time = (-age / FORGOTTEN[period]).expand_as(known)
    by_step = torch.zeros_like(planned)
    left, right = [], []
    if events is not None:
        for k, unlike in enumerate(UNLIKE):
            code = events[:, :, k].int()
            table = _code_vectors(code.device) * math.sqrt(unlike)
            vectors, there = table[code], (code > 0).to(known.dtype) * unlike
            by_time, by_step = by_time - there[:, :C], by_step - there[:, C:]
            left.append(2.0 * vectors[:, C:])
            right.append(vectors[:, :C])
    left.append(
        torch.stack(
            [
                2.0 * planned * ahead["price"],
                2.0 * planned * ahead["promo"],
                by_step,
                -planned * (ahead["price"] ** 2 + ahead["promo"] ** 2),
                -planned,
                torch.ones_like(planned),
            ],
            dim=-1,
        )
    )
    right.append(
        torch.stack(
            [known * past["price"], known * past["promo"], torch.ones_like(known), known, squares, by_time], dim=-1
        )
    )
    return torch.bmm(torch.cat(left, -1), torch.cat(right, -1).mT).clamp_(FARTHEST, 0.0).exp_()


@cache
def _code_vectors(device: torch.device) -> Tensor:
    """Return a vector of length 1 for each code, (CODES + 1, CODE_WIDTH), nothing for 0: two names are hardly alike."""
    found = np.random.Generator(np.random.SFC64(CODES)).standard_normal((CODES + 1, CODE_WIDTH))
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    found[0] = 0
    return torch.from_numpy(found.astype(np.float32)).to(device)


def _local_level(value: Tensor, expected: Tensor, period: Period) -> Tensor:
    """Return the level without season of the periods around each one, (B, C)."""
    C, around = value.shape[1], LOCAL[period]
    place = torch.arange(C, device=value.device)
    last, first = (place + around + 1).clamp(max=C), (place - around).clamp(min=0)
    sums = (pad(x.double().cumsum(1), (1, 0)) for x in (value, expected))  # differences of large sums
    total, weight = ((x[:, last] - x[:, first]).to(value.dtype) for x in sums)
    return ratio(total, weight).clamp(min=0.0)
