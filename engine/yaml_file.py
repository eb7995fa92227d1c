"""YAML files that people write: mappings whose keys stand once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from fullshelf.engine.errors import ConfigError

__all__ = ["read_mapping"]


class _OnceLoader(yaml.SafeLoader):
    """Reads YAML whose mappings name no key twice: of two values the file would silently keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Return the mapping of a node."""
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} stands twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


def read_mapping(path: Path, what: str, expected: str) -> dict[str, Any]:
    """Read a file that holds a mapping; `what` it is and `expected` keys are for the message.

    Raises
    ------
    ConfigError
        If it cannot be read, is not YAML, holds something else, or names a key twice.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as e:
        raise ConfigError(f"{path}: cannot read {what}: {e.strerror or e}") from e
    except UnicodeDecodeError as e:
        raise ConfigError(f"{path}: {what} is not UTF-8 text; is this the right file?") from e
    try:
        values = yaml.load(text, _OnceLoader)  # a safe loader
    except (yaml.YAMLError, ValueError) as e:  # ValueError: a date that no calendar has
        raise ConfigError(f"{path}: not valid YAML: {e}") from e
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: expected a mapping with {expected}, found {type(values).__name__}")
    return values
