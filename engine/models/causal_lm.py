"""Any causal language model as a demand model: numbers written as text, sample paths read back.

The product's text comes first, where it is known. A history is written as whole numbers of three digits with commas,
the newest last, in units so large that none passes 999; the model goes on writing, held to digits and commas. The
paths it writes give quantiles of periods and of totals. A token is drawn by adding Gumbel noise to the logarithm of
its probability; the noise comes from a hash of the history, so neither neighbours nor batches change a path. Prompts
have one length, padded at the left.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModelForCausalLM, AutoTokenizer, LogitsProcessor, LogitsProcessorList

from fullshelf.engine.calendar import Period
from fullshelf.engine.errors import ConfigError
from fullshelf.engine.models.gpu_seconds import counted
from fullshelf.engine.models.pretrained import Answer
from fullshelf.engine.models.product_text import one_text
from fullshelf.engine.models.weights import load_pretrained
from fullshelf.engine.panel import KnownAhead, Panel
from fullshelf.kernels.levels import level_array

PATHS = 20  # for each series
SERIES = 4  # of a batch, the padded one included
CONTEXT = {Period.DAY: 112, Period.WEEK: 104, Period.MONTH: 48}  # newest periods that are written
TEXT = 48  # tokens of a product's text that are read, where the sales come with a table of products
DIGITS = 3
LARGEST = 10**DIGITS - 1


@dataclass(frozen=True, slots=True)
class CausalLMServer:
    """A loaded causal language model and the tokens that numbers are written with."""

    model: Any
    device: torch.device
    digits: tuple[int, ...]  # tokens of 0…9
    comma: int
    tokenizer: Any

    @classmethod
    def load(cls, folder: Path) -> CausalLMServer:
        """Load the weights of a folder onto the hardware that is there.

        Raises
        ------
        ConfigError
            If the vocabulary has no token for a single digit.
        """
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        tokens = []
        for character in "0123456789,":
            found = tokenizer(character, add_special_tokens=False)["input_ids"]
            if not found or found[-1] == tokenizer.unk_token_id:
                raise ConfigError(f"{folder}: this vocabulary has no token for {character!r}, so it writes no numbers")
            tokens.append(int(found[-1]))
        if len(set(tokens)) < len(tokens):
            raise ConfigError(f"{folder}: this vocabulary has the same token for several digits")
        return cls(*load_pretrained(AutoModelForCausalLM, folder), tuple(tokens[:10]), tokens[10], tokenizer)

    def forecast(
        self, panel: Panel, ahead: KnownAhead | None, horizon: int, wanted: NDArray[np.int64]
    ) -> Iterator[Answer]:
        """Yield rows of the panel with their quantiles and totals (n, H, Q); what is known ahead is not read."""
        levels, C = level_array(), CONTEXT[panel.period]
        texts = None if panel.products is None else one_text(panel.products)
        for first in range(0, wanted.size, SERIES - 1):
            rows = wanted[first : first + SERIES - 1]
            histories = [panel.units[panel.offsets[s] : panel.offsets[s + 1]][-C:] for s in rows]
            prompts = None if texts is None else [self._prompt(text) for text in texts.gather(rows)]
            paths = self._paths(histories, prompts, C, horizon)
            single, total = (np.quantile(x, levels, axis=1) for x in (paths, paths.cumsum(axis=2)))
            total[:, :, 0] = single[:, :, 0]
            yield rows, _levels_last(single), _levels_last(total)

    @torch.inference_mode()
    def _paths(
        self, histories: list[NDArray[np.float32]], prompts: list[NDArray[np.int64]] | None, C: int, H: int
    ) -> NDArray[np.float64]:
        """Return the sample paths (n, PATHS, H) in units per period."""
        width, n = DIGITS + 1, len(histories)
        unit = [max(1.0, float(h.max()) / (LARGEST // 2)) for h in histories]
        tokens = np.full((SERIES, (0 if prompts is None else TEXT) + C * width), self.comma)
        mask = np.zeros(tokens.shape, dtype=np.int64)
        mask[n:, -width:] = 1
        for i, history in enumerate(histories):
            written = self._write(np.rint(history / unit[i]))
            if prompts is not None:
                written = np.concatenate([prompts[i], written])
            tokens[i, -written.size :] = written
            mask[i, -written.size :] = 1
        noise = np.zeros((SERIES, PATHS, H * DIGITS, 10), np.float32)
        for i, history in enumerate(histories):
            noise[i] = _gumbel(history, noise.shape[1:])
        held = _Numbers(self.digits, self.comma, tokens.shape[1], torch.from_numpy(noise).flatten(0, 1).to(self.device))
        with counted(self.device):
            found = self.model.generate(
                input_ids=torch.from_numpy(tokens.repeat(PATHS, axis=0)).to(self.device),
                attention_mask=torch.from_numpy(mask.repeat(PATHS, axis=0)).to(self.device),
                max_new_tokens=H * width,
                min_new_tokens=H * width,
                do_sample=False,
                num_beams=1,
                pad_token_id=self.comma,
                logits_processor=LogitsProcessorList([held]),
            )
        digit_of = np.zeros(max(*self.digits, self.comma) + 1)
        digit_of[list(self.digits)] = np.arange(10)
        new = digit_of[found[:, tokens.shape[1] :].cpu().numpy()].reshape(SERIES, PATHS, H, width)[:n, ..., :DIGITS]
        numbers = new @ 10.0 ** np.arange(DIGITS - 1, -1, -1)
        return np.asarray(numbers * np.array(unit)[:, None, None])

    def _prompt(self, text: str) -> NDArray[np.int64]:
        """Return the tokens of a product's text, none where it has none."""
        if not text:
            return np.empty(0, np.int64)
        found = self.tokenizer(f"{text}: ", add_special_tokens=False, truncation=True, max_length=TEXT)["input_ids"]
        return np.asarray(found, dtype=np.int64)

    def _write(self, numbers: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return the tokens of whole numbers 0…999, a comma after each."""
        digits = numbers.astype(np.int64)[:, None] // 10 ** np.arange(DIGITS - 1, -1, -1) % 10
        tokens = np.array(self.digits)[digits]
        return np.column_stack([tokens, np.full(numbers.size, self.comma)]).ravel()


class _Numbers(LogitsProcessor):
    """Three digits and a comma, again and again; which digits, the noise decides."""

    def __init__(self, digits: tuple[int, ...], comma: int, prompt: int, noise: torch.Tensor) -> None:
        self.digits, self.comma, self.prompt, self.noise = list(digits), comma, prompt, noise  # (rows, steps, 10)

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        number, place = divmod(input_ids.shape[1] - self.prompt, DIGITS + 1)
        only = torch.full_like(scores, -torch.inf)
        if place == DIGITS:
            only[:, self.comma] = 0.0
        else:
            logits = torch.log_softmax(scores[:, self.digits].float(), dim=-1)
            only[:, self.digits] = (logits + self.noise[:, number * DIGITS + place]).to(scores.dtype)
        return only


def _levels_last(values: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.ascontiguousarray(values.transpose(1, 2, 0), dtype=np.float32)


def _gumbel(history: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return standard Gumbel noise that is a function of the history alone."""
    seed = int.from_bytes(hashlib.sha256(np.ascontiguousarray(history).tobytes()).digest()[:16], "little")
    return np.random.Generator(np.random.Philox(seed)).gumbel(size=shape).astype(np.float32)
