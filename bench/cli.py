"""`fullshelf bench NAME`: prints what the machine allows, a table ours × peer × size, and one JSON line."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import typer

app = typer.Typer(no_args_is_help=True, help="Benchmarks: ours, the peers and the physical limit, in the same run.")


class Size(StrEnum):
    """How much is measured."""

    SMALL = "small"  # seconds to a few minutes
    FULL = "full"  # what the README quotes


@app.callback()
def _group() -> None:
    """Keep the command names even while there is a single one."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run one benchmark by name, e.g. `main(["refresh", "--size", "small"])`."""
    app(args=None if argv is None else list(argv), prog_name="fullshelf bench")
