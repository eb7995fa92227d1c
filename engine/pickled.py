"""What a driver tells processes on other machines, as a file: only its path and its hash travel there."""

from __future__ import annotations

import hashlib
import pickle
from dataclasses import dataclass
from typing import Any

from fullshelf.engine.commit import replacing
from fullshelf.engine.errors import RunError
from fullshelf.engine.identity import versions
from fullshelf.engine.storage import Location

__all__ = ["JobFile", "read_job", "write_job"]


@dataclass(frozen=True, slots=True)
class JobFile:
    """Where a job lies and what it must be."""

    path: Location
    sha256: str


def write_job(path: Location, **content: Any) -> JobFile:
    """Write a job with the versions of what decides its numbers."""
    pickled = pickle.dumps(content | {"versions": versions()}, protocol=5)
    with replacing(path) as temporary:
        temporary.write_bytes(pickled)
    return JobFile(path, hashlib.sha256(pickled).hexdigest())


def read_job(file: JobFile) -> dict[str, Any]:
    """Read what `write_job` wrote.

    Raises
    ------
    RunError
        If the file is not to be seen from here or is another one, or if this machine's code would give other numbers
        than the driver's.
    """
    try:
        pickled = file.path.read_bytes()
    except OSError as e:
        raise RunError(
            f"{file.path}: cannot be read from this machine ({e.strerror or e}); `output` must lie where every "
            "node sees it"
        ) from e
    if hashlib.sha256(pickled).hexdigest() != file.sha256:
        raise RunError(f"{file.path}: this machine sees another file than the driver wrote; is the folder shared?")
    found: dict[str, Any] = pickle.loads(pickled)  # what the driver itself wrote, as the hash says
    ours, theirs = versions(), found.pop("versions")
    if ours != theirs:
        other = ", ".join(
            f"{name} {ours[name]} instead of {theirs[name]}" for name in ours if ours[name] != theirs[name]
        )
        raise RunError(f"this machine has {other}; install the same versions on every node")
    return found
