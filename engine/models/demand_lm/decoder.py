"""GPT-NeoX's layers in fewer and larger operations, on the weights of Hugging Face's module.

What is the same in fewer steps: the norms' weights are folded into the matrices behind them, so that both branches of a
layer read the same normalised tokens; queries and keys come out of their product a second time as rotary positions want
them, turned by a quarter, so that turning them is a product of numbers in place; and the last layer answers the tokens
ahead alone. On a CPU attention is three plain operations: PyTorch's fused one took three times as long for 30 tokens of
32 rows, and five times in its backward pass.

B rows, T tokens, d width, h heads.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import gelu, layer_norm, linear, pad, scaled_dot_product_attention
from transformers import GPTNeoXModel

SHORT = 16  # numbers in a row of the softmax that a CPU works on at a time


@dataclass(frozen=True, slots=True)
class Layer:
    """Weights of a layer, in the precision of its products."""

    attend: Tensor  # (5 d, d): queries / √(d / h), keys, both turned by a quarter, values
    attend_bias: Tensor
    attended: Tensor  # (d, d)
    inner: Tensor  # (inner, d)
    inner_bias: Tensor
    out: Tensor  # (d, inner)
    out_bias: Tensor  # of both branches


@dataclass(frozen=True, slots=True)
class Decoder:
    """GPT-NeoX without its embedding."""

    layers: tuple[Layer, ...]
    heads: int
    frequencies: Tensor  # (r,) of the rotary positions; the first 2 r numbers of a head turn
    eps: float
    last_weight: Tensor  # (d,) of the last norm
    last_bias: Tensor

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the products."""
        return self.layers[0].attend.dtype

    def __call__(self, tokens: Tensor, look: Tensor, positions: Tensor, last: int) -> Tensor:
        """Return what the layers say of the newest `last` tokens, (B, last, d).

        Parameters
        ----------
        tokens
            (B, T, d), in the precision in which the branches are added up.
        look
            (B, 1, T, T) float32 added to the attention of each token to each: -inf where it may not look.
        positions
            (T,) of the tokens.
        """
        turns = self._turns(positions, tokens.shape[-1])
        x = tokens
        for number, layer in enumerate(self.layers):
            asked = last if number == len(self.layers) - 1 else x.shape[1]
            normal = layer_norm(x, x.shape[-1:], eps=self.eps).to(self.dtype)
            attended = self._attended(layer, normal, look[:, :, -asked:], turns, asked)
            # Of a slice PyTorch multiplies each row with a copy of the weights.
            newest = normal[:, -asked:].contiguous()
            inner = gelu(linear(newest, layer.inner, layer.inner_bias))
            x = x[:, -asked:] + linear(attended, layer.attended) + linear(inner, layer.out, layer.out_bias)
        return layer_norm(x, x.shape[-1:], self.last_weight.to(x.dtype), self.last_bias.to(x.dtype), self.eps)

    def _attended(self, layer: Layer, normal: Tensor, look: Tensor, turns: tuple[Tensor, Tensor], asked: int) -> Tensor:
        B, d = normal.shape[0], normal.shape[2]
        every = linear(normal, layer.attend, layer.attend_bias)
        straight, quarter, values = every.split([2 * d, 2 * d, d], dim=-1)
        turned = torch.addcmul(straight * turns[0], quarter, turns[1])
        q, k = turned.unflatten(-1, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        q, v = q[:, :, -asked:], values.unflatten(-1, (self.heads, -1)).transpose(1, 2)
        if normal.device.type != "cpu":
            found = scaled_dot_product_attention(q, k, v, attn_mask=look.to(q.dtype), scale=1.0)
        else:
            scores = torch.bmm(q.flatten(0, 1), k.flatten(0, 1).transpose(1, 2)).float().unflatten(0, (B, -1))
            chance = _softmax(scores + look).to(q.dtype)
            found = torch.bmm(chance.flatten(0, 1), v.flatten(0, 1)).unflatten(0, (B, -1))
        return found.transpose(1, 2).flatten(2)

    def _turns(self, positions: Tensor, d: int) -> tuple[Tensor, Tensor]:
        """Return cosines and sines (T, 2 d) for queries and keys of all heads; 1 and 0 for numbers that do not turn."""
        angle = torch.zeros(positions.shape[0], d // self.heads, device=positions.device)
        r = self.frequencies.shape[0]
        angle[:, : 2 * r] = positions[:, None].float() * self.frequencies.repeat(2)
        angle = angle.repeat(1, 2 * self.heads)
        return angle.cos().to(self.dtype), angle.sin().to(self.dtype)


def decoder_of(backbone: Any, dtype: torch.dtype) -> Decoder | None:
    """Return the decoder of Hugging Face's module; None if it is of another kind, or spread over several devices.

    Gradients reach the module's own weights.
    """
    if not isinstance(backbone, GPTNeoXModel) or len({weight.device for weight in backbone.parameters()}) > 1:
        return None
    config = backbone.config
    plain = config.use_parallel_residual and config.hidden_act == "gelu" and config.attention_bias
    if not plain or backbone.rotary_emb.rope_type != "default" or config.hidden_dropout or config.attention_dropout:
        return None
    heads, frequencies = config.num_attention_heads, backbone.rotary_emb.inv_freq.float()
    return Decoder(
        tuple(_layer_of(layer, heads, frequencies.shape[0], dtype) for layer in backbone.layers),
        heads,
        frequencies,
        config.layer_norm_eps,
        backbone.final_layer_norm.weight,
        backbone.final_layer_norm.bias,
    )


def _layer_of(layer: Any, heads: int, r: int, dtype: torch.dtype) -> Layer:
    attention, mlp, d = layer.attention, layer.mlp, layer.mlp.dense_4h_to_h.out_features
    first, second = layer.input_layernorm, layer.post_attention_layernorm
    product, up = attention.query_key_value, mlp.dense_h_to_4h
    weight = product.weight.float()
    both = torch.cat([weight * first.weight, (product.bias + (weight * first.bias).sum(1))[:, None]], dim=1)
    q, k, v = both.unflatten(0, (heads, 3, -1)).unbind(1)  # (h, d / h, d + 1), as the library interleaves them
    qk = torch.stack([q / sqrt(d // heads), k])
    quarter = torch.cat([-qk[:, :, r : 2 * r], qk[:, :, :r], torch.zeros_like(qk[:, :, 2 * r :])], dim=2)
    attend = torch.cat([qk.flatten(0, 2), quarter.flatten(0, 2), v.flatten(0, 1)])
    return Layer(
        attend[:, :d].to(dtype),
        attend[:, d].to(dtype),
        attention.dense.weight.to(dtype),
        (up.weight * second.weight).to(dtype),
        (up.bias + (up.weight * second.bias).sum(1)).to(dtype),
        mlp.dense_4h_to_h.weight.to(dtype),
        (mlp.dense_4h_to_h.bias + attention.dense.bias).to(dtype),
    )


def _softmax(scores: Tensor) -> Tensor:
    """Return the softmax of rows; short ones are made longer, for PyTorch works below 16 number by number."""
    T = scores.shape[-1]
    return pad(scores, (0, SHORT - T), value=-torch.inf).softmax(-1)[..., :T] if T < SHORT else scores.softmax(-1)
