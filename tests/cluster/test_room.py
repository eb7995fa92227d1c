"""How many actors a cluster holds, and what they ask for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from fullshelf.cluster.executor import actor_options, room_for
from fullshelf.cluster.threads import VARIABLES
from fullshelf.engine.config import RunSettings

GPU = {"Alive": True, "Resources": {"CPU": 16.0, "GPU": 4.0, "accelerator_type:H200": 1.0}, "Labels": {"zone": "a"}}
CPU = {"Alive": True, "Resources": {"CPU": 16.0}, "Labels": {"zone": "b"}}


def test_an_actor_to_a_core_an_actor_to_a_gpu_or_to_half_of_one() -> None:
    assert room_for(actor_options(RunSettings(), 0.0), [GPU, CPU]) == 32
    assert room_for(actor_options(RunSettings(), 1.0), [GPU, CPU]) == 4
    assert room_for(actor_options(RunSettings(), 0.5), [GPU, CPU]) == 8
    assert room_for(actor_options(RunSettings(cores_per_actor=5), 1.0), [GPU]) == 3


def test_placement_by_accelerator_and_label() -> None:
    assert room_for(actor_options(RunSettings(accelerator="H200"), 1.0), [GPU, CPU]) == 4
    assert room_for(actor_options(RunSettings(accelerator="A100"), 1.0), [GPU, CPU]) == 0
    assert room_for(actor_options(RunSettings(labels={"zone": "b"}), 0.0), [GPU, CPU]) == 16
    assert room_for(actor_options(RunSettings(), 0.0), [CPU | {"Alive": False}]) == 0


def test_an_actors_libraries_use_what_it_was_granted() -> None:
    code = (
        "from fullshelf.cluster.worker import ShardWorker\n"
        "import sys\n"
        "assert not {'polars', 'numba', 'torch'} & set(sys.modules), 'loaded before the threads are set'\n"
        "ShardWorker(1.0)\n"
        "import numba, polars\n"
        "assert polars.thread_pool_size() == numba.config.NUMBA_NUM_THREADS == 1\n"
    )
    kept = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=kept)
    assert done.returncode == 0, done.stderr


def test_the_driver_never_sends_a_table() -> None:
    """What the actors' methods take and give is written down in one class: numbers, paths, records."""
    source = Path(sys.modules[RunSettings.__module__].__file__ or "").parents[1] / "cluster" / "fleet.py"
    assert "polars" not in source.read_text()
