"""Options that several benchmarks take."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Size(StrEnum):
    """How much is measured."""

    SMALL = "small"  # seconds to a few minutes
    FULL = "full"  # what the README quotes


SizeOption = Annotated[Size, typer.Option(help="how much is measured")]
JsonFile = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="write the JSON line to a file too")]
Series = Annotated[int | None, typer.Option(min=1, help="number of series; default by --size")]
SharedData = Annotated[Path, typer.Option(help="folder with data/, scenarios/ and tools/: real sales and their judge")]
SHARED = Path("../shared")
Say = Callable[[str], None]  # tells how far a benchmark is
Work = Annotated[Path | None, typer.Option(help="folder for data and runs; default: one that is removed")]
