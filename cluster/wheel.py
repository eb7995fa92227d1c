"""The installed fullshelf as a wheel, made without a build tool: what a job on a cluster imports.

The repository root itself must never be shipped: its folder `kernels` would be taken for another package.
"""

from __future__ import annotations

import base64
import hashlib
import importlib
import io
import zipfile
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

from fullshelf.engine.errors import ConfigError

__all__ = ["make_wheel"]

PACKAGES = ("kernels", "engine", "cluster", "bench")
ENTRY = "[console_scripts]\nfullshelf = fullshelf.engine.cli:main\n"
NEEDS = ("Requires-Dist:", "Provides-Extra:")
LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the same source gives the same bytes


def make_wheel(folder: Path, given: Path | None = None) -> Path:
    """Write a wheel for the nodes of a cluster into `folder`; return its path.

    Its name holds a hash of it, for Ray takes wheels of one name for the same. It asks for no other package: Ray would
    install what it asks for anew on each node, in whatever versions; the nodes' image has them.

    Parameters
    ----------
    given
        A wheel of fullshelf; default: what this process imports.

    Raises
    ------
    ConfigError
        If `given` is no such wheel.
    """
    files = _installed() if given is None else _unpacked(given)
    info = next(name.partition("/")[0] for name in files if name.endswith(".dist-info/METADATA"))
    metadata = files[f"{info}/METADATA"].decode().splitlines(keepends=True)
    files[f"{info}/METADATA"] = "".join(line for line in metadata if not line.startswith(NEEDS)).encode()
    record = [f"{name},sha256={_digest(content)},{len(content)}" for name, content in files.items()]
    files[f"{info}/RECORD"] = ("\n".join([*record, f"{info}/RECORD,,"]) + "\n").encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as wheel:
        for name, content in files.items():
            wheel.writestr(zipfile.ZipInfo(name, LONG_AGO), content, zipfile.ZIP_DEFLATED)
    build = f"1{hashlib.sha256(packed.getvalue()).hexdigest()[:12]}"  # the standard wants a digit first
    path = folder / f"{info.removesuffix('.dist-info')}-{build}-py3-none-any.whl"
    path.write_bytes(packed.getvalue())
    return path


def _installed() -> dict[str, bytes]:
    installed = distribution("fullshelf")
    info = f"fullshelf-{installed.version}.dist-info"
    files = {f"fullshelf/{name}": content for name, content in _sources()}
    files[f"{info}/METADATA"] = (installed.read_text("METADATA") or installed.read_text("PKG-INFO") or "").encode()
    files[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: fullshelf\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files[f"{info}/entry_points.txt"] = ENTRY.encode()
    return files


def _unpacked(wheel: Path) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(wheel) as packed:
            files = {name: packed.read(name) for name in packed.namelist() if not name.endswith(("/", "/RECORD"))}
    except (OSError, zipfile.BadZipFile) as e:
        raise ConfigError(f"--wheel {wheel}: cannot be read: {e}") from e
    if not any(name.startswith("fullshelf-") and name.endswith(".dist-info/METADATA") for name in files):
        raise ConfigError(f"--wheel {wheel}: expected a wheel of fullshelf (`python -m build --wheel` makes one)")
    return files


def _sources() -> Iterator[tuple[str, bytes]]:
    for package in PACKAGES:
        root = Path(next(iter(importlib.import_module(f"fullshelf.{package}").__path__)))
        for file in sorted(root.rglob("*")):
            inside = file.relative_to(root)
            hidden = any(part.startswith(".") or part == "__pycache__" for part in inside.parts)
            if file.is_file() and not hidden:
                yield f"{package}/{inside.as_posix()}", file.read_bytes()


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
