"""The slot for a product's text: how weights come by one, and what fills it while they are fine-tuned."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from fullshelf.engine.errors import ConfigError
from fullshelf.engine.models.demand_lm.configuration import DemandLMConfig
from fullshelf.engine.models.demand_lm.fine_tuning import History
from fullshelf.engine.models.demand_lm.modeling import DemandLM
from fullshelf.engine.models.product_text import (
    ENCODER,
    FOLDER,
    HASHED,
    HashedWords,
    PretrainedText,
    TextEmbedding,
    has_text,
    text_embedding,
)

NONE = "none"


def text_of_fit(
    wanted: str | None, start: Path | None, model: DemandLM, history: History | None
) -> TextEmbedding | None:
    """Return how the fit reads product texts; None: not at all.

    Parameters
    ----------
    wanted
        `fit.text`; None: as the weights of `start` do, else hashed words where a product has a text.
    history
        What is trained on; None: the prior, whose products have no text.

    Raises
    ------
    ConfigError
        If the weights read texts another way, or a text is asked for and no product has one.
    """
    own = int(model.config.static_width)
    if own and wanted is not None and wanted != model.config.text:
        raise ConfigError(
            f"fit.text: {wanted!r}, but the weights of fit.from read product text as {model.config.text!r}; leave "
            "fit.text out, or start from weights that read none"
        )
    if own:
        return text_embedding(model.config.text, own, start or Path())
    known = history is not None and any(has_text(panel.products) for panel in history.panels)
    if wanted == NONE or (wanted is None and not known):
        return None
    if not known:
        raise ConfigError(
            f"fit.text: {wanted!r}, but no product that is trained on has a title, description or category; "
            "give them as inputs.skus"
        )
    if wanted in (None, HASHED):
        return HashedWords()
    if "/" not in str(wanted):
        raise ConfigError(f"fit.text: {wanted!r}; expected {HASHED}, {NONE} or the folder of an encoder (with a /)")
    return PretrainedText.load(Path(str(wanted)))


def with_slot(model: DemandLM, text: TextEmbedding) -> DemandLM:
    """Return the model with a slot for the texts; a new one says nothing until it is trained."""
    if model.config.static_width:
        return model
    kind = HASHED if isinstance(text, HashedWords) else ENCODER
    shape = {key: value for key, value in model.config.to_dict().items() if key != "model_type"}
    wider = DemandLM(DemandLMConfig(**{**shape, "static_width": text.width, "text": kind}))
    wider.load_state_dict(model.state_dict(), strict=False)
    if wider.static_in is not None:
        torch.nn.init.zeros_(wider.static_in.weight)
    return wider


def with_texts(history: History, text: TextEmbedding) -> History:
    """Return the history with its products' texts embedded."""
    return replace(history, static=[text.embed(panel.products, panel.series) for panel in history.panels])


def save_text(text: TextEmbedding | None, folder: Path) -> None:
    """Write a text encoder beside the weights; hashed words need no file."""
    if isinstance(text, PretrainedText):
        text.save(folder / FOLDER)
