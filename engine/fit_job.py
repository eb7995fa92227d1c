"""`fullshelf fit`: train the demand model, or fine-tune it on the sales of a configuration; writes a folder of weights.

With `fit.what: policy` it trains the learned policy instead, see `policy_fit`.

The folder serves as `forecast.model`. Beside the weights it keeps `training/` (checkpoint, log), `fit.json` and
`loss.svg`. Called again it resumes; when complete it does nothing.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from contextlib import nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fullshelf.engine.commit import only_one, write_json
from fullshelf.engine.config import Config
from fullshelf.engine.errors import ConfigError, Interrupted, UsageError
from fullshelf.engine.identity import code_version
from fullshelf.engine.intake import prepare
from fullshelf.engine.models.demand_lm.forecaster import MODEL_TYPE, SHIPPED
from fullshelf.engine.models.weights import content_of, read_config, weight_files
from fullshelf.engine.panel import Panel
from fullshelf.engine.progress import Reporter, silent
from fullshelf.engine.stopping import Stop

if TYPE_CHECKING:
    from accelerate import PartialState

    from fullshelf.engine.models.demand_lm.fine_tuning import History

TRAINING, IDENTITY, SUMMARY, PICTURE = "training", "identity.json", "fit.json", "loss.svg"
MOST_PERIODS = 40_000_000  # series × periods held in memory; of a larger catalogue whole shards, a fair sample


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
    if settings.what == "policy":
        from fullshelf.engine.policy_fit import fit_policy

        return fit_policy(config, progress, stop)
    start = _path(settings.start)
    if start is not None and (kind := read_config(start).get("model_type")) != MODEL_TYPE:
        raise ConfigError(f"fit.from: {start}: expected a DemandLM, found model_type {kind!r}")
    _check_libraries()
    from fullshelf.engine.models.demand_lm.fitting import processes as sharing

    processes, ours = sharing(), not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    alone = only_one(folder / ".lock", f"{folder}: another fit") if processes.is_main_process else nullcontext()
    try:
        with alone:
            if not resume and processes.is_main_process:
                shutil.rmtree(folder / TRAINING, ignore_errors=True)
                (folder / SUMMARY).unlink(missing_ok=True)
            return _fit(config, folder, processes, progress, stop)
    except UsageError:
        if ours and processes.is_main_process:  # bad input writes nothing
            shutil.rmtree(folder)
        raise


def _fit(config: Config, folder: Path, processes: PartialState, progress: Reporter, stop: Stop) -> dict[str, Any]:
    from fullshelf.engine.models.demand_lm.fitting import fit_model
    from fullshelf.engine.models.demand_lm.text_slot import save_text
    from fullshelf.engine.models.demand_lm.training_curve import loss_curve

    settings = config.fit
    with processes.main_process_first():
        history = None if settings.data == "prior" else _history(config, folder, progress, stop)
    name = _identity(config, history)
    done = _read(folder / SUMMARY)
    if done is not None and done.get("identity") == name:
        return done | {"folder": str(folder), "already": True}
    begun = _read(folder / TRAINING / IDENTITY)
    if begun is not None and begun["identity"] != name:
        raise ConfigError(
            f"fit.output: {folder} holds an unfinished fit of other inputs or settings; choose another folder, or "
            "begin afresh with --no-resume"
        )
    processes.wait_for_everyone()
    if processes.is_main_process:
        write_json(folder / TRAINING / IDENTITY, {"identity": name})
    training = folder / TRAINING

    def report(line: dict[str, Any]) -> None:
        progress("steps", line["step"], settings.steps)

    model, text, content = fit_model(
        settings, _path(settings.start), history, training, processes.process_index, lambda: stop.wanted, report
    )
    if processes.is_main_process:
        (folder / PICTURE).write_text(loss_curve(training / "log.jsonl"), encoding="utf-8")
    if content is None:
        raise Interrupted(f"interrupted; the checkpoint stays in {training}, call again to resume")
    content |= {"identity": name, "data": settings.data, "from": settings.start, "version": code_version()}
    if processes.is_main_process:
        save_text(text, folder)
        model.save_pretrained(folder)
        write_json(folder / SUMMARY, content)
        shutil.rmtree(training / "checkpoint", ignore_errors=True)
        (training / IDENTITY).unlink()
    return content | {"folder": str(folder), "already": False}


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
    folder_of_start = _path(config.fit.start)
    start = DemandLMConfig() if folder_of_start is None else DemandLMConfig.from_pretrained(folder_of_start)
    horizon = min(config.forecast.horizon or config.period.horizon, start.horizon)
    return History(panels, tuple(sorted(ahead)), horizon, start.context)


def _identity(config: Config, history: History | None) -> str:
    settings = config.fit.model_dump(mode="json", exclude={"output"})
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    if (start := _path(config.fit.start)) is not None:
        for file in weight_files(start):
            digest.update(file.read_bytes())
    if (text := config.fit.text) is not None and "/" in text:
        digest.update(content_of(Path(text)).encode())
    if history is not None:
        digest.update(f"{history.horizon} {history.longest} {history.known_ahead}".encode())
        for panel in history.panels:
            digest.update(f"{panel.period} {panel.last}".encode())
            digest.update(panel.offsets.tobytes())
            digest.update(panel.units.tobytes())
            if panel.products is not None:
                digest.update(panel.products.write_csv().encode())
    return digest.hexdigest()[:16]


def _check_libraries() -> None:
    for name in ("torch", "transformers", "safetensors", "accelerate"):
        if find_spec(name) is None:
            raise ConfigError(f"fit needs {name}, which is not installed: pip install 'fullshelf[model]'")


def _path(start: str) -> Path | None:
    """Return the folder of the weights to start from; None: from scratch."""
    return None if start == "scratch" else SHIPPED if start == "shipped" else Path(start)


def _read(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found
