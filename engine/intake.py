"""The inputs of a run, as the rest of the engine sees them: `prepare` them, `read` a shard, `check` them alone."""

from fullshelf.engine.input_report import InputReport, check
from fullshelf.engine.preparation import Preparation, prepare, preparing
from fullshelf.engine.shard_input import Intake, Returns, ShardInput, TableCount

__all__ = [
    "InputReport",
    "Intake",
    "Preparation",
    "Returns",
    "ShardInput",
    "TableCount",
    "check",
    "prepare",
    "preparing",
]
