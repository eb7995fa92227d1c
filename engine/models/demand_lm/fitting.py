"""What `fullshelf fit` asks of DemandLM: train on the prior, or fine-tune on a history, and say what it came to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState

from fullshelf.engine.config import FitSettings
from fullshelf.engine.models.demand_lm.compatibility import check_inputs
from fullshelf.engine.models.demand_lm.configuration import DemandLMConfig
from fullshelf.engine.models.demand_lm.fine_tuning import NEW_SHARE, History, fine_tune
from fullshelf.engine.models.demand_lm.modeling import DemandLM
from fullshelf.engine.models.demand_lm.text_slot import text_of_fit, with_slot, with_texts
from fullshelf.engine.models.demand_lm.training import Plan, Trained, train
from fullshelf.engine.models.demand_lm.training_prior import held_back, prior_source
from fullshelf.engine.models.product_text import TextEmbedding

Log = Callable[[dict[str, Any]], None]
CONTEXT = 1024  # periods that a model from scratch reads when serving: the prior shows more in one window of 200
WINDOWS = 64  # histories in a step, where the settings name none
RECENT = 8  # patches of a model from scratch that have a token each; older ones share at no loss that could be measured


def fit_model(
    settings: FitSettings,
    start: Path | None,
    history: History | None,
    folder: Path,
    process: int,
    stop: Callable[[], bool],
    report: Log,
) -> tuple[DemandLM, TextEmbedding | None, dict[str, Any] | None]:
    """Train as the settings say; return the model, how it reads texts, and a summary, None if it was stopped.

    Parameters
    ----------
    start
        Folder of the weights to start from; None: random ones.
    history
        What to fine-tune on; None: train on the prior.
    folder
        For checkpoints and the log; a checkpoint there is gone on from.
    process
        Number of this process among those that share the steps.
    """
    if not torch.cuda.is_available():
        torch.set_num_threads(settings.threads)
    model = _start(start, settings.seed)
    text, windows = text_of_fit(settings.text, start, model, history), settings.windows or WINDOWS
    if history is None:
        source = prior_source(settings.seed, windows, process)
        trained = train(model, source, _prior_plan(settings), folder, held_back(), stop, report)
        if not trained.complete or trained.scores is None:
            return model, text, None
        found = {"held_back": trained.scores.single, "held_back_total": trained.scores.total, "kept_old": False}
        return model, text, _progress(trained) | found
    if text is not None:
        model, history = with_slot(model, text), with_texts(history, text)
    plan = _sales_plan(settings)
    share = 1.0 if start is None else NEW_SHARE  # random weights are nothing to stay near
    tuned = fine_tune(model, history, plan, folder, windows, stop=stop, report=report, process=process, new_share=share)
    if not tuned.trained.complete:
        return model, text, None
    return (
        model,
        text,
        _progress(tuned.trained)
        | {
            "held_back_before": tuned.before.single,
            "held_back_total_before": tuned.before.total,
            "held_back": tuned.after.single,
            "held_back_total": tuned.after.total,
            "kept_old": tuned.kept_old,
            "text": model.config.text if text is not None else None,
        },
    )


def processes() -> PartialState:
    """Return the processes that share the steps, found by the environment that their launcher set."""
    return PartialState(cpu=not torch.cuda.is_available())  # else each of several CPUs is alone


def _prior_plan(settings: FitSettings) -> Plan:
    return Plan(
        steps=settings.steps,
        minutes=settings.minutes or (None if settings.steps else 60.0),
        learning_rate=settings.learning_rate or 4e-3,
        check_every=settings.check_every,
        seed=settings.seed,
    )


def _sales_plan(settings: FitSettings) -> Plan:
    return Plan(
        steps=settings.steps,
        minutes=settings.minutes or (None if settings.steps else 10.0),
        learning_rate=settings.learning_rate or 1e-3,
        warm_up=50,
        decay=0.5,
        average=0.98,
        check_every=settings.check_every,
        seed=settings.seed,
    )


def _start(start: Path | None, seed: int) -> DemandLM:
    torch.manual_seed(seed)
    if start is None:
        return DemandLM(DemandLMConfig(recent=RECENT, context=CONTEXT))
    check_inputs(start)
    model: DemandLM = DemandLM.from_pretrained(start, use_safetensors=True, local_files_only=True)
    return model


def _progress(trained: Trained) -> dict[str, Any]:
    done = trained.progress
    return {"steps": done.step, "windows": done.windows, "seconds": round(done.seconds, 1)}
