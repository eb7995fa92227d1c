"""A folder of weights: what it holds, what names its content, and how it gets onto the hardware that is there.

On a CPU each shard's thread computes with one core: shards run side by side, and a series' bytes do not depend on how
many. On a GPU weights lie on one device where they fit, else accelerate spreads them over all.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fullshelf.engine.errors import ConfigError
from fullshelf.engine.models.freed_memory import keep_freed_memory
from fullshelf.engine.models.product_text import FOLDER

if TYPE_CHECKING:
    import torch

CONFIG = "config.json"
FITS = 0.7  # of a GPU's memory may be weights


def read_config(folder: Path) -> dict[str, Any]:
    """Read the configuration of a folder of weights, and check that weights lie beside it.

    Raises
    ------
    ConfigError
        If either is missing, or the configuration is no JSON object.
    """
    try:
        found = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except FileNotFoundError as e:
        raise ConfigError(f"{folder}: no {CONFIG} here; expected a folder that `save_pretrained` wrote") from e
    except (OSError, ValueError) as e:
        raise ConfigError(f"{folder / CONFIG}: cannot be read: {e}") from e
    if not isinstance(found, dict):
        raise ConfigError(f"{folder / CONFIG}: expected a JSON object, found {type(found).__name__}")
    if not weight_files(folder):
        raise ConfigError(f"{folder}: no *.safetensors here; the weights of the model are missing")
    return found


def weight_files(folder: Path) -> list[Path]:
    """Return the files of weights, by name."""
    return sorted(folder.glob("*.safetensors"))


def content_of(folder: Path) -> str:
    """Return a hash of the weights and of all that stands beside them: configuration, vocabulary, text encoder."""
    digest = hashlib.sha256()
    for file in [*sorted(folder.glob("*.json")), *weight_files(folder), *sorted((folder / FOLDER).glob("*.*"))]:
        digest.update(file.relative_to(folder).as_posix().encode())
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()[:32]


def load_pretrained(kind: Any, folder: Path) -> tuple[Any, torch.device]:
    """Load weights onto the hardware that is there.

    Parameters
    ----------
    kind
        A class with `from_pretrained`.

    Returns
    -------
    The model, ready to answer, and the device that its inputs belong on. A model that fits on one device is in float32.
    """
    import torch
    from transformers.utils import logging

    logging.disable_progress_bar()
    options: dict[str, Any] = {"use_safetensors": True, "local_files_only": True, "trust_remote_code": False}
    on_gpu = torch.cuda.is_available()
    size = sum(file.stat().st_size for file in weight_files(folder))
    if on_gpu and size > FITS * torch.cuda.get_device_properties(0).total_memory:
        model = kind.from_pretrained(folder, device_map="auto", dtype=torch.bfloat16, **options)
        model.train(False)
        return model, next(model.parameters()).device
    model = kind.from_pretrained(folder, dtype=torch.float32, **options)
    model.train(False)
    if on_gpu:
        return model.to("cuda"), torch.device("cuda")
    torch.set_num_threads(1)
    keep_freed_memory()
    return model, torch.device("cpu")


def name_of(device: torch.device) -> str:
    """Return `cpu`, or the accelerator's name."""
    import torch

    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
