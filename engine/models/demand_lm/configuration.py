"""DemandLMConfig: the shape of a DemandLM."""

from __future__ import annotations

from typing import Any

from transformers import AutoConfig, PretrainedConfig

from fullshelf.engine.models.demand_lm.forecaster import MODEL_TYPE
from fullshelf.engine.models.product_text import HASHED
from fullshelf.kernels.levels import LEVELS, level_array


class DemandLMConfig(PretrainedConfig):
    """Shape of a DemandLM: any Hugging Face decoder between our own tokens and our own heads.

    Parameters
    ----------
    backbone
        The decoder's own configuration as a dictionary with its `model_type`; None: `small_backbone()`.
    levels
        Q rising probabilities that the heads answer.
    patch_width
        Width of the network that makes a token of a patch.
    slot_width
        Numbers that a future token hands to each of its periods.
    head_width
        Width of the two heads.
    static_width
        Width E of the embedding of the product's text; 0: the model reads none.
    text
        How that embedding is made: `hashed` words, or by the `encoder` that lies beside the weights.
    recent
        Newest patches that have a token each, older ones share (`groups.py`); 0: each has its own.
    context
        Longest history that is read when serving, periods.
    horizon
        Periods ahead that one pass answers; longer horizons go on from there.

    Examples
    --------
    >>> DemandLMConfig(backbone=small_backbone(width=64, layers=2)).width
    64
    """

    model_type = MODEL_TYPE

    backbone: dict[str, Any] | None = None
    levels: list[float] | None = None
    patch_width: int = 256
    slot_width: int = 24
    head_width: int = 96
    static_width: int = 0
    text: str = HASHED
    recent: int = 0
    context: int = 512
    horizon: int = 64
    initializer_range: float = 0.05

    def __post_init__(self, **kwargs: Any) -> None:
        self.backbone = dict(self.backbone or small_backbone())
        self.levels = level_array(tuple(self.levels or LEVELS)).tolist()
        super().__post_init__(**kwargs)  # type: ignore[no-untyped-call]

    def backbone_config(self) -> PretrainedConfig:
        """Return the decoder's configuration; it reads no token ids, so its vocabulary is one."""
        values = {key: value for key, value in (self.backbone or {}).items() if key != "model_type"}
        no_tokens = {"vocab_size": 1, "pad_token_id": None, "bos_token_id": None, "eos_token_id": None}
        return AutoConfig.for_model((self.backbone or {})["model_type"], **{**values, **no_tokens})

    @property
    def width(self) -> int:
        """Width d of a token."""
        return int(self.backbone_config().hidden_size)


def small_backbone(width: int = 128, layers: int = 4, heads: int = 4, inner: int | None = None) -> dict[str, Any]:
    """Return the configuration of a small decoder, to be trained from scratch: rotary positions, parallel branches.

    It is GPT-NeoX because PyTorch has its layer norm and its activation as one operation each: on a CPU core in bf16 it
    trained 1.4 times the windows per second of a Llama of the same size, whose norms are six operations.
    """
    return {
        "model_type": "gpt_neox",
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": inner or 3 * width,
        "hidden_act": "gelu",
        "max_position_embeddings": 1024,
        "use_parallel_residual": True,
        "initializer_range": 0.05,
    }
