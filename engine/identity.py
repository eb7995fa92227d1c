"""The run id: the same inputs, model, configuration and code give the same name, so a finished run is recognised."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import fullshelf.kernels
from fullshelf.engine.calendar import Period
from fullshelf.engine.config import Config
from fullshelf.engine.learned_policy import weights_fingerprint

LIBRARIES = ("numpy", "numba", "polars")


@cache
def package_version() -> str:
    """Return the installed version of fullshelf."""
    try:
        return version("fullshelf")
    except PackageNotFoundError:
        return "0+unknown"


@cache
def code_version() -> str:
    """Return the package version and a hash of its source: an edited file is another version, without a release."""
    digest = hashlib.sha256()
    for folder in (Path(fullshelf.kernels.__path__[0]), Path(__file__).parent):
        for file in sorted(folder.rglob("*.py")):
            digest.update(file.relative_to(folder).as_posix().encode())
            digest.update(file.read_bytes())
    return f"{package_version()}+{digest.hexdigest()[:12]}"


def versions() -> dict[str, str]:
    """Return the versions of the code and of the libraries that decide the bytes of the output."""
    return {"fullshelf": code_version(), **{name: version(name) for name in LIBRARIES}}


def run_id(config: Config, inputs: str, model: str, shards: int, as_of: int) -> str:
    """Name the run: as-of date and a hash of everything that decides its numbers.

    Where the files lie and how many threads work does not change a number and is left out.
    """
    settings = config.model_dump(mode="json", exclude=_apart("backtest"))
    content = {
        "settings": settings,
        "tables": sorted(config.inputs.given()),
        "inputs": inputs,
        "model": model,
        "shards": shards,
        "as_of": as_of,
        "versions": versions(),
    }
    content["weights"] = _weights(config, (config.plan.policy,))
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return f"{Period(config.period).start(as_of):%Y%m%d}-{digest[:16]}"


def backtest_id(sides: Sequence[tuple[Config, str, Sequence[str]]], as_of: int) -> str:
    """Name a backtest like a run; `sides` are configurations with the fingerprints of their inputs and models.

    How the series are split into shards does not change a number and is left out.
    """
    apart = _apart("report")
    content = {
        "sides": [
            (config.model_dump(mode="json", exclude=apart), sorted(config.inputs.given()), inputs, list(models))
            for config, inputs, models in sides
        ],
        "weights": [_weights(side[0], (side[0].plan.policy, *(side[0].backtest.policies or ()))) for side in sides],
        "as_of": as_of,
        "versions": versions(),
    }
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return f"{Period(sides[0][0].period).start(as_of):%Y%m%d}-{digest[:16]}"


def _apart(section: str) -> dict[str, Any]:
    """Return the settings that decide no number: where files lie (their content counts apart), how many work."""
    apart: dict[str, Any] = dict.fromkeys(("inputs", "output", "run", "as_of", "fit", "tune", section), True)
    return apart | {"plan": {"weights"}}


def _weights(config: Config, policies: Sequence[str]) -> str | None:
    """Return what names the learned policy's weights; None where no policy is learned."""
    return weights_fingerprint(config.plan.weights) if "learned" in policies else None
