import pytest
import torch
from transformers import AutoModel

from fullshelf.engine.models.demand_lm.configuration import DemandLMConfig, small_backbone
from fullshelf.engine.models.demand_lm.decoder import decoder_of


def backbone(**changes: object) -> torch.nn.Module:
    torch.manual_seed(3)
    shape = small_backbone(width=32, layers=3, heads=2) | {"initializer_range": 0.3} | changes
    made: torch.nn.Module = AutoModel.from_config(DemandLMConfig(backbone=shape).backbone_config())
    with torch.no_grad():
        for name, weight in made.named_parameters():
            if "norm" in name or "bias" in name:
                weight += 0.3 * torch.randn_like(weight)
    return made.eval()


def inputs(T: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    causal = torch.where(torch.ones(T, T, dtype=torch.bool).tril(), 0.0, -torch.inf)
    hidden = torch.zeros(5, 1, 1, T)
    hidden[1, ..., 1:4] = -torch.inf
    return torch.randn(5, T, 32), causal + hidden, torch.arange(T)


@pytest.mark.parametrize("T", [9, 20])
def test_it_answers_what_hugging_faces_own_layers_answer(T: int) -> None:
    made = backbone()
    tokens, look, positions = inputs(T)
    decoder = decoder_of(made, torch.float32)
    assert decoder is not None
    expected = made(inputs_embeds=tokens, attention_mask=look, position_ids=positions[None], use_cache=False)
    torch.testing.assert_close(decoder(tokens, look, positions, T), expected.last_hidden_state, rtol=1e-4, atol=1e-4)
    found = decoder(tokens, look, positions, 3)
    torch.testing.assert_close(found, expected.last_hidden_state[:, -3:], rtol=1e-4, atol=1e-4)


def test_its_gradients_are_those_of_hugging_faces_own_layers() -> None:
    made = backbone()
    tokens, look, positions = inputs(9)
    decoder = decoder_of(made, torch.float32)
    assert decoder is not None
    decoder(tokens, look, positions, 2).square().sum().backward()
    ours = {name: p.grad.clone() for name, p in made.named_parameters() if p.grad is not None}
    made.zero_grad()
    made(inputs_embeds=tokens, attention_mask=look, position_ids=positions[None], use_cache=False).last_hidden_state[
        :, -2:
    ].square().sum().backward()
    assert len(ours) == sum(p.grad is not None for p in made.parameters()) > 30
    for name, p in made.named_parameters():
        if p.grad is not None:
            torch.testing.assert_close(ours[name], p.grad, rtol=1e-3, atol=1e-3 * float(p.grad.abs().max()))


@pytest.mark.parametrize(
    "changes", [{"use_parallel_residual": False}, {"hidden_act": "relu"}, {"attention_bias": False}]
)
def test_a_decoder_of_another_kind_is_left_to_the_library(changes: dict[str, object]) -> None:
    assert decoder_of(backbone(**changes), torch.float32) is None


def test_a_decoder_spread_over_several_devices_is_left_to_the_library() -> None:
    made = backbone()
    made.get_submodule("layers.1").to("meta")
    assert decoder_of(made, torch.float32) is None
