"""DemandLM: patches of a season as tokens, any Hugging Face decoder, and two heads: each period, and the running total.

Tokens: one that says what kind of series it is, the patches of the past (old ones share, `groups.py`), then a patch for
each season ahead, of which only covariates are known. One pass answers all periods; nothing is sampled or fed back.

The heads work in asinh space around the median, with positive steps to the levels above and below, so levels never
cross. Below zero the curve is flattened to a tenth, so that a level of which the demand is zero may lie anywhere there;
`predict` cuts it off.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, linear, pad, silu, softplus
from transformers import AutoConfig, AutoModel, PreTrainedModel

from fullshelf.engine.calendar import Period
from fullshelf.engine.models.demand_lm.arcsinh import arcsinh
from fullshelf.engine.models.demand_lm.batch import PATCH, SLOTS, ContextBatch
from fullshelf.engine.models.demand_lm.configuration import DemandLMConfig
from fullshelf.engine.models.demand_lm.decoder import Decoder, decoder_of
from fullshelf.engine.models.demand_lm.features import (
    SERIES_FEATURES,
    SLOT_FEATURES,
    STEP_LINEAR,
    STEP_OTHER,
    Steps,
    patch_features,
    scale_of,
    step_features,
)
from fullshelf.engine.models.demand_lm.forecaster import MODEL_TYPE
from fullshelf.engine.models.demand_lm.groups import membership, shares

PERIODS = tuple(Period)
HIGHEST = 13.0  # asinh of the largest answer, in units of the scale
BELOW_ZERO = 0.1


class Head(nn.Module):
    """Q rising numbers for each period, from its token, its own past and the series."""

    def __init__(self, token: int, step: int, width: int, levels: list[float]) -> None:
        super().__init__()
        self.middle = min(range(len(levels)), key=lambda i: abs(levels[i] - 0.5))
        self.of_token = nn.Linear(token, width)
        self.of_step = nn.Linear(step, width, bias=False)
        self.of_series = nn.Linear(SERIES_FEATURES, width, bias=False)
        self.inner = nn.Linear(width, width)
        self.out = nn.Linear(width, len(levels))
        self.skip = nn.Linear(step, len(levels), bias=False)

    def forward(self, token: Tensor, step: Tensor, series: Tensor) -> Tensor:
        """Return (B, H, Q), rising along Q."""
        hidden = silu(self.of_token(token) + self.of_step(step) + self.of_series(series)[:, None])
        hidden = hidden + silu(self.inner(hidden))
        raw = self.out(hidden) + self.skip(step)
        m = self.middle
        gaps = softplus(raw - 2.0)
        above = raw[..., m : m + 1] + gaps[..., m + 1 :].cumsum(-1)
        below = raw[..., m : m + 1] - gaps[..., :m].flip(-1).cumsum(-1).flip(-1)
        curve = torch.cat([below, raw[..., m : m + 1], above], dim=-1)
        return leaky_relu(torch.sinh(curve.clamp(-HIGHEST, HIGHEST)), BELOW_ZERO)


class DemandLM(PreTrainedModel):
    """The demand model; `forward` trains it, `predict` serves it."""

    config_class = DemandLMConfig
    config: DemandLMConfig
    base_model_prefix = "backbone"
    main_input_name = "batch"
    _supports_sdpa = True
    _supports_flash_attn = False
    _supports_flex_attn = False

    def __init__(self, config: DemandLMConfig) -> None:
        super().__init__(config)
        backbone = config.backbone_config()
        d, levels = int(backbone.hidden_size), list(config.levels or ())
        self.backbone = AutoModel.from_config(backbone, attn_implementation="sdpa")
        self.backbone.get_input_embeddings().requires_grad_(False)
        self.kind = nn.Embedding(len(PERIODS), d)
        self.tense = nn.Embedding(2, d)  # past, ahead
        self.series_in = nn.Linear(SERIES_FEATURES, d)
        self.static_in = nn.Linear(config.static_width, d, bias=False) if config.static_width else None
        self.patch_in = nn.Linear(SLOTS * SLOT_FEATURES, config.patch_width)
        self.patch_inner = nn.Linear(config.patch_width, d)
        self.patch_skip = nn.Linear(SLOTS * SLOT_FEATURES, d, bias=False)
        self.slots = nn.Linear(d, SLOTS * config.slot_width)
        step = STEP_LINEAR + STEP_OTHER
        self.single = Head(config.slot_width, step, config.head_width, levels)
        self.total = Head(2 * config.slot_width, step + STEP_LINEAR + len(levels), config.head_width, levels)
        self.frozen: Weights | None = None
        self.post_init()  # type: ignore[no-untyped-call]

    def get_input_embeddings(self) -> nn.Module:
        """Return the decoder's own, which nothing reads."""
        found: nn.Module = self.backbone.get_input_embeddings()
        return found

    def forward(self, batch: ContextBatch) -> tuple[Tensor, Tensor, Tensor]:
        """Return quantiles and quantiles of the running mean of 1…k periods, (B, H, Q) each, and the scale (B,).

        Both are float32 in units of the scale (demand of period k is scale x the first, the total of 1…k is scale x k x
        the second), rise with the level, and may be negative.
        """
        weights = self._weights()
        with torch.autocast(batch.units.device.type, enabled=False):
            scale = scale_of(batch)
            steps = step_features(batch, scale)
            token = self._tokens_ahead(batch, scale, steps, weights)
            single, total = self._heads(token.float(), steps)
        return single, total, scale

    def _heads(self, token: Tensor, steps: Steps) -> tuple[Tensor, Tensor]:
        past = arcsinh(steps.linear)
        single = self.single(token, torch.cat([past, steps.other], dim=-1), steps.series)
        total = self.total(
            torch.cat([token, _running_mean(token)], dim=-1),
            torch.cat(
                [
                    past,
                    steps.other,
                    arcsinh(_running_mean(steps.linear)),
                    arcsinh(_running_mean(single.detach().clamp(min=0.0))),
                ],
                dim=-1,
            ),
            steps.series,
        )
        return single, total

    @torch.inference_mode()
    def predict(self, batch: ContextBatch) -> tuple[Tensor, Tensor]:
        """Return quantiles in units per period and of totals in units per 1…k periods, (B, H, Q) float32 each.

        Never negative, rising with the level, and the totals with k.
        """
        single, total, scale = self(batch)
        k = torch.arange(1, batch.horizon + 1, device=scale.device, dtype=scale.dtype)
        quantiles = single.clamp(min=0.0) * scale[:, None, None]
        totals = total.clamp(min=0.0) * (scale[:, None] * k)[:, :, None]
        totals[:, 0] = quantiles[:, 0]
        return quantiles, totals.cummax(dim=1).values

    def _tokens_ahead(self, batch: ContextBatch, scale: Tensor, steps: Steps, weights: Weights) -> Tensor:
        """Run the decoder; return what it says of each period ahead, (B, H, slot_width)."""
        B, H, P = batch.units.shape[0], batch.horizon, PATCH[batch.period]
        slots, alive = patch_features(batch, scale)
        ahead = -(-H // P)
        into, skip = weights.patches[P]
        slots = slots.to(weights.dtype)
        hidden = silu(linear(slots, into, weights.into_bias))
        member, middle = membership(slots.shape[1] - ahead, ahead, self.config.recent)
        count = alive.float()
        if member is not None:
            share, count = shares(member.to(slots.device), count)
            share = share.to(slots.dtype)
            hidden, slots = share @ hidden, share @ slots
        inner = linear(hidden, weights.inner, weights.inner_bias) + linear(slots, skip)
        G = inner.shape[1]
        tense = (torch.arange(G, device=slots.device) >= G - ahead).long()
        kind = torch.full((1,), PERIODS.index(batch.period), device=slots.device)
        series = self.series_in(steps.series) + self.kind(kind)
        if batch.static is not None:
            if self.static_in is None:
                raise ValueError("this DemandLM reads no static embedding (static_width is 0), but the batch has one")
            series = series + self.static_in(batch.static)
        tokens = torch.cat([series[:, None], inner + self.tense(tense) + series[:, None]], dim=1)
        # The mask is given in full: the library's own short cut for batches without padding would let a row's numbers
        # depend on its neighbours.
        T = tokens.shape[1]
        causal = torch.ones(T, T, dtype=torch.bool, device=tokens.device).tril()
        look = torch.where(causal, pad(count, (1, 0), value=1.0).log()[:, None, None, :], -torch.inf)
        positions = pad(middle.to(slots.device) + 1, (1, 0))
        hidden = self._decoded(weights, tokens, look, positions, ahead)
        hidden = hidden.to(tokens.device, self.slots.weight.dtype)
        slot: Tensor = self.slots(hidden).reshape(B, ahead, SLOTS, -1)
        return slot[:, :, :P].flatten(1, 2)[:, :H]

    def _decoded(self, weights: Weights, tokens: Tensor, look: Tensor, positions: Tensor, last: int) -> Tensor:
        if weights.decoder is not None:
            return weights.decoder(tokens.to(self.backbone.dtype), look, positions, last)
        dtype, kind = self.backbone.dtype, tokens.device.type
        with torch.autocast(kind, dtype=weights.dtype, enabled=weights.dtype != dtype):
            found = self.backbone(
                inputs_embeds=tokens.to(dtype),
                attention_mask=look.to(dtype),
                position_ids=positions[None],
                use_cache=False,
            )
        hidden: Tensor = found.last_hidden_state[:, -last:]
        return hidden

    def _weights(self) -> Weights:
        if self.frozen is not None:
            return self.frozen
        kind = self.slots.weight.device.type
        fast = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else self.slots.weight.dtype
        return Weights.of(self, fast)

    def freeze(self, dtype: torch.dtype) -> None:
        """Keep the weights of tokens and decoder as serving wants them; training on goes unseen."""
        with torch.no_grad():
            self.frozen = Weights.of(self, dtype)


@dataclass(frozen=True, slots=True)
class Weights:
    """Those of the patches and the decoder, in the precision of their products."""

    dtype: torch.dtype
    patches: dict[int, tuple[Tensor, Tensor]]  # by periods in a patch: into its hidden layer, and past it
    into_bias: Tensor
    inner: Tensor
    inner_bias: Tensor
    decoder: Decoder | None

    @classmethod
    def of(cls, model: DemandLM, dtype: torch.dtype) -> Weights:
        """Return the model's, of which gradients reach it."""
        into, skip = model.patch_in.weight.to(dtype), model.patch_skip.weight.to(dtype)
        return cls(
            dtype,
            {P: (_first_slots(into, P), _first_slots(skip, P)) for P in set(PATCH.values())},
            model.patch_in.bias.to(dtype),
            model.patch_inner.weight.to(dtype),
            model.patch_inner.bias.to(dtype),
            decoder_of(model.backbone, dtype),
        )


def _first_slots(weight: Tensor, P: int) -> Tensor:
    """Return the columns of the first P slots of a patch."""
    return weight if P == SLOTS else weight.unflatten(1, (SLOTS, -1))[:, :P].flatten(1)


def _running_mean(x: Tensor) -> Tensor:
    """Return the mean of steps 1…k of (B, H, …)."""
    k = torch.arange(1, x.shape[1] + 1, device=x.device, dtype=torch.float32)
    return x.cumsum(1) / k[:, None]


def register() -> None:
    """Make `AutoConfig` and `AutoModel` know DemandLM."""
    AutoConfig.register(MODEL_TYPE, DemandLMConfig, exist_ok=True)
    AutoModel.register(DemandLMConfig, DemandLM, exist_ok=True)


def with_pretrained_backbone(name_or_path: str, **shape: Any) -> DemandLM:
    """Return a DemandLM around a pretrained decoder; tokens and heads are untrained.

    Parameters
    ----------
    name_or_path
        Local folder or hub name of a checkpoint in safetensors.
    **shape
        Further fields of `DemandLMConfig`.
    """
    decoder = AutoModel.from_pretrained(name_or_path, use_safetensors=True, trust_remote_code=False)
    model = DemandLM(DemandLMConfig(backbone=decoder.config.to_dict(), **shape))
    weights = {k: v for k, v in decoder.state_dict().items() if v.shape == model.backbone.state_dict()[k].shape}
    model.backbone.load_state_dict(weights, strict=False)
    return model


register()
