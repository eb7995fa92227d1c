"""What DemandLM reads of a history, computed without learning: its scale, its patches, and each coming period's past.

A patch of a season's length hides which day of the week sells, so the heads are told: last season's sales at the same
phase, means over several seasons, the value a year ago, pooled quantiles and levels. All is in units of the scale, zero
stays zero, and a stocked-out period counts by its share in stock. A series' numbers come from its own row alone.

B rows, C periods of context, H periods ahead, P periods of a patch, L periods of a season, R seasons.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from fullshelf.engine.calendar import Period
from fullshelf.engine.models.demand_lm.arcsinh import arcsinh
from fullshelf.engine.models.demand_lm.batch import COVARIATES, PATCH, ContextBatch
from fullshelf.engine.models.demand_lm.estimates import AROUND, LINEAR, OTHER, YEAR, estimates
from fullshelf.engine.models.demand_lm.ratios import ratio

POOLED = {Period.DAY: (56, 364), Period.WEEK: (26, 104), Period.MONTH: (12, 36)}  # newest periods pooled for quantiles
SEASONS = 8  # newest seasons of which the phase's quantiles are taken
POOL_LEVELS = (0.2, 0.5, 0.8, 0.95)
PHASE_LEVELS = (0.25, 0.5, 0.75, 1.0)
DECAY = 0.75  # weight of a season relative to the next
LEAST_IN_STOCK = 0.1  # a sale of a barely stocked period is not scaled up beyond ten times
LARGEST = 1e6  # units / scale; beyond, asinh says little more

SLOT_FEATURES = 4 + len(COVARIATES)
STEP_LINEAR = 7 + len(PHASE_LEVELS) + LINEAR
STEP_OTHER = 3 + len(COVARIATES) + OTHER
CHANGES = 6
SERIES_FEATURES = 10 + CHANGES + 2 * len(POOL_LEVELS) + 12


@dataclass(frozen=True, slots=True)
class Steps:
    """What is known of each coming period, and of the series as a whole."""

    linear: Tensor  # (B, H, STEP_LINEAR) in units of the scale
    other: Tensor  # (B, H, STEP_OTHER)
    series: Tensor  # (B, SERIES_FEATURES)


def exposure_of(batch: ContextBatch) -> Tensor:
    """Return the share of each period that could sell, (B, C): 0 where it does not exist or was not in stock."""
    in_stock = torch.where(batch.observed > 0, batch.observed.clamp(LEAST_IN_STOCK, 1.0), 0.0)
    return torch.where(batch.exists, in_stock, 0.0)


def scale_of(batch: ContextBatch) -> Tensor:
    """Return the scale (B,) in units per period: the mean of the means of the newest season or two and of all.

    A history without any sale of n periods has the scale 0.5 / (n + 1), the mean that Jeffreys' prior gives it.
    """
    exposure = exposure_of(batch)
    units = torch.where(exposure > 0, batch.units, 0.0)
    recent = POOLED[batch.period][0]
    whole = ratio(units.sum(1), exposure.sum(1))
    newest = exposure[:, -recent:].sum(1)
    level = torch.where(newest > 0, 0.5 * (ratio(units[:, -recent:].sum(1), newest) + whole), whole)
    nothing = 0.5 / (1.0 + batch.exists.sum(1))
    return torch.where(level > 0, level.clamp(min=1e-12), nothing)


def patch_features(batch: ContextBatch, scale: Tensor) -> tuple[Tensor, Tensor]:
    """Return the features of all patches, past and ahead, (B, N, P x SLOT_FEATURES), and which exist (B, N)."""
    B, C = batch.units.shape
    P, H = PATCH[batch.period], batch.horizon
    ahead = -(-H // P) * P
    exists = batch.exists
    values = arcsinh((batch.units / scale[:, None]).clamp(max=LARGEST))
    past = torch.stack(
        [
            torch.where(exists, values, 0.0),
            exists.float(),
            torch.where(exists, batch.observed, 0.0),
            (exists & (batch.units <= 0)).float(),
        ],
        dim=-1,
    )
    past = torch.cat([past, batch.covariates[:, :C] * exists[:, :, None]], dim=-1)
    future = pad(batch.covariates[:, C:], (SLOT_FEATURES - len(COVARIATES), 0, 0, ahead - H))
    slots = torch.cat([past, future], dim=1).reshape(B, (C + ahead) // P, P, SLOT_FEATURES)
    slots = slots.flatten(2)
    alive = torch.cat([exists.reshape(B, C // P, P).any(2), exists.new_ones(B, ahead // P)], dim=1)
    return slots, alive


def step_features(batch: ContextBatch, scale: Tensor) -> Steps:
    """Return what the past says of each coming period; every number is 0 where nothing is known."""
    C, H = batch.units.shape[1], batch.horizon
    period, L = batch.period, batch.period.season
    exposure = exposure_of(batch)
    value = torch.where(exposure > 0, (batch.units / scale[:, None]).clamp(max=LARGEST), 0.0)
    steps = torch.arange(H, device=value.device)

    phase, evidence = _phases(value, exposure, L)
    phase = phase[:, :, steps % L]  # (B, features, H)
    evidence = evidence[:, steps % L]

    year, around = YEAR[period], AROUND[period]
    sums, weights = (_cumulated(x, year + around) for x in (value, exposure))
    place = steps % year + C + around  # position in the cumulated arrays of the same time last year
    ago = ratio(sums[:, place + 1] - sums[:, place], weights[:, place + 1] - weights[:, place])
    last = (place + 1 + around).clamp(max=sums.shape[1] - 1)
    near_weight = weights[:, last] - weights[:, place - around]
    near = ratio(sums[:, last] - sums[:, place - around], near_weight)

    estimated, sure = estimates(batch, value, exposure, near, near_weight)
    linear = torch.cat([torch.cat([phase, ago[:, None], near[:, None]], dim=1).transpose(1, 2), estimated], dim=-1)
    log_step = torch.log1p(steps.float()).expand(value.shape[0], H) / 4.0
    known = torch.stack([log_step, torch.log1p(evidence), near_weight / (2 * around + 1)], dim=-1)
    other = torch.cat([known, batch.covariates[:, C:], sure], dim=-1)
    return Steps(linear, other, _series_features(batch, scale, value, exposure))


def _phases(value: Tensor, exposure: Tensor, L: int) -> tuple[Tensor, Tensor]:
    """Return means and quantiles of each phase of the season (B, features, L), and its evidence in periods (B, L)."""
    B, C = value.shape
    R = -(-C // L)
    v, e = (pad(x, (R * L - C, 0)).reshape(B, R, L) for x in (value, exposure))
    age = torch.arange(R - 1, -1, -1, device=value.device)
    weights = torch.stack([(age < 1).float(), (age < 4).float(), (age < 8).float(), age.float() * 0 + 1, DECAY**age])
    means = ratio(torch.matmul(weights, v), torch.matmul(weights, e))
    newest, known = v[:, -SEASONS:], e[:, -SEASONS:] > 0
    newest = newest / e[:, -SEASONS:].clamp(min=LEAST_IN_STOCK)
    quantiles = _masked_quantiles(newest.transpose(1, 2), known.transpose(1, 2), PHASE_LEVELS)
    return torch.cat([means, quantiles.transpose(1, 2)], dim=1), e.sum(1)


def _series_features(batch: ContextBatch, scale: Tensor, value: Tensor, exposure: Tensor) -> Tensor:
    C, P = batch.units.shape[1], PATCH[batch.period]
    year = YEAR[batch.period]
    linear: list[Tensor] = []
    other: list[Tensor] = []
    sold = (value > 0).float() * (exposure > 0)
    for patches in (1, 4, 13, C):
        w = min(C, patches * P)
        total, seen = value[:, -w:].sum(1), exposure[:, -w:].sum(1)
        linear.append(ratio(total, seen))
        if patches > 1:
            other.append(ratio(sold[:, -w:].sum(1), seen).clamp(max=1.0))
        if patches in (4, C):
            linear.append(ratio((value[:, -w:] ** 2).sum(1), seen).sqrt())
    linear.append(ratio(value.sum(1), sold.sum(1)))  # size of a sale
    lo, hi = max(0, C - year - 4 * P), max(0, C - year)
    linear.append(ratio(value[:, lo:hi].sum(1), exposure[:, lo:hi].sum(1)))
    for name in ("promo", "event"):
        marked = exposure * (batch.covariates[:, :C, COVARIATES.index(name)] > 0.05)
        linear.append(ratio((value * (marked > 0)).sum(1), marked.sum(1)))
        other.append(torch.log1p(marked.sum(1)) / 4.0)
    corrected = value / exposure.clamp(min=LEAST_IN_STOCK)
    for w in POOLED[batch.period]:
        linear.extend(_masked_quantiles(corrected[:, -w:], exposure[:, -w:] > 0, POOL_LEVELS).unbind(-1))
    linear.extend(_changes(corrected, exposure, batch.period))
    length = batch.exists.sum(1)
    newest = torch.where(sold > 0, torch.arange(1, C + 1, device=value.device), 0).amax(1)
    whole = ((batch.units == batch.units.floor()) | ~batch.exists).all(1)
    other += [
        torch.log1p(torch.minimum(C - newest, length).float()) / 4.0,
        torch.log1p(length.float()) / 4.0,
        torch.log1p(exposure.sum(1)) / 4.0,
        whole.float(),
        scale.log().clamp(-9.0, 14.0) / 4.0,
        torch.log1p(scale).clamp(max=14.0) / 4.0,
        (1.0 / (1.0 + scale)),
    ]
    return torch.cat([arcsinh(torch.stack(linear, dim=-1)), torch.stack(other, dim=-1)], dim=-1)


def _changes(corrected: Tensor, exposure: Tensor, period: Period) -> list[Tensor]:
    """Return mean absolute changes, (B,) each: how sure the past lets one be, of periods and of totals.

    From period to period, over a season and over a year; between the newest 26 periods over a season; and of the means
    of whole patches, of one and of four: with the first they tell how long a deviation lasts.
    """
    P, L, C = PATCH[period], period.season, corrected.shape[1]
    known = exposure > 0
    found = [_change(corrected, known, lag) for lag in (1, L, 2 * P if period is not Period.DAY else YEAR[period])]
    newest = min(C, L + 26)
    found.append(_change(corrected[:, -newest:], known[:, -newest:], L))
    for width in (P, 4 * P):
        blocks = C // width
        if blocks < 2:
            found.append(torch.zeros_like(found[0]))
            continue
        held = known[:, -blocks * width :].reshape(-1, blocks, width)
        values = corrected[:, -blocks * width :].reshape(-1, blocks, width) * held
        count = held.sum(-1)
        found.append(_change(ratio(values.sum(-1), count.float()), 2 * count > width, 1))
    return found


def _change(values: Tensor, known: Tensor, lag: int) -> Tensor:
    if lag >= values.shape[1]:
        return torch.zeros_like(values[:, 0])
    both = (known[:, lag:] & known[:, :-lag]).float()
    return ratio(((values[:, lag:] - values[:, :-lag]).abs() * both).sum(1), both.sum(1))


def _cumulated(x: Tensor, before: int) -> Tensor:
    """Return sums of all before each position, with `before` empty positions in front: (B, before + C + 1)."""
    return pad(x.cumsum(1), (before + 1, 0))


def _masked_quantiles(values: Tensor, known: Tensor, levels: tuple[float, ...]) -> Tensor:
    """Return quantiles along the last axis of the values that are known, nearest rank; 0 where none is."""
    ordered = torch.where(known, values, torch.inf).sort(dim=-1).values
    count = known.sum(-1, keepdim=True)
    ranks = torch.tensor(levels, device=values.device) * (count - 1).clamp(min=0)
    found = ordered.gather(-1, ranks.round().long())
    return torch.where(count > 0, found, 0.0)
