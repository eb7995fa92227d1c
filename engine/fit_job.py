"""`fullshelf fit`: train the demand model, or fine-tune it on the sales of a configuration; writes a folder of weights.

The folder serves as `forecast.model`. Beside the weights it keeps `training/` (checkpoint, log), `fit.json` and
`loss.svg`. Called again it resumes; when complete it does nothing.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fullshelf.engine.commit import only_one, write_json
from fullshelf.engine.config import Config
from fullshelf.engine.errors import ConfigError, Interrupted
from fullshelf.engine.identity import code_version
from fullshelf.engine.intake import prepare
from fullshelf.engine.models.demand_lm.forecaster import SHIPPED
from fullshelf.engine.models.weights import read_config
from fullshelf.engine.panel import Panel
from fullshelf.engine.progress import Reporter, silent
from fullshelf.engine.stopping import Stop

if TYPE_CHECKING:
    from fullshelf.engine.models.demand_lm.fine_tuning import History
    from fullshelf.engine.models.demand_lm.modeling import DemandLM
    from fullshelf.engine.models.demand_lm.training import Plan

TRAINING, SUMMARY, PICTURE = "training", "fit.json", "loss.svg"
MOST_PERIODS = 40_000_000  # series × periods held in memory; of a larger catalogue whole shards, a fair sample
RATES = {"prior": 5e-3, "sales": 1e-3}  # learning rates


def fit(config: Config, progress: Reporter = silent, stop: Stop | None = None, resume: bool = True) -> dict[str, Any]:
    """Train as `config.fit` says; return fit.json with `folder` and `already`.

    Raises
    ------
    UsageError
        If the configuration or the sales cannot be used.
    Interrupted
        If `stop` was set; the next call resumes.
    """
    stop = stop or Stop()
    settings = config.fit
    if "://" in settings.output:
        raise ConfigError(f"fit.output: {settings.output}: expected a local folder")
    folder = Path(settings.output)
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"fit.output: {folder}: expected a folder")
    if settings.data == "sales":
        _check_start(settings.start)
    _check_libraries()
    folder.mkdir(parents=True, exist_ok=True)
    with only_one(folder / ".lock", f"{folder}: another fit"):
        if not resume:
            shutil.rmtree(folder / TRAINING, ignore_errors=True)
            (folder / SUMMARY).unlink(missing_ok=True)
        return _fit(config, folder, progress, stop)


def _fit(config: Config, folder: Path, progress: Reporter, stop: Stop) -> dict[str, Any]:
    from fullshelf.engine.models.demand_lm.training_curve import loss_curve

    settings = config.fit
    history = None if settings.data == "prior" else _history(config, folder, progress, stop)
    name = _identity(config, history)
    done = _read(folder / SUMMARY)
    if done is not None and done["identity"] == name:
        return done | {"folder": str(folder), "already": True}
    begun = _read(folder / TRAINING / "identity.json")
    if begun is not None and begun["identity"] != name:
        raise ConfigError(
            f"fit.output: {folder} holds an unfinished fit of other inputs or settings; choose another folder, or "
            "begin afresh with --no-resume"
        )
    write_json(folder / TRAINING / "identity.json", {"identity": name})
    model = _start(settings.start, settings.seed)
    plan = _plan(config)

    def report(line: dict[str, Any]) -> None:
        progress("steps", line["step"], plan.steps)

    content = (_from_prior if history is None else _from_sales)(
        model, history, plan, config, folder / TRAINING, lambda: stop.wanted, report
    )
    (folder / PICTURE).write_text(loss_curve(folder / TRAINING / "log.jsonl"), encoding="utf-8")
    if content is None:
        raise Interrupted(f"interrupted; the checkpoint stays in {folder / TRAINING}, call again to resume")
    model.save_pretrained(folder)
    content |= {"identity": name, "data": settings.data, "from": settings.start, "version": code_version()}
    write_json(folder / SUMMARY, content)
    shutil.rmtree(folder / TRAINING / "checkpoint", ignore_errors=True)
    return content | {"folder": str(folder), "already": False}


def _from_prior(
    model: DemandLM,
    _: History | None,
    plan: Plan,
    config: Config,
    folder: Path,
    stop: Callable[[], bool],
    report: Callable[[dict[str, Any]], None],
) -> dict[str, Any] | None:
    from fullshelf.engine.models.demand_lm.training import train
    from fullshelf.engine.models.demand_lm.training_prior import held_back, prior_source

    source = prior_source(config.fit.seed, config.fit.windows)
    trained = train(model, source, plan, folder, held_back(), stop, report)
    if not trained.complete or trained.scores is None:
        return None
    return _progress_of(trained.progress) | {
        "held_back": trained.scores.single,
        "held_back_total": trained.scores.total,
        "kept_old": False,
    }


def _from_sales(
    model: DemandLM,
    history: History | None,
    plan: Plan,
    config: Config,
    folder: Path,
    stop: Callable[[], bool],
    report: Callable[[dict[str, Any]], None],
) -> dict[str, Any] | None:
    from fullshelf.engine.models.demand_lm.fine_tuning import fine_tune

    if history is None:
        raise ValueError("fine-tuning needs a history")
    tuned = fine_tune(model, history, plan, folder, config.fit.windows, stop=stop, report=report)
    if not tuned.trained.complete:
        return None
    return _progress_of(tuned.trained.progress) | {
        "held_back_before": tuned.before.single,
        "held_back_total_before": tuned.before.total,
        "held_back": tuned.after.single,
        "held_back_total": tuned.after.total,
        "kept_old": tuned.kept_old,
    }


def _progress_of(progress: Any) -> dict[str, Any]:
    return {"steps": progress.step, "windows": progress.windows, "seconds": round(progress.seconds, 1)}


def _history(config: Config, folder: Path, progress: Reporter, stop: Stop) -> History:
    """Read the sales up to the as-of period."""
    from fullshelf.engine.models.demand_lm.configuration import DemandLMConfig
    from fullshelf.engine.models.demand_lm.fine_tuning import History

    intake = prepare(config, folder / TRAINING / "cache", progress, stop.check)
    panels: list[Panel] = []
    ahead: set[str] = set()
    for shard in range(intake.shards):
        given = intake.read(shard, 1)
        if given.panel.series:
            panels.append(given.panel)
            ahead |= set(given.ahead.names if given.ahead is not None else ())
        if sum(panel.units.size for panel in panels) > MOST_PERIODS:
            break
    start = (
        DemandLMConfig() if config.fit.start == "scratch" else DemandLMConfig.from_pretrained(_path(config.fit.start))
    )
    horizon = min(config.forecast.horizon or config.period.horizon, start.horizon)
    return History(panels, tuple(sorted(ahead)), horizon, start.context)


def _identity(config: Config, history: History | None) -> str:
    settings = config.fit.model_dump(mode="json", exclude={"output"})
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    if config.fit.start not in ("scratch",):
        digest.update((_path(config.fit.start) / "model.safetensors").read_bytes())
    if history is not None:
        digest.update(f"{history.horizon} {history.longest} {history.known_ahead}".encode())
        for panel in history.panels:
            digest.update(f"{panel.period} {panel.last}".encode())
            digest.update(panel.offsets.tobytes())
            digest.update(panel.units.tobytes())
    return digest.hexdigest()[:16]


def _plan(config: Config) -> Plan:
    from fullshelf.engine.models.demand_lm.training import Plan

    settings, tuning = config.fit, config.fit.data == "sales"
    minutes = settings.minutes if settings.minutes or settings.steps else (10.0 if tuning else 60.0)
    return Plan(
        steps=settings.steps,
        minutes=minutes,
        learning_rate=settings.learning_rate or RATES[settings.data],
        warm_up=50 if tuning else 200,
        decay=0.5 if tuning else 0.25,
        average=0.98 if tuning else 0.998,
        check_every=settings.check_every,
        seed=settings.seed,
    )


def _check_libraries() -> None:
    for name in ("torch", "transformers", "safetensors", "accelerate"):
        if find_spec(name) is None:
            raise ConfigError(f"fit needs {name}, which is not installed: pip install 'fullshelf[model]'")


def _check_start(start: str) -> None:
    if start != "scratch":
        read_config(_path(start))


def _path(start: str) -> Path:
    return SHIPPED if start == "shipped" else Path(start)


def _start(start: str, seed: int) -> DemandLM:
    import torch

    from fullshelf.engine.models.demand_lm.configuration import DemandLMConfig
    from fullshelf.engine.models.demand_lm.modeling import DemandLM

    torch.manual_seed(seed)
    if start == "scratch":
        return DemandLM(DemandLMConfig())
    model: DemandLM = DemandLM.from_pretrained(_path(start), use_safetensors=True, local_files_only=True)
    return model


def _read(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found
