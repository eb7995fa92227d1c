"""A Ray cluster on this machine, of several nodes with a core and a made-up GPU each."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# Ray reads its mode once, when it is imported: set here, before any test module does that.
os.environ.setdefault("RAY_AUTH_MODE", "token")
os.environ.setdefault("RAY_AUTH_TOKEN", "a-throw-away-token-of-the-tests-" + "0" * 16)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Any]:
    """Two nodes; tests connect to it by its address, with a token."""
    from fullshelf.bench.ray_nodes import nodes

    with nodes(2) as made:
        yield made


@pytest.fixture
def by_value(request: pytest.FixtureRequest) -> Iterator[None]:
    """Send what the test's module defines to the actors as it is: they cannot import the module."""
    import ray.cloudpickle

    ray.cloudpickle.register_pickle_by_value(request.module)
    yield
    ray.cloudpickle.unregister_pickle_by_value(request.module)


@pytest.fixture
def shop(tmp_path: Path) -> Any:
    """The small shop of the engine's tests."""
    spec = importlib.util.spec_from_file_location("shop", Path(__file__).parents[1] / "engine" / "conftest.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Shop(tmp_path / "shop")
