"""TimesFM and causal language models, on random checkpoints of a few thousand weights."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Split
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedTokenizerFast,
    T5Config,
    TimesFm2_5Config,
    TimesFm2_5ModelForPrediction,
)

from fullshelf.engine.calendar import Period
from fullshelf.engine.errors import ConfigError
from fullshelf.engine.forecast import Forecast
from fullshelf.engine.models.catalogue import load_model
from fullshelf.engine.panel import Panel
from fullshelf.kernels.levels import LEVELS

PanelOf = Callable[..., Panel]
H = 5


@pytest.fixture(scope="module")
def timesfm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("timesfm")
    heads = {"num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 8}
    shape = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2, **heads}
    lengths = {"context_length": 256, "horizon_length": 8, "output_quantile_len": 8, "max_position_embeddings": 256}
    TimesFm2_5ModelForPrediction(TimesFm2_5Config(**shape, **lengths)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def chronos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    bolt = pytest.importorskip("chronos.chronos_bolt", reason="needs pip install 'fullshelf[chronos]'")
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("chronos")
    shape = {"d_model": 16, "d_ff": 16, "d_kv": 8, "num_heads": 2, "num_layers": 2, "num_decoder_layers": 2}
    own = {"context_length": 256, "prediction_length": 8, "input_patch_size": 16, "input_patch_stride": 16}
    own |= {"quantiles": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9], "use_reg_token": True}
    config = T5Config(**shape, decoder_start_token_id=0, pad_token_id=0, chronos_config=own)
    bolt.ChronosBoltModelForForecasting(config).save_pretrained(folder)
    return folder


def save_language_model(folder: Path, alphabet: str) -> Path:
    torch.manual_seed(0)
    words = {character: number for number, character in enumerate(["?", *alphabet])}
    tokenizer = Tokenizer(WordLevel(words, unk_token="?"))
    tokenizer.pre_tokenizer = Split("", "isolated")
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="?").save_pretrained(folder)
    config = GPT2Config(
        vocab_size=len(words), n_embd=16, n_layer=2, n_head=2, n_positions=600, bos_token_id=None, eos_token_id=None
    )
    GPT2LMHeadModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def causal_lm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_language_model(tmp_path_factory.mktemp("causal_lm"), "0123456789, units")


def histories() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    odd = [np.full(70, 7.5), np.array([3.0]), np.full(40, 1e9), np.r_[np.zeros(30), 1.0], np.zeros(20)]
    return [*odd, *(rng.poisson(4, rng.integers(2, 300)).astype(float) for _ in range(4))]


def check(forecast: Forecast) -> None:
    values = [forecast.quantiles, forecast.mean, *([] if forecast.cumulative is None else [forecast.cumulative])]
    for array in values:
        assert np.isfinite(array).all()
        assert (array >= 0).all()
    assert (np.diff(forecast.quantiles, axis=2) >= 0).all()
    if forecast.cumulative is not None:
        assert (np.diff(forecast.cumulative, axis=1) >= 0).all()
        assert (np.diff(forecast.cumulative, axis=2) >= 0).all()


@pytest.mark.parametrize("name", ["timesfm", "causal_lm", "chronos"])
def test_a_series_numbers_depend_on_that_series_alone(
    name: str, panel_of: PanelOf, request: pytest.FixtureRequest
) -> None:
    model = load_model(str(request.getfixturevalue(name)), LEVELS, 7)
    all_of_them = histories()
    together = model.forecast(panel_of(all_of_them), H)
    check(together)
    order = [3, 8, 0, 1]
    some = model.forecast(panel_of([all_of_them[i] for i in order]), H)
    assert some.quantiles.tobytes() == together.quantiles[order].tobytes()
    for i in (0, 5, 7):
        alone = model.forecast(panel_of([all_of_them[i]]), H)
        assert alone.quantiles.tobytes() == together.quantiles[i : i + 1].tobytes()
        if alone.cumulative is not None and together.cumulative is not None:
            assert alone.cumulative.tobytes() == together.cumulative[i : i + 1].tobytes()


@pytest.mark.parametrize("name", ["timesfm", "chronos"])
def test_such_a_model_answers_single_periods_at_all_levels_and_any_horizon(
    name: str, panel_of: PanelOf, request: pytest.FixtureRequest
) -> None:
    model = load_model(str(request.getfixturevalue(name)), LEVELS, 7)
    near, far = model.forecast(panel_of(histories()), H), model.forecast(panel_of(histories()), 20)
    assert near.cumulative is None
    assert far.quantiles.shape == (9, 20, len(LEVELS))
    check(far)
    np.testing.assert_array_equal(far.quantiles[:4, :H], near.quantiles[:4])
    assert model.fingerprint.startswith(f"{name} ")


def test_chronos_answers_what_its_own_package_answers(chronos: Path, panel_of: PanelOf) -> None:
    from chronos import ChronosBoltPipeline

    rng = np.random.default_rng(5)
    series = rng.gamma(2.0, 30.0, 120) + 50.5
    own = ChronosBoltPipeline.from_pretrained(str(chronos))
    expected = own.predict(torch.from_numpy(np.r_[np.full(136, np.nan), series]).float(), prediction_length=H)[0]
    levels = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
    found = load_model(str(chronos), levels, 7).forecast(panel_of([series]), H)
    rising = np.maximum.accumulate(np.maximum(expected.numpy().T, 0.0), axis=1)
    np.testing.assert_allclose(found.quantiles[0], rising, rtol=1e-4)


def test_without_the_package_the_extra_is_named(
    chronos: Path, panel_of: PanelOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "fullshelf.engine.models.chronos", raising=False)
    monkeypatch.setitem(sys.modules, "chronos.chronos_bolt", None)
    monkeypatch.setitem(sys.modules, "chronos", None)
    with pytest.raises(ConfigError, match=r"chronos needs chronos.*: pip install 'fullshelf\[chronos\]'"):
        load_model(str(chronos), LEVELS, 7).forecast(panel_of(histories()[:1]), H)


@pytest.mark.parametrize("period", list(Period))
def test_a_language_model_writes_paths(causal_lm: Path, panel_of: PanelOf, period: Period) -> None:
    model = load_model(str(causal_lm), LEVELS, 7)
    found = model.forecast(panel_of(histories()[:3], period), H)
    check(found)
    assert found.cumulative is not None
    np.testing.assert_array_equal(found.cumulative[:, 0], found.quantiles[:, 0])
    assert found.quantiles[0, :, -1].max() > found.quantiles[0, :, 0].max()
    assert found.quantiles[2].max() > 1e7  # written in larger units, read back in the series' own
    assert model.fingerprint.startswith("causal-lm ")


def test_a_language_model_that_repeats_its_prompt_is_read_back_right(causal_lm: Path) -> None:
    from fullshelf.engine.models.causal_lm import CausalLMServer

    server = CausalLMServer.load(causal_lm)

    class Repeats:
        """Writes the last number of the prompt again."""

        def generate(self, input_ids: torch.Tensor, max_new_tokens: int, **_: object) -> torch.Tensor:
            return torch.cat([input_ids, *[input_ids[:, -4:]] * (max_new_tokens // 4)], dim=1)

    reader = CausalLMServer(Repeats(), server.device, server.digits, server.comma, server.tokenizer)
    paths = reader._paths([np.array([5.0, 40.0]), np.array([998.0, 3.0]), np.full(9, 1e6)], None, 16, 3)
    assert paths.shape == (3, 20, 3)
    assert paths[:, 0].tolist() == [[40] * 3, [2 * 2.0] * 3, pytest.approx([1e6] * 3)]


def test_a_language_model_reads_the_product_before_the_numbers(causal_lm: Path, panel_of: PanelOf) -> None:
    from fullshelf.engine.models.causal_lm import CausalLMServer

    panel, server = panel_of(histories()[5:8]), CausalLMServer.load(causal_lm)
    titles = pl.DataFrame({"title": ["units", None, "unit " * 60], "description": None, "category": None})
    told = replace(panel, products=titles.cast(pl.String))
    rows = np.arange(3)
    answers = {
        int(row): found
        for rows_, found, _ in server.forecast(told, None, H, rows)
        for row, found in zip(rows_, found, strict=True)
    }
    plain = {
        int(row): found
        for rows_, found, _ in server.forecast(panel, None, H, rows)
        for row, found in zip(rows_, found, strict=True)
    }
    assert [np.array_equal(answers[row], plain[row]) for row in rows] == [False, True, False]
    alone = replace(panel_of(histories()[5:6]), products=told.products[:1])
    [(_, found, _)] = server.forecast(alone, None, H, rows[:1])
    np.testing.assert_array_equal(found[0], answers[0])


def test_a_vocabulary_without_digits_is_refused(tmp_path: Path, panel_of: PanelOf) -> None:
    model = load_model(str(save_language_model(tmp_path, "0123456,")), LEVELS, 7)
    with pytest.raises(ConfigError, match="no token for '7', so it writes no numbers"):
        model.forecast(panel_of(histories()[:1]), H)
