"""Product texts as numbers: what DemandLM's static slot reads of title, description and category.

Two ways: words hashed to a fixed width, which needs no download and no model; or any encoder or decoder of Hugging Face
whose hidden states are averaged over the tokens. A product's numbers depend on its own text alone.

S products, E numbers of an embedding.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from zlib import crc32

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fullshelf.engine.errors import ConfigError
from fullshelf.engine.panel import PRODUCT

Single = NDArray[np.float32]
HASHED, ENCODER = "hashed", "encoder"  # kinds of embeddings, as a model's configuration names them
FOLDER = "text"  # in a folder of weights: the encoder that they were trained with
WIDTH = 128  # of hashed words
STEM = 5  # first letters of a word that count beside the word: singular and plural are then no strangers
MOST_TOKENS = 64  # of a text that an encoder reads
BATCH = 16  # texts in a batch of an encoder, the padded ones included


class TextEmbedding(Protocol):
    """Turns products into numbers."""

    @property
    def width(self) -> int:
        """Numbers of an embedding, E."""
        ...

    def embed(self, products: pl.DataFrame | None, S: int) -> Single:
        """Return the embeddings (S, E) of title, description and category; zeros where a product has no text."""
        ...


@dataclass(frozen=True, slots=True)
class HashedWords:
    """Words, their first letters and the levels of the category, each a sign at one of E places (feature hashing).

    The fields that a product has count alike, however long they are, and the whole has length 1. Source: Weinberger et
    al. (2009), Feature hashing for large scale multitask learning.

    Examples
    --------
    >>> products = pl.DataFrame({"title": ["Paper star", None], "description": None, "category": ["xmas/paper", None]})
    >>> found = HashedWords(32).embed(products, 2)
    >>> found.shape, round(float((found[0] ** 2).sum()), 6), float(np.abs(found[1]).sum())
    ((2, 32), 1.0, 0.0)
    """

    width: int = WIDTH

    def embed(self, products: pl.DataFrame | None, S: int) -> Single:
        """Return the embeddings (S, E) of title, description and category; zeros where a product has no text."""
        found = np.zeros((S, self.width), np.float32)
        if products is None or S == 0:
            return found
        for name in PRODUCT:
            texts, at = np.unique(products[name].fill_null("").to_numpy(), return_inverse=True)
            found += np.stack([self._field(name, text) for text in texts])[at]
        return _of_length_one(found)

    def _field(self, name: str, text: str) -> Single:
        vector = np.zeros(self.width, np.float32)
        for token in _levels(text) if name == "category" else _words(text):
            number = crc32(token.encode())
            vector[number % self.width] += 1.0 if number >> 31 else -1.0
        found: Single = _of_length_one(vector[None])[0]
        return found


@dataclass(frozen=True, slots=True)
class PretrainedText:
    """Hidden states of a language model, averaged over a text's tokens; of length 1."""

    model: Any
    tokenizer: Any
    width: int

    @classmethod
    def load(cls, folder: Path) -> PretrainedText:
        """Load an encoder or decoder with its tokenizer from a local folder.

        Raises
        ------
        ConfigError
            If the folder holds none, or its tokenizer cannot pad.
        """
        import torch
        from transformers import AutoModel, AutoTokenizer

        options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        try:
            tokenizer = AutoTokenizer.from_pretrained(folder, **options)
            model = AutoModel.from_pretrained(folder, use_safetensors=True, dtype=torch.float32, **options)
        except (OSError, ValueError) as e:
            raise ConfigError(f"{folder}: no text encoder can be loaded from here: {e}") from e
        if tokenizer.pad_token is None:
            if tokenizer.eos_token is None:
                raise ConfigError(f"{folder}: its tokenizer has neither a padding nor an end token")
            tokenizer.pad_token = tokenizer.eos_token
        model.train(False)
        return cls(model, tokenizer, int(model.config.hidden_size))

    def save(self, folder: Path) -> None:
        """Write encoder and tokenizer, so that a folder of weights needs no other."""
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)

    def embed(self, products: pl.DataFrame | None, S: int) -> Single:
        """Return the embeddings (S, E) of title, description and category; zeros where a product has no text."""
        found = np.zeros((S, self.width), np.float32)
        if products is None:
            return found
        texts, at = np.unique(one_text(products).to_numpy(), return_inverse=True)
        vectors = np.zeros((texts.size, self.width), np.float32)
        told = np.flatnonzero(texts != "")
        for part in np.array_split(told, -(-told.size // BATCH)) if told.size else ():
            vectors[part] = self._batch(texts[part].tolist())
        found[:] = vectors[at]
        return found

    def _batch(self, texts: list[str]) -> Single:
        import torch

        filled = texts + [texts[0]] * (BATCH - len(texts))  # one shape: a text's numbers do not depend on the others
        tokens = self.tokenizer(
            filled, padding="max_length", truncation=True, max_length=MOST_TOKENS, return_tensors="pt"
        )
        with torch.inference_mode():
            hidden = self.model(**tokens).last_hidden_state.float()
            mask = tokens["attention_mask"][:, :, None].float()
            mean = (hidden * mask).sum(1) / mask.sum(1).clamp(min=1.0)
        return _of_length_one(mean[: len(texts)].numpy())


def one_text(products: pl.DataFrame) -> pl.Series:
    """Return title, description and category of each product as one text, empty where it has none.

    Examples
    --------
    >>> one_text(pl.DataFrame({"title": ["Tea", None], "description": None, "category": ["food/hot", None]})).to_list()
    ['Tea. food, hot', '']
    """
    category = pl.col("category").cast(pl.String).str.replace_all("/", ", ", literal=True)
    parts = [pl.col("title").cast(pl.String), pl.col("description").cast(pl.String), category]
    joined = pl.concat_str([part.replace("", None) for part in parts], separator=". ", ignore_nulls=True)
    return products.select(joined.fill_null("").alias("text")).to_series()


def has_text(products: pl.DataFrame | None) -> bool:
    """Say whether any product has a text."""
    return products is not None and bool((one_text(products) != "").any())


def text_embedding(kind: str, width: int, folder: Path) -> TextEmbedding:
    """Return the embedding that weights were trained with.

    Parameters
    ----------
    kind
        `HASHED`, or `ENCODER`: the encoder lies in the weights' `folder`.

    Raises
    ------
    ConfigError
        If the kind is not known, or the encoder is of another width.
    """
    if kind == HASHED:
        return HashedWords(width)
    if kind != ENCODER:
        raise ConfigError(f"{folder}: reads product text as {kind!r}; expected {HASHED!r} or {ENCODER!r}")
    found = PretrainedText.load(folder / FOLDER)
    if found.width != width:
        raise ConfigError(f"{folder}: its text encoder gives {found.width} numbers, its weights read {width}")
    return found


def _words(text: str) -> Iterator[str]:
    for word in re.findall(r"[^\W_]+", text.lower()):
        yield word
        if len(word) > STEM:
            yield f"{word[:STEM]}~"


def _levels(path: str) -> Iterator[str]:
    """Yield the category and those above it."""
    parts = [part.strip().lower() for part in path.split("/") if part.strip()]
    for depth in range(1, len(parts) + 1):
        yield "/".join(["", *parts[:depth]])


def _of_length_one(vectors: Single) -> Single:
    size = np.sqrt((vectors.astype(np.float64) ** 2).sum(axis=1, keepdims=True))
    return np.where(size > 0, vectors / np.maximum(size, 1e-12), 0.0).astype(np.float32)
