"""Machine code is reused only while every source that it is made of stays what it was."""

import os
import subprocess
import sys

import numba
import pytest

from fullshelf.kernels import compile_cache
from fullshelf.kernels.compile_cache import code_folder, fingerprint


def forget():
    """Do what a new process would: read the sources again."""
    compile_cache._text.cache_clear()
    fingerprint.cache_clear()


@pytest.fixture
def kernels(tmp_path):
    (tmp_path / "loop.py").write_text("from fullshelf.kernels.middle import (\n    a,\n)\n")
    (tmp_path / "middle.py").write_text("from fullshelf.kernels import core, missing as other\n")
    (tmp_path / "core.py").write_text("x = 1\n")
    (tmp_path / "stranger.py").write_text("x = 1\n")
    yield tmp_path
    forget()


@pytest.mark.parametrize(
    ("changed", "matters"), [("loop", True), ("middle", True), ("core", True), ("stranger", False)]
)
def test_a_change_matters_where_the_code_is_made_of_it(kernels, changed, matters):
    before = fingerprint(kernels / "loop.py", kernels)
    file = kernels / f"{changed}.py"
    file.write_text(file.read_text() + "y = 2\n")
    forget()
    assert (fingerprint(kernels / "loop.py", kernels) != before) == matters


def test_numbas_own_setting_is_left_as_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    with code_folder(compile_cache._imported):
        assert numba.config.CACHE_DIR.startswith(f"{tmp_path}/fullshelf.kernels.compile_cache-")
    assert str(tmp_path) == numba.config.CACHE_DIR


def test_a_function_without_a_file_leaves_numba_to_its_own_rules():
    before = numba.config.CACHE_DIR
    scope = {}
    exec(compile("def f(): pass", "<nowhere>", "exec"), scope)
    with code_folder(scope["f"]):
        assert before == numba.config.CACHE_DIR


def test_a_second_start_compiles_nothing(tmp_path):
    program = (
        "from fullshelf.kernels.special import deviance\n"
        "deviance(0.1)\n"
        "print(sum(deviance.stats.cache_hits.values()), sum(deviance.stats.cache_misses.values()))\n"
    )
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    seen = [
        subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    ]
    assert seen == ["0 1\n", "1 0\n"]
