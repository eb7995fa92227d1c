"""The walls of the house: who may import whom, and the names that must not collide."""

import ast
import functools
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("kernels", "engine", "cluster", "bench")
MAY_IMPORT = {
    "kernels": {"kernels"},
    "engine": {"kernels", "engine"},
    "cluster": {"kernels", "engine", "cluster"},
    "bench": {"kernels", "engine", "cluster", "bench"},
}
NEVER = {
    "kernels": {"polars", "torch", "ray", "pandas", "scipy", "pydantic", "logging", "rich", "typer", "os", "io"},
    "engine": {"ray", "scipy", "pandas"},
    "cluster": {"numba", "scipy", "pandas"},
    "bench": set(),
}
MODULES = [(folder, file) for folder in FOLDERS for file in sorted((ROOT / folder).rglob("*.py"))]


def imports(file: Path, top_level_only: bool = False) -> set[str]:
    tree = ast.parse(file.read_text())
    nodes = tree.body if top_level_only else ast.walk(tree)
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            names.add(node.module or "")
            if node.module == "fullshelf":
                names.update(f"fullshelf.{alias.name}" for alias in node.names)
    return names


@pytest.mark.parametrize(("folder", "file"), MODULES, ids=lambda value: str(value).removeprefix(f"{ROOT}/"))
def test_a_module_imports_only_what_its_folder_may(folder: str, file: Path) -> None:
    found = imports(file)
    ours = {name.split(".")[1] for name in found if name.startswith("fullshelf.")}
    lazily_from_the_command_line = {"bench", "cluster"} if file.name == "cli.py" and folder == "engine" else set()
    assert ours <= MAY_IMPORT[folder] | lazily_from_the_command_line
    # The one reads the kernels' source, the other asks to be told of forks.
    granted = {"compile_cache.py": {"os", "io"}, "threads.py": {"os"}} if folder == "kernels" else {}
    granted |= {"search.py": {"scipy"}} if file.parent.name == "tune" else {}  # the optimiser of one command, an extra
    assert not {name.split(".")[0] for name in found} & (NEVER[folder] - granted.get(file.name, set()))
    if lazily_from_the_command_line:
        outer = ("fullshelf.bench", "fullshelf.cluster")
        assert not any(name.startswith(outer) for name in imports(file, top_level_only=True))


def test_torch_is_imported_only_by_models() -> None:
    for file in (ROOT / "engine").rglob("*.py"):
        if "models" not in file.parts:
            assert "torch" not in {name.split(".")[0] for name in imports(file)}, file


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_package_file_holds_a_docstring_alone(folder: str) -> None:
    body = ast.parse((ROOT / folder / "__init__.py").read_text()).body
    assert len(body) == 1
    assert isinstance(body[0], ast.Expr)


def test_the_packages_that_are_installed_are_those_that_exist() -> None:
    import tomllib

    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    found = {
        f"fullshelf.{init.parent.relative_to(ROOT).as_posix().replace('/', '.')}"
        for folder in FOLDERS
        for init in (ROOT / folder).rglob("__init__.py")
    }
    assert listed == found


@functools.cache
def names_taken() -> dict[str, set[str]]:
    """Return what the modules of the house import from each module."""
    taken: dict[str, set[str]] = {}
    for _, file in MODULES:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                taken.setdefault(node.module, set()).update(alias.name for alias in node.names)
    return taken


KERNELS = sorted((ROOT / "kernels").glob("[!_]*.py"))


@pytest.mark.parametrize("file", KERNELS, ids=lambda file: file.stem)
def test_a_kernel_module_exports_what_others_use_and_only_what_it_has(file: Path) -> None:
    module = importlib.import_module(f"fullshelf.kernels.{file.stem}")
    used = names_taken().get(module.__name__, set())
    exported = module.__all__
    assert exported
    assert used - {"Array"} <= set(exported), f"not in __all__: {sorted(used - set(exported))}"
    assert [name for name in exported if name.startswith("_") or not hasattr(module, name)] == []
    assert sorted(set(exported)) == sorted(exported)


def test_no_module_is_longer_than_400_lines() -> None:
    long = {str(file.relative_to(ROOT)): n for _, file in MODULES if (n := len(file.read_text().splitlines())) > 400}
    assert not long


def test_transformers_does_not_take_our_kernels_folder_for_its_package() -> None:
    """A folder `kernels` at the repository root must not look like the package that transformers probes for."""
    code = (
        "from transformers import GPT2LMHeadModel\n"
        "from transformers.utils import is_kernels_available\n"
        "assert is_kernels_available() is False, 'transformers sees a package called kernels'\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_version_is_never_one_that_transformers_takes_for_the_kernels_package() -> None:
    import tomllib

    assert not tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"].startswith("0.18.")
