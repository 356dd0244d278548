"""Decoding one token at a time: a key-value cache holds what the model computed before.

Shapes: B rows, T tokens of the longest prompt, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from schemas.errors import ContractError
from train.model.encoder_decoder import CrossCache, EncoderDecoder
from train.model.layers import LayerCache
from train.model.transformer import Transformer


class IncrementalDecoder(Protocol):
    """A model as greedy, sampled and beam search use it."""

    def start(self, prompts: Sequence[Sequence[int]], *, copies: int) -> Tensor:
        """Logits [B * copies, V] after the prompts; row b * copies + i is copy i of prompt b."""

    def step(self, tokens: Tensor) -> Tensor:
        """Logits [rows, V] after one more token of each row; `tokens` is [rows]."""

    def reorder(self, rows: Tensor) -> None:
        """Let row i continue what row `rows[i]` holds."""


class CausalDecoder:
    """A decoder alone. Prompts are padded on the left; no real token attends to padding."""

    def __init__(self, model: Transformer, *, max_new_tokens: int) -> None:
        self._model = model
        self._max_new_tokens = max_new_tokens
        self._cache: list[LayerCache] = []
        self._real = torch.zeros(0, 0, dtype=torch.bool)
        self._position = torch.zeros(0, 1, dtype=torch.int64)

    def start(self, prompts: Sequence[Sequence[int]], *, copies: int) -> Tensor:
        """Read the prompts; see `IncrementalDecoder`.

        Raises:
            ContractError: A prompt is empty, or there are not enough positions.
        """
        longest = max(len(prompt) for prompt in prompts)
        self._check(prompts, longest + self._max_new_tokens)
        ids = torch.tensor([[0] * (longest - len(p)) + list(p) for p in prompts])
        real = torch.tensor([[False] * (longest - len(p)) + [True] * len(p) for p in prompts])
        positions = (real.cumsum(1) - 1).clamp(min=0)
        # Padding attends to itself: softmax over no key is NaN.
        sight = real[:, None, :] & torch.ones(longest, longest, dtype=torch.bool).tril()
        mask = (sight | torch.eye(longest, dtype=torch.bool))[:, None]
        self._cache = [LayerCache() for _ in self._model.blocks]
        logits = self._model.decode(ids, positions, mask, self._cache)
        self._real, self._position = real, positions[:, -1:]
        rows = torch.arange(len(prompts)).repeat_interleave(copies)
        self.reorder(rows)
        return logits[rows]

    def step(self, tokens: Tensor) -> Tensor:
        self._position = self._position + 1
        seen = torch.ones(len(tokens), 1, dtype=torch.bool)
        self._real = torch.cat((self._real, seen), dim=1)
        mask = self._real[:, None, None, :]
        return self._model.decode(tokens[:, None], self._position, mask, self._cache)

    def reorder(self, rows: Tensor) -> None:
        for cache in self._cache:
            cache.reorder(rows)
        self._real, self._position = self._real[rows], self._position[rows]

    def _check(self, prompts: Sequence[Sequence[int]], tokens: int) -> None:
        if not all(prompts):
            raise ContractError("generate: a prompt has no tokens")
        limit = self._model.config.max_positions
        if tokens > limit:
            raise ContractError(
                f"generate: {tokens} tokens asked for with the prompt, the model has {limit} "
                "positions"
            )


class TextToTextDecoder:
    """An encoder that reads the prompt once, and a decoder that begins with `start_id`."""

    def __init__(self, model: EncoderDecoder, *, start_id: int) -> None:
        self._model = model
        self._start_id = start_id
        self._caches: list[CrossCache] = []
        self._memory = torch.zeros(0)
        self._mask = torch.zeros(0)

    def start(self, prompts: Sequence[Sequence[int]], *, copies: int) -> Tensor:
        """Read the prompts; see `IncrementalDecoder`.

        Raises:
            ContractError: A prompt is empty.
        """
        if not all(prompts):
            raise ContractError("generate: a prompt has no tokens")
        longest = max(len(prompt) for prompt in prompts)
        ids = torch.tensor([list(p) + [0] * (longest - len(p)) for p in prompts])
        real = torch.tensor([[True] * len(p) + [False] * (longest - len(p)) for p in prompts])
        mask = real[:, None, None, :]
        memory = self._model.encoder(self._model.embedding(ids), mask)
        self._caches = [CrossCache() for _ in self._model.decoder.blocks]
        rows = torch.arange(len(prompts)).repeat_interleave(copies)
        self._memory, self._mask = memory[rows], mask[rows]
        return self.step(torch.full((len(rows),), self._start_id))

    def step(self, tokens: Tensor) -> Tensor:
        return self._model.decode(tokens[:, None], self._memory, self._mask, self._caches)

    def reorder(self, rows: Tensor) -> None:
        for cache in self._caches:
            cache.reorder(rows)
        self._memory, self._mask = self._memory[rows], self._mask[rows]
