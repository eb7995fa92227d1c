"""Where a kernel's machine code is kept: in a folder named by all the source that it is made of.

Numba looks at the file of a function alone, but the machine code of a loop holds that of every core it calls, from
other files too. After an update that changes such a core, numba would go on running the old one in silence (seen: a
quantile corrected in one file, wrong numbers from the loop in another). So the folder's name is a hash of the file, of
all kernels that it imports, directly or not, and of the settings that change the code.
"""

import functools
import hashlib
import inspect
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numba

__all__ = ["code_folder", "fingerprint"]

config: Any = numba.config

_IMPORT = re.compile(r"^\s*from fullshelf\.kernels(?:\.(\w+) import|\s+import\s+(\([^)]*\)|[^\n]*))", re.MULTILINE)


@functools.cache
def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def _imported(text: str) -> set[str]:
    """Name the kernel modules that a source text imports."""
    names: set[str] = set()
    for module, listed in _IMPORT.findall(text):
        names.update([module] if module else re.findall(r"(\w+)(?:\s+as\s+\w+)?", listed))
    return names


@functools.cache
def fingerprint(file: Path, kernels: Path) -> str:
    """Return a hash of a source file and of every kernel that it imports, directly or not.

    Parameters
    ----------
    file
        Where the function stands.
    kernels
        The folder of `fullshelf.kernels`.
    """
    sources = {file}
    waiting = [file]
    while waiting:
        for name in _imported(_text(waiting.pop())):
            source = kernels / f"{name}.py"
            if source not in sources and source.exists():
                sources.add(source)
                waiting.append(source)
    digest = hashlib.sha256(f"{numba.__version__} {config.BOUNDSCHECK} {config.OPT}".encode())
    for source in sorted(sources):
        digest.update(f"\0{source.name}\0{_text(source)}".encode())
    return digest.hexdigest()[:16]


@contextmanager
def code_folder(function: Callable[..., Any]) -> Iterator[None]:
    """Let numba choose the folder of the function's source for what is compiled with `cache=True` inside.

    The folder lies in NUMBA_CACHE_DIR, else in `__pycache__` beside the source. Where that cannot be written, or a
    function has no source file, numba's own rules hold.
    """
    before = config.CACHE_DIR
    try:
        file = Path(inspect.getfile(function)).resolve()
        name = f"{function.__module__}-{fingerprint(file, Path(__file__).resolve().parent)}"
        root = Path(before) if before else file.parent / "__pycache__" / "numba"
        (root / name).mkdir(parents=True, exist_ok=True)
        (root / name / "writable").touch()  # numba would fail at its first attempt to write
        config.CACHE_DIR = str(root / name)
    except OSError:
        pass
    try:
        yield
    finally:
        config.CACHE_DIR = before
