"""What is sent to a cluster for one refresh: a configuration, a wheel, and a name that the same refresh has again."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from fullshelf.engine.config import Config
from fullshelf.engine.errors import ConfigError, InputError
from fullshelf.engine.learned_policy import weights_fingerprint
from fullshelf.engine.models.weights import content_of
from fullshelf.engine.sources import SourceFile, find_files
from fullshelf.engine.url_files import tag_and_size

__all__ = ["CONFIGURATION", "Submission", "prepare_submission"]

CONFIGURATION = "fullshelf.yaml"
STOP_SECONDS = 600  # Ray kills a job that it stops after 3 seconds; shards in flight may take longer
AT_ONCE = 16  # requests to a store


@dataclass(frozen=True, slots=True)
class Submission:
    """One refresh, ready to be sent."""

    name: str  # of the Ray job, before the number of the attempt
    folder: Path  # holds the configuration alone
    wheel: Path | None  # None: the cluster's images have fullshelf
    environment: Mapping[str, str]

    @property
    def runtime_env(self) -> dict[str, Any]:
        """Return Ray's runtime environment."""
        made: dict[str, Any] = {
            "working_dir": str(self.folder),
            "env_vars": {"RAY_JOB_STOP_WAIT_TIME_S": str(STOP_SECONDS), **self.environment},
        }
        return made if self.wheel is None else made | {"py_modules": [str(self.wheel)]}

    @property
    def entrypoint(self) -> str:
        """Return the command that the cluster runs."""
        return f"python -m fullshelf.engine refresh {CONFIGURATION}"


def prepare_submission(
    config: Config, name: str | None, wheel: Path | None, environment: Mapping[str, str], folder: Path
) -> Submission:
    """Write the configuration into `folder`, with paths made absolute, and name the refresh.

    Parameters
    ----------
    name
        Default: a hash of configuration, code, weights, and inputs as they are now (size and time, or a store's tags).

    Raises
    ------
    InputError
        If there is no `name` and the inputs cannot be seen from here.
    """
    run = config.run.model_copy(update={"executor": "ray", "address": None})
    content = config.model_copy(update={"run": run}).model_dump(mode="json", by_alias=True, exclude_defaults=True)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIGURATION).write_text(yaml.safe_dump(content, sort_keys=True), encoding="utf-8")
    if name is None:
        code = None if wheel is None else wheel.name
        given = json.dumps([content, code, _inputs(config), _weights(config)], sort_keys=True)
        name = f"fullshelf-{hashlib.sha256(given.encode()).hexdigest()[:16]}"
    elif not name or not name.replace("-", "").replace("_", "").isalnum():
        raise ConfigError(f"--id {name}: expected letters, digits, - and _")
    return Submission(name, folder, wheel, environment)


def _weights(config: Config) -> list[str]:
    """Return what the configured weights hold, of the demand model and of a policy, as far as they lie here."""
    found = []
    if "/" in config.forecast.model and Path(config.forecast.model).is_dir():
        found.append(content_of(Path(config.forecast.model)))
    if config.plan.policy == "learned" and Path(config.plan.weights).is_file():
        found.append(weights_fingerprint(config.plan.weights))
    return found


def _inputs(config: Config) -> list[list[str]]:
    """Return what each input file is as of now, without reading it."""
    try:
        files = [file for table, paths in config.inputs.given().items() for file in find_files(table, paths)]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(_now, files))
    except InputError as e:
        raise InputError(
            f"{e}. The name of the job is made from the inputs; if only the cluster sees them, give one: --id NAME "
            "(another one for each night)"
        ) from e


def _now(file: SourceFile) -> list[str]:
    if file.is_remote:
        return [file.path, *map(str, tag_and_size(file.path))]
    found = os.stat(file.path)  # noqa: PTH116
    return [file.path, str(found.st_size), str(found.st_mtime_ns)]
