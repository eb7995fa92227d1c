"""The examples in the docstrings, run under the names that users import."""

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = [
    f"fullshelf.{file.relative_to(ROOT).with_suffix('').as_posix().replace('/', '.')}"
    for folder in ("kernels", "engine", "bench")
    for file in sorted((ROOT / folder).rglob("*.py"))
    if file.stem not in ("__init__", "__main__") and ">>>" in file.read_text()
]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_give_what_they_show(name: str) -> None:
    module = importlib.import_module(name)
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    result = doctest.testmod(module, optionflags=flags)
    finder = doctest.DocTestFinder()
    compiled = [value for value in vars(module).values() if getattr(value, "py_func", None) is not None]
    runner = doctest.DocTestRunner(optionflags=flags)
    for function in compiled:  # doctest does not look behind a compiled function
        if function.py_func.__module__ == name:
            for example in finder.find(function.py_func, globs=dict(vars(module))):
                runner.run(example)
    assert result.failed + runner.failures == 0
    assert result.attempted + runner.tries > 0
