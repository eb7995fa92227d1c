"""Training on the cluster: Ray Train starts the processes, which find each other and share the steps."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from ray.train import WorkerGroupError

from fullshelf.cluster.fit import STOP, _risen, _watching, fit
from fullshelf.engine.config import Config, load_config
from fullshelf.engine.demo import make_demo
from fullshelf.engine.errors import ConfigError, Interrupted, RunError
from fullshelf.engine.stopping import Stop


@pytest.fixture
def settings(tmp_path: Path) -> Config:
    from fullshelf.engine.models.demand_lm.configuration import DemandLMConfig, small_backbone
    from fullshelf.engine.models.demand_lm.modeling import DemandLM

    shape = DemandLMConfig(
        backbone=small_backbone(16, 1, 2), patch_width=16, slot_width=4, head_width=16, context=64, horizon=8
    )
    DemandLM(shape).save_pretrained(tmp_path / "start")
    fit_keys = {"from": tmp_path / "start", "steps": 6, "check_every": 3, "windows": 16, "output": tmp_path / "model"}
    return load_config(make_demo(tmp_path / "demo"), [f"fit.{key}={value}" for key, value in fit_keys.items()])


def test_what_a_process_raised_reaches_the_user_in_its_own_words() -> None:
    own = WorkerGroupError("failed", {0: ValueError("odd"), 1: ConfigError("fit.from: expected a DemandLM")})
    assert str(_risen(own)) == "fit.from: expected a DemandLM"
    assert isinstance(_risen(own), ConfigError)
    foreign = _risen(WorkerGroupError("failed", {1: ValueError("odd")}))
    assert isinstance(foreign, RunError)
    assert "ValueError: odd" in str(foreign)


def test_a_request_to_stop_lies_in_the_folder_while_it_stands_and_progress_is_read_from_the_log(tmp_path: Path) -> None:
    stop, log, told = Stop(), tmp_path / "log.jsonl", list[Any]()
    log.write_text(json.dumps({"step": 3}) + "\n")
    with _watching(tmp_path / STOP, log, 9, lambda *words: told.append(words), stop):
        stop.set()
        until = time.monotonic() + 30
        while not ((tmp_path / STOP).exists() and told) and time.monotonic() < until:
            time.sleep(0.05)
        assert (tmp_path / STOP).exists()
    assert told[0] == ("steps", 3, 9)
    assert not (tmp_path / STOP).exists()


def on(cluster: Any, settings: Config, **fit_keys: Any) -> Config:
    run = {"executor": "ray", "address": cluster.address, "actors": 2, "gpus_per_actor": 0}
    return settings.model_copy(
        update={
            "run": settings.run.model_copy(update=run),
            "fit": settings.fit.model_copy(update=fit_keys),
        }
    )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning:ray")
def test_two_processes_of_the_cluster_fit_one_model(cluster: Any, settings: Config) -> None:
    config = on(cluster, settings)
    found = fit(config)
    folder = Path(config.fit.output)
    assert (found["steps"], found["windows"]) == (6, 2 * 6 * 16)
    assert (folder / "model.safetensors").exists()
    assert not (folder / ".ray").exists()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning:ray")
def test_processes_of_the_cluster_stop_when_they_are_asked(cluster: Any, settings: Config) -> None:
    stop = Stop()
    stop.set()
    with pytest.raises(Interrupted, match="call again to resume"):
        fit(on(cluster, settings, steps=100_000), stop=stop)


@pytest.mark.slow
def test_processes_started_by_torchrun_share_the_steps_without_a_gpu(settings: Config, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(settings.model_dump_json(by_alias=True, exclude_defaults=True))
    program = (
        "import sys; from pathlib import Path; from fullshelf.engine.config import Config; "
        "from fullshelf.engine.fit_job import fit; "
        "fit(Config.model_validate_json(Path(sys.argv[1]).read_text()))"
    )
    (tmp_path / "program.py").write_text(program)
    words = ["torch.distributed.run", "--standalone", "--nproc-per-node", "2", "program.py", "config.json"]
    subprocess.run([sys.executable, "-m", *words], cwd=tmp_path, check=True, capture_output=True, timeout=280)
    found = json.loads((Path(settings.fit.output) / "fit.json").read_text())
    assert (found["steps"], found["windows"]) == (6, 2 * 6 * 16)
