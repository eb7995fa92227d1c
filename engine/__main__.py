"""`python -m fullshelf.engine` is `fullshelf`."""

from fullshelf.engine.cli import main

main()
