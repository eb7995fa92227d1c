"""Product texts as numbers: what is alike lies near, and a product's numbers are its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from fullshelf.engine.errors import ConfigError
from fullshelf.engine.models.product_text import (
    ENCODER,
    FOLDER,
    HASHED,
    HashedWords,
    PretrainedText,
    has_text,
    text_embedding,
)

WORDS = ["[PAD]", "?", "tea", "green", "lamp", "food", "hot", ",", "."]


def products(*rows: tuple[str | None, str | None, str | None]) -> pl.DataFrame:
    names = ("title", "description", "category")
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")


def save_encoder(folder: Path, width: int = 16) -> Path:
    torch.manual_seed(0)
    tokenizer = Tokenizer(WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="?"))
    tokenizer.pre_tokenizer = Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="?", pad_token="[PAD]").save_pretrained(folder)
    shape = {"num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16, "vocab_size": len(WORDS)}
    BertModel(BertConfig(hidden_size=width, **shape)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_encoder(tmp_path_factory.mktemp("encoder"))


def test_products_with_words_or_categories_in_common_lie_nearer() -> None:
    star, stars, tree, lamp, none = HashedWords().embed(
        products(
            ("Paper star", None, "Xmas/Paper"),
            ("PAPER STARS (6)", None, "xmas/paper"),
            ("Glass tree", None, "xmas/glass"),
            ("Desk lamp", None, "light/desk"),
            (None, "", None),
        ),
        5,
    )
    assert star @ stars > star @ tree + 0.2 > star @ lamp + 0.2
    assert np.linalg.norm(star) == pytest.approx(1.0)
    assert not none.any()


def test_a_long_description_does_not_drown_the_category() -> None:
    long = " ".join(f"word{i}" for i in range(300))
    a, b, c = HashedWords().embed(products(("x", long, "food/tea"), ("y", None, "food/tea"), ("y", None, "tools")), 3)
    assert a @ b > a @ c + 0.2


@pytest.mark.parametrize("kind", [HASHED, ENCODER])
def test_a_products_numbers_do_not_depend_on_the_others(kind: str, encoder: Path, tmp_path: Path) -> None:
    if kind == ENCODER:
        PretrainedText.load(encoder).save(tmp_path / FOLDER)
    text = text_embedding(kind, 16, tmp_path)
    texts = [("tea", None, "food/hot"), ("green tea", None, None), (None, None, None)]
    table = products(*texts, *(("lamp " * i, None, None) for i in range(1, 22)))
    together = text.embed(table, table.height)
    assert together.shape == (24, 16)
    assert np.isfinite(together).all()
    assert [bool(row.any()) for row in together[:3]] == [True, True, False]
    for i in (0, 1, 2, 23):
        assert text.embed(table[i : i + 1], 1).tobytes() == together[i : i + 1].tobytes()
    assert not text.embed(None, 3).any()
    assert text.embed(table[:0], 0).shape == (0, 16)


def test_an_encoder_of_another_width_and_an_unknown_kind_are_refused(encoder: Path, tmp_path: Path) -> None:
    PretrainedText.load(encoder).save(tmp_path / FOLDER)
    with pytest.raises(ConfigError, match="gives 16 numbers, its weights read 32"):
        text_embedding(ENCODER, 32, tmp_path)
    with pytest.raises(ConfigError, match="'rot13'; expected 'hashed' or 'encoder'"):
        text_embedding("rot13", 16, tmp_path)
    with pytest.raises(ConfigError, match="no text encoder can be loaded from here"):
        text_embedding(ENCODER, 16, tmp_path / "nowhere")


def test_whether_a_product_has_a_text() -> None:
    assert has_text(products((None, None, "food")))
    assert not has_text(products((None, "", None)))
    assert not has_text(None)
