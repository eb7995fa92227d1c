"""Run the steps of configs/Dockerfile in clean folders, without Docker: `make image-check`. Needs the package index.

Each stage gets a folder in place of `/` and a new virtual environment in place of the image's Python. FROM, COPY,
WORKDIR, ARG, ENV and RUN are followed; steps that only a system can do (`useradd`, USER) are named and left out.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
SYSTEM_ONLY = ("useradd",)
ABSOLUTE = re.compile(r"(?<![\w./:])/(source|wheels|opt|tmp|home)\b")


class Stage:
    """One stage of the file."""

    def __init__(self, root: Path) -> None:
        self.root, self.folder = root, root
        self.environment = {
            name: value for name, value in os.environ.items() if name == "HOME" or name.startswith("PIP_")
        }
        subprocess.run([sys.executable, "-m", "venv", root / "python"], check=True)
        self.environment["PATH"] = f"{root / 'python' / 'bin'}:/usr/bin:/bin"

    def path(self, name: str) -> Path:
        """Return a path of the image, here."""
        return self.root / name.lstrip("/") if name.startswith("/") else self.folder / name

    def run(self, command: str) -> None:
        """Run a command with the image's absolute paths in this stage's folder."""
        (self.root / "tmp").mkdir(exist_ok=True)
        here = ABSOLUTE.sub(lambda found: f"{self.root}/{found[1]}", command)
        subprocess.run(["sh", "-ec", here], cwd=self.folder, env=self.environment, check=True)


def run_steps(dockerfile: Path, clean: Path, arguments: dict[str, str]) -> None:
    """Follow every step; CalledProcessError where one fails."""
    stages: dict[str, Stage] = {}
    stage: Stage | None = None
    given: dict[str, str] = {}
    for line in dockerfile.read_text().replace("\\\n", " ").splitlines():
        word, _, rest = line.partition(" ")
        if not line or word.startswith("#"):
            continue
        print(line, flush=True)
        if word == "ARG":
            name, _, default = rest.partition("=")
            given[name] = arguments.get(name, default)
        elif word == "FROM":
            stage = Stage(clean / str(len(stages)))
            stages[rest.partition(" AS ")[2] or str(len(stages))] = stage
        elif stage is None:
            raise ValueError(f"{line}: stands before FROM")
        elif word == "WORKDIR":
            stage.folder = stage.path(rest)
            stage.folder.mkdir(parents=True, exist_ok=True)
        elif word == "ENV":
            stage.environment.update([rest.split("=", 1)])
        elif word == "COPY":
            *sources, target = rest.split()
            origin = ROOT
            if sources[0].startswith("--from="):
                origin = stages[sources.pop(0).removeprefix("--from=")].root
            for source in sources:
                _copy(origin / source.lstrip("/"), stage.path(target), target)
        elif word == "RUN" and not rest.startswith(SYSTEM_ONLY):
            stage.environment.update(given)
            stage.run(rest)
        elif word in ("RUN", "USER"):
            print("  left out: only a system can do it")
        else:
            raise ValueError(f"{line}: {word} is not followed here")


def _copy(source: Path, target: Path, named: str) -> None:
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        folder = target if named.endswith("/") else target.parent
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, folder)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build-arg", action="append", default=[], metavar="NAME=VALUE")
    chosen = dict(pair.split("=", 1) for pair in parser.parse_args().build_arg)
    with tempfile.TemporaryDirectory(prefix="fullshelf-image-") as folder:
        run_steps(ROOT / "configs" / "Dockerfile", Path(folder), chosen)
    print("every step passed")
