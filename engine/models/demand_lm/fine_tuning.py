"""Fine-tuning on a user's own sales: rolling windows, a held-back tail, early stop, and the old weights if it is worse.

A window's as-of period lies in the past, and it sees what the forecast would have seen then: the history up to it, and
of the coming periods the covariates that are known ahead. The newest periods are held back: no training window's
target touches them. Half the windows lie at the coming time of the year, in earlier years.

What is kept lies between the old weights and the new ones (Wortsman et al. 2022, Robust fine-tuning of zero-shot
models): the newest periods cannot say how far to go, for they are another time of the year than what comes.

B rows, C periods of context, H periods ahead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fullshelf.engine.errors import InputError
from fullshelf.engine.models.demand_lm.estimates import YEAR
from fullshelf.engine.models.demand_lm.modeling import DemandLM
from fullshelf.engine.models.demand_lm.prior import Sample
from fullshelf.engine.models.demand_lm.training import Plan, Scores, Source, Trained, evaluate, train
from fullshelf.engine.models.demand_lm.weighting import window_weight
from fullshelf.engine.models.demand_lm.windows import contexts, window_batch
from fullshelf.engine.panel import KnownAhead, Panel

ORIGINS = 8  # as-of periods of a step's windows
HELD_BACK_ROWS = 2048  # windows to look at, of each origin
LEAST_GAIN = 0.002  # of the held-back loss; less is luck
NEW_SHARE = 0.7  # of the weights that are kept, the rest are the old ones
SAME_SEASON = 0.5  # share of the origins that lie at the coming time of the year, where earlier years are known


@dataclass(frozen=True, slots=True)
class History:
    """Panels to learn from, and which of their covariates are known ahead when a forecast is made."""

    panels: Sequence[Panel]
    known_ahead: tuple[str, ...]
    horizon: int  # periods
    longest: int  # periods of context
    static: Sequence[NDArray[np.float32]] | None = None  # of each panel: its products' texts embedded, (S, E)

    def __post_init__(self) -> None:
        if not self.panels or max(self.span) < 3 * self.horizon:
            raise InputError(
                f"fit: the longest history has {max(self.span, default=0)} periods; learning from it takes three "
                f"horizons of {self.horizon}; give a longer history or a smaller forecast.horizon"
            )

    @property
    def span(self) -> list[int]:
        """Periods of the longest series of each panel."""
        return [int(np.diff(panel.offsets).max(initial=0)) for panel in self.panels]

    def static_of(self, number: int) -> NDArray[np.float32] | None:
        """Return the embedded texts of a panel's products."""
        return None if self.static is None else self.static[number]

    @property
    def origins_held_back(self) -> tuple[int, ...]:
        """How many periods before the last the held-back windows are made: the newest horizon, or the newest two."""
        return (self.horizon, 2 * self.horizon) if max(self.span) >= 8 * self.horizon else (self.horizon,)


@dataclass(frozen=True, slots=True)
class Tuned:
    """What fine-tuning came to."""

    before: Scores  # of the weights it started from, on the held-back windows
    after: Scores  # of the best weights found
    kept_old: bool  # the new weights were not better
    trained: Trained


def own_source(history: History, seed: int, windows: int, process: int = 0) -> Source:
    """Return what draws a step's windows: random series at a few origins, mostly the whole horizon.

    Of one origin alone a step would learn what that week had in common for all series.
    """
    sizes = np.array([panel.units.size for panel in history.panels], dtype=np.float64)

    def source(step: int) -> Sample:
        rng = np.random.Generator(np.random.SFC64([seed, step, 1 + process]))
        while True:
            number = int(rng.choice(sizes.size, p=sizes / sizes.sum()))
            panel = history.panels[number]
            lengths = np.diff(panel.offsets)
            H = history.horizon if rng.random() < 0.7 else int(rng.integers(1, history.horizon + 1))
            first, last = history.origins_held_back[-1] + H, int(lengths.max()) - 1
            if first > last:
                continue
            parts = min(ORIGINS, windows)
            backs = _origins(parts, first, last, history.horizon, panel, rng)
            chosen = [_some(np.flatnonzero(lengths > back), windows // parts, rng) for back in backs]
            longest = max(int(lengths[rows].max()) - int(back) for rows, back in zip(chosen, backs, strict=True))
            shorter = rng.random() < 0.3  # also learn to do with less history
            C = _context(history, panel, longest, rng if shorter else None)
            static = history.static_of(number)
            return joined(
                [
                    window(panel, history.known_ahead, rows, int(back), C, H, static)
                    for rows, back in zip(chosen, backs, strict=True)
                ]
            )

    return source


def _origins(
    count: int, first: int, last: int, horizon: int, panel: Panel, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return how many periods ago the windows of a step begin, `first` to `last`: newer ones more often.

    Some begin within a horizon of now in an earlier year.
    """
    backs = first + ((last - first + 1) * rng.random(count) ** 1.5).astype(np.int64)
    year = YEAR[panel.period]
    years = np.arange(1, (last + horizon) // year + 1)
    if years.size == 0:
        return backs
    near = rng.choice(years, count) * year + rng.integers(-horizon, horizon + 1, count)
    seasonal = (rng.random(count) < SAME_SEASON) & (near >= first) & (near <= last)
    return np.where(seasonal, near, backs)


def held_back_windows(history: History, seed: int, rows: int = HELD_BACK_ROWS) -> list[Sample]:
    """Return the windows of the newest periods, of up to `rows` series at each origin, in batches of 128."""
    rng = np.random.Generator(np.random.SFC64([seed, 2**31]))
    found = []
    for back in history.origins_held_back:
        for number, panel in enumerate(history.panels):
            static, lengths = history.static_of(number), np.diff(panel.offsets)
            living = np.flatnonzero(lengths > back)
            share = rows * living.size / max(1, sum(p.series for p in history.panels))
            chosen = np.sort(rng.permutation(living)[: max(1, round(share))])
            for part in np.array_split(chosen, -(-chosen.size // 128)) if chosen.size else ():
                C = _context(history, panel, int(lengths[part].max()) - back, None)
                found.append(window(panel, history.known_ahead, part, back, C, history.horizon, static))
    return found


def window(
    panel: Panel,
    known_ahead: tuple[str, ...],
    rows: NDArray[np.int64],
    back: int,
    C: int,
    H: int,
    static: NDArray[np.float32] | None = None,
) -> Sample:
    """Return the windows of some series as they were `back` periods ago, and what was sold in the H periods after.

    Sold-out periods do not count: their sales are less than the demand. Series too young are left out by the caller.
    """
    lengths = np.diff(panel.offsets)[rows] - back
    starts = panel.offsets[rows]
    past = np.concatenate([np.arange(s, s + n) for s, n in zip(starts, lengths, strict=True)])
    cut = panel.part(rows, past, lengths, panel.last - back)
    coming = (starts + lengths)[:, None] + np.arange(H)
    names = tuple(name for name in panel.covariate_names if name in known_ahead)
    columns = [panel.covariate_names.index(name) for name in names]
    ahead = KnownAhead(panel.covariates[coming][:, :, columns], names) if names else None
    own = None if static is None else static[rows]
    batch = window_batch(cut, ahead, np.arange(rows.size), rows.size, C, H, own)
    target = torch.from_numpy(panel.units[coming])
    counts = torch.from_numpy((panel.observed[coming] >= 1).astype(np.float32))
    weight = counts * torch.from_numpy(window_weight(batch.units.numpy(), batch.exists.numpy(), panel.period))[:, None]
    return Sample(batch, target, weight, batch.units, np.zeros(rows.size, dtype=np.intp))


def joined(samples: Sequence[Sample]) -> Sample:
    """Return the windows of all samples, which are of one shape but for their number, as one sample."""

    def together(name: str) -> torch.Tensor | None:
        parts = [getattr(sample.batch, name) for sample in samples]
        return None if parts[0] is None else torch.cat(parts)

    first = samples[0].batch
    tensors: dict[str, Any] = {f.name: together(f.name) for f in fields(first) if f.name != "period"}
    batch = replace(first, **tensors)
    target, weight, past = (torch.cat([getattr(s, name) for s in samples]) for name in ("target", "weight", "past"))
    return Sample(batch, target, weight, past, np.concatenate([sample.kind for sample in samples]))


def fine_tune(
    model: DemandLM,
    history: History,
    plan: Plan,
    folder: Path,
    windows: int = 64,
    patience: int = 5,
    stop: Callable[[], bool] = lambda: False,
    report: Callable[[dict[str, Any]], None] = lambda _: None,
    process: int = 0,
    new_share: float = NEW_SHARE,
) -> Tuned:
    """Train the model in place on the history.

    It ends with the share `new_share` of the best weights seen and the rest of the old ones, or with the old ones if
    that is not better on the held-back windows. `patience` looks at those without a new best end the run.
    """
    held_back = held_back_windows(history, plan.seed)
    before = evaluate(model, held_back)
    old = _weights_of(model)
    best, best_weights, waited = before.objective(plan.total_weight), old, 0

    def checked(now: DemandLM, scores: Scores) -> bool:
        nonlocal best, best_weights, waited
        if scores.objective(plan.total_weight) < best:
            best, waited = scores.objective(plan.total_weight), 0
            best_weights = _weights_of(now)
            return False
        waited += 1
        return waited >= patience

    source = own_source(history, plan.seed, windows, process)
    trained = train(model, source, plan, folder, held_back, stop, report, checked)
    model.load_state_dict({name: old[name].lerp(new, new_share) for name, new in best_weights.items()})
    after = evaluate(model, held_back)
    if after.objective(plan.total_weight) < before.objective(plan.total_weight) * (1 - LEAST_GAIN):
        return Tuned(before, after, False, trained)
    model.load_state_dict(old)
    return Tuned(before, before, True, trained)


def _weights_of(model: DemandLM) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def _some(living: NDArray[np.int64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    return np.sort(rng.choice(living, min(count, living.size), replace=False))


def _context(history: History, panel: Panel, longest: int, rng: np.random.Generator | None) -> int:
    """Return the context that serves such histories, or a shorter one drawn at random."""
    sizes = contexts(panel.period, min(longest, history.longest))
    return int(sizes[-1] if rng is None else rng.choice(sizes))
