"""The examples in the docstrings run.

Not by `pytest --doctest-modules`, which imports a file of the folder `kernels` as `kernels.x`: numba's cache on disk
then holds code that `fullshelf.kernels.x` cannot load.
"""

import doctest
import importlib
import pkgutil

import pytest

import fullshelf.kernels

MODULES = sorted(module.name for module in pkgutil.iter_modules(fullshelf.kernels.__path__))


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_kernel_run_as_written(name: str) -> None:
    module = importlib.import_module(f"fullshelf.kernels.{name}")
    assert doctest.testmod(module).failed == 0
