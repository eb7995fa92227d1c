"""Chronos-Bolt-tiny's published shape with random weights: what it costs, not what it knows.

An encoder and a decoder of T5 (d_model 256, d_ff 1024, 4 heads of 64, 4 layers each) over patches of 16 periods with a
register token, one decoder token, 9 quantiles of 64 periods; 8.7 million parameters. Built here from transformers' own
T5, so that the benchmark needs no further package and no network.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import T5Config, T5Model

PATCH, HORIZON, QUANTILES = 16, 64, 9


class _Residual(nn.Module):
    def __init__(self, width_in: int, inner: int, width_out: int) -> None:
        super().__init__()
        self.hidden, self.out = nn.Linear(width_in, inner), nn.Linear(inner, width_out)
        self.skip = nn.Linear(width_in, width_out)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.out(torch.relu(self.hidden(x))) + self.skip(x)
        return found


class BoltTiny(nn.Module):
    """Histories (B, C) of which NaN is missing, in; quantiles (B, 64, 9) out."""

    def __init__(self) -> None:
        super().__init__()
        shape: dict[str, Any] = {
            "d_model": 256,
            "d_ff": 1024,
            "d_kv": 64,
            "num_heads": 4,
            "num_layers": 4,
            "num_decoder_layers": 4,
        }
        self.body = T5Model(T5Config(vocab_size=2, pad_token_id=0, **shape))
        self.patch_in = _Residual(2 * PATCH, 1024, 256)
        self.answer = _Residual(256, 1024, HORIZON * QUANTILES)

    @torch.inference_mode()
    def forward(self, history: Tensor) -> Tensor:
        """Normalise, cut into patches, run both halves, undo the normalisation."""
        known = ~history.isnan()
        loc = history.nanmean(1, keepdim=True).nan_to_num(0.0)
        scale = (history - loc).square().nanmean(1, keepdim=True).sqrt().nan_to_num(1.0).clamp(min=1e-5)
        values = ((history - loc) / scale).nan_to_num(0.0)
        B, dtype = history.shape[0], self.patch_in.skip.weight.dtype
        patches = torch.cat([x.reshape(B, -1, PATCH) for x in (values, known.float())], dim=-1).to(dtype)
        tokens = torch.cat([self.patch_in(patches), self.body.shared.weight[:1].expand(B, 1, -1)], dim=1)
        mask = torch.cat([known.reshape(B, -1, PATCH).any(2), known.new_ones(B, 1)], dim=1)
        start = torch.zeros(B, 1, dtype=torch.long, device=history.device)
        hidden = self.body(inputs_embeds=tokens, attention_mask=mask, decoder_input_ids=start, use_cache=False)
        found: Tensor = self.answer(hidden.last_hidden_state[:, 0]).float().reshape(B, HORIZON, QUANTILES)
        return found * scale[:, :, None] + loc[:, :, None]
