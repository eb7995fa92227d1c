from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, AutoModel, GPT2Config, GPT2Model

from fullshelf.engine.calendar import Period
from fullshelf.engine.models.demand_lm.batch import COVARIATES, PATCH, ContextBatch
from fullshelf.engine.models.demand_lm.configuration import DemandLMConfig
from fullshelf.engine.models.demand_lm.loss import pinball_loss
from fullshelf.engine.models.demand_lm.modeling import DemandLM, with_pretrained_backbone

BACKBONES = {
    "gpt_neox": {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32},
    "llama": {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32},
    "gpt2": {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 256},
    "qwen2": {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1},
}
SMALL = {"patch_width": 16, "slot_width": 4, "head_width": 8}


def random_batch(period: Period, B: int, patches: int, H: int, seed: int = 0) -> ContextBatch:
    made = torch.Generator().manual_seed(seed)
    C = patches * PATCH[period]
    lengths = torch.randint(0, C + 1, (B, 1), generator=made)
    exists = torch.arange(C) >= C - lengths
    units = torch.poisson(torch.rand(B, 1, generator=made).expand(B, C) * 4, generator=made)
    covariates = torch.rand(B, C + H, len(COVARIATES), generator=made)
    covariates[:, :C] *= exists[:, :, None]
    return ContextBatch(period, units * exists, exists, torch.ones(B, C), covariates)


def tiny(kind: str = "gpt_neox", **fields: object) -> DemandLM:
    torch.manual_seed(0)
    return DemandLM(DemandLMConfig(backbone={"model_type": kind, **BACKBONES[kind]}, **SMALL, **fields)).eval()


@pytest.mark.parametrize("kind", BACKBONES)
@pytest.mark.parametrize("period", list(Period))
def test_any_decoder_answers_both_heads(kind: str, period: Period) -> None:
    model, batch = tiny(kind), random_batch(period, 5, 4, 15)
    quantiles, totals = model.predict(batch)
    assert quantiles.shape == totals.shape == (5, 15, 13)
    assert quantiles.dtype == totals.dtype == torch.float32
    assert (quantiles >= 0).all()
    assert (quantiles.diff(dim=2) >= 0).all()
    assert (totals.diff(dim=2) >= 0).all()
    assert (totals.diff(dim=1) >= 0).all()
    assert torch.equal(totals[:, 0], quantiles[:, 0])


@pytest.mark.parametrize("kind", BACKBONES)
def test_a_gradient_reaches_every_weight(kind: str) -> None:
    model, batch = tiny(kind).train(), random_batch(Period.DAY, 6, 5, 9)
    target, weight = torch.rand(6, 9), torch.ones(6, 9)
    single, total = pinball_loss(*model(batch), target, weight, torch.tensor(model.config.levels))
    (single + total).backward()
    missing = [
        name
        for name, weight in model.named_parameters()
        if weight.requires_grad and (weight.grad is None or not weight.grad.abs().sum() > 0)
    ]
    assert missing == []
    assert all(torch.isfinite(w.grad).all() for w in model.parameters() if w.grad is not None)


def test_a_few_steps_of_training_lower_the_loss() -> None:
    model = tiny().train()
    batch = random_batch(Period.DAY, 32, 6, 8)
    target = batch.units[:, -8:] + 1.0
    optimiser = torch.optim.AdamW(model.parameters(), lr=5e-3)
    losses = []
    for _ in range(30):
        losses.append(sum(pinball_loss(*model(batch), target, target * 0 + 1, torch.tensor(model.config.levels))))
        optimiser.zero_grad()
        losses[-1].backward()
        optimiser.step()
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize("recent", [0, 2])
def test_what_did_not_exist_is_not_read(recent: int) -> None:
    model, batch = tiny(recent=recent), random_batch(Period.DAY, 8, 6, 9)
    hidden = ~batch.exists
    noise = ContextBatch(
        batch.period,
        batch.units + 99.0 * hidden,
        batch.exists,
        torch.where(hidden, 0.3, batch.observed),
        torch.cat([batch.covariates[:, :42] + 5.0 * hidden[:, :, None], batch.covariates[:, 42:]], dim=1),
    )
    for one, other in zip(model.predict(batch), model.predict(noise), strict=True):
        assert torch.equal(one, other)


def test_doubled_units_double_the_features_but_for_the_scale() -> None:
    model, batch = tiny(), random_batch(Period.WEEK, 8, 20, 9)
    for module in (model.single.of_series, model.total.of_series, model.series_in):
        torch.nn.init.zeros_(module.weight)  # the scale itself enters here
    double = ContextBatch(batch.period, batch.units * 2, batch.exists, batch.observed, batch.covariates)
    sold = batch.units.sum(1) > 0
    once, twice = model.predict(batch)[0], model.predict(double)[0]
    torch.testing.assert_close(twice[sold], 2 * once[sold])


def test_saved_and_loaded_it_answers_the_same(tmp_path: Path) -> None:
    model, batch = tiny("llama"), random_batch(Period.MONTH, 4, 3, 7)
    model.save_pretrained(tmp_path)
    assert {file.suffix for file in tmp_path.iterdir()} == {".safetensors", ".json"}
    loaded = AutoModel.from_pretrained(tmp_path, use_safetensors=True)
    assert isinstance(loaded, DemandLM)
    assert isinstance(AutoConfig.from_pretrained(tmp_path), DemandLMConfig)
    for one, other in zip(model.predict(batch), loaded.predict(batch), strict=True):
        assert torch.equal(one, other)


def test_a_pretrained_decoder_keeps_its_weights(tmp_path: Path) -> None:
    torch.manual_seed(1)
    decoder = GPT2Model(GPT2Config(vocab_size=11, **BACKBONES["gpt2"]))
    decoder.save_pretrained(tmp_path)
    model = with_pretrained_backbone(str(tmp_path), **SMALL)
    assert torch.equal(model.backbone.h[1].mlp.c_fc.weight, decoder.h[1].mlp.c_fc.weight)
    assert model.backbone.get_input_embeddings().weight.shape[0] == 1
    assert model.predict(random_batch(Period.DAY, 2, 3, 4))[0].shape == (2, 4, 13)


def test_the_text_of_a_product_changes_its_forecast() -> None:
    model, batch = tiny(static_width=3), random_batch(Period.DAY, 4, 3, 4)
    told = ContextBatch(
        batch.period, batch.units, batch.exists, batch.observed, batch.covariates, torch.eye(4, 3) * 10.0
    )
    plain, with_text = model.predict(batch)[0], model.predict(told)[0]
    assert not torch.equal(plain[0], with_text[0])
    with pytest.raises(ValueError, match="static_width is 0"):
        tiny().predict(told)


@pytest.mark.parametrize("kind", BACKBONES)
def test_old_patches_may_share_a_token(kind: str) -> None:
    batch = random_batch(Period.DAY, 5, 9, 15)
    fine, shared = tiny(kind).predict(batch)[0], tiny(kind, recent=3).predict(batch)[0]
    assert not torch.equal(fine, shared)
    assert torch.isfinite(shared).all()
    assert torch.equal(fine, tiny(kind, recent=9).predict(batch)[0])
    units, long = batch.units.clone(), batch.exists[:, 13]
    units[long, 13] += 9.0
    other = ContextBatch(batch.period, units, batch.exists, batch.observed, batch.covariates)
    assert long.any()
    assert not torch.equal(tiny(kind, recent=3).predict(other)[0][long], shared[long])


def test_frozen_weights_answer_as_the_model_they_were_taken_from() -> None:
    model, batch = tiny(), random_batch(Period.DAY, 5, 6, 15)
    expected = model.predict(batch)[0]
    model.freeze(torch.float32)
    assert torch.equal(model.predict(batch)[0], expected)
    model.freeze(torch.bfloat16)
    torch.testing.assert_close(model.predict(batch)[0], expected, rtol=0.1, atol=0.1)


def test_levels_are_the_configurations() -> None:
    assert tiny(levels=[0.1, 0.5, 0.9]).predict(random_batch(Period.DAY, 2, 3, 4))[0].shape == (2, 4, 3)
    with pytest.raises(ValueError, match="levels must rise"):
        DemandLMConfig(levels=[0.5, 0.1])


def test_under_autocast_the_heads_stay_exact() -> None:
    model, batch = tiny(), random_batch(Period.DAY, 4, 3, 4)
    with torch.autocast("cpu", torch.bfloat16):
        single, total, scale = model(batch)
    assert single.dtype == total.dtype == scale.dtype == torch.float32
    assert torch.equal(scale, model(batch)[2])
