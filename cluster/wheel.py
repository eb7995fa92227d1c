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

__all__ = ["make_wheel", "named_by_content"]

PACKAGES = ("kernels", "engine", "cluster", "bench")
ENTRY = "[console_scripts]\nfullshelf = fullshelf.engine.cli:main\n"
LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the same source gives the same bytes


def make_wheel(folder: Path) -> Path:
    """Write the wheel of what this process imports into `folder`; return its path."""
    installed = distribution("fullshelf")
    info = f"fullshelf-{installed.version}.dist-info"
    files = {f"fullshelf/{name}": content for name, content in _sources()}
    files[f"{info}/METADATA"] = (installed.read_text("METADATA") or installed.read_text("PKG-INFO") or "").encode()
    files[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: fullshelf\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files[f"{info}/entry_points.txt"] = ENTRY.encode()
    record = [f"{name},sha256={_digest(content)},{len(content)}" for name, content in files.items()]
    files[f"{info}/RECORD"] = ("\n".join([*record, f"{info}/RECORD,,"]) + "\n").encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as wheel:
        for name, content in files.items():
            wheel.writestr(zipfile.ZipInfo(name, LONG_AGO), content, zipfile.ZIP_DEFLATED)
    return named_by_content(packed.getvalue(), f"fullshelf-{installed.version}-py3-none-any.whl", folder)


def named_by_content(wheel: bytes | Path, name: str, folder: Path) -> Path:
    """Copy a wheel under a name that holds a hash of it: Ray takes wheels of one name for the same.

    Raises
    ------
    ConfigError
        If it is no wheel of fullshelf.
    """
    if isinstance(wheel, Path):
        try:
            wheel = wheel.read_bytes()
        except OSError as e:
            raise ConfigError(f"--wheel {wheel}: cannot be read: {e.strerror or e}") from e
    parts = name.removesuffix(".whl").split("-")
    if not name.endswith(".whl") or len(parts) not in (5, 6) or parts[0] != "fullshelf":
        raise ConfigError(f"--wheel {name}: expected a wheel of fullshelf, named fullshelf-VERSION-py3-none-any.whl")
    build = f"1{hashlib.sha256(wheel).hexdigest()[:12]}"  # the standard wants a digit first
    path = folder / "-".join([*parts[:2], build, *parts[-3:]])
    path = path.with_name(f"{path.name}.whl")
    path.write_bytes(wheel)
    return path


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
