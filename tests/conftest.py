"""Hypothesis tries the same examples in every run, so that `make test` answers the same on each machine.

`HYPOTHESIS_PROFILE=search make test` looks for new ones.
"""

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

settings.register_profile("steady", derandomize=True, deadline=None, database=None)
settings.register_profile("search", deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))


@pytest.fixture(scope="module")
def one_torch_thread() -> Iterator[None]:
    """Compute with one thread: two that wait for each other on a busy machine took six times as long."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
