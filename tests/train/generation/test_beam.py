"""Beam search over a model small enough to try every line."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from train.generation.beam import beam_search
from train.generation.config import GenerationConfig

VOCABULARY, END = 4, 3


class TableDecoder:
    """The chance of a token depends on the token before it and on the prompt's first token."""

    def __init__(self, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.logits = torch.randn(VOCABULARY, VOCABULARY, VOCABULARY, generator=generator)
        self.first = torch.zeros(0, dtype=torch.int64)

    def start(self, prompts: Sequence[Sequence[int]], *, copies: int) -> Tensor:
        rows = torch.arange(len(prompts)).repeat_interleave(copies)
        self.first = torch.tensor([prompt[0] for prompt in prompts])[rows]
        return self.step(torch.tensor([prompt[-1] for prompt in prompts])[rows])

    def step(self, tokens: Tensor) -> Tensor:
        return self.logits[self.first, tokens]

    def reorder(self, rows: Tensor) -> None:
        self.first = self.first[rows]

    def score(self, prompt: Sequence[int], line: Sequence[int]) -> float:
        chances = self.logits[prompt[0]].log_softmax(-1)
        pairs = itertools.pairwise([prompt[-1], *line])
        return float(sum(chances[before, token] for before, token in pairs))


def best_line(decoder: TableDecoder, prompt: list[int], tokens: int, penalty: float) -> list[int]:
    """The best of all lines that end, or that are cut at the limit."""
    lines = [
        line
        for length in range(1, tokens + 1)
        for line in itertools.product(range(VOCABULARY), repeat=length)
        if END not in line[:-1] and (line[-1] == END or length == tokens)
    ]
    best = max(lines, key=lambda line: decoder.score(prompt, line) / len(line) ** penalty)
    return [token for token in best if token != END]


@pytest.mark.parametrize("penalty", [0.0, 1.0])
@pytest.mark.parametrize("seed", range(4))
def test_enough_beams_find_the_best_of_all_lines(seed: int, penalty: float) -> None:
    decoder, prompts = TableDecoder(seed), [[0, 1], [2]]
    # All 3^3 unfinished lines fit into the beams, and no prompt is done before the limit.
    config = GenerationConfig(max_new_tokens=4, num_beams=81, length_penalty=penalty)

    lines = beam_search(_Wide(decoder), prompts, config, ends=frozenset({END}))

    assert lines == [best_line(decoder, prompt, 4, penalty) for prompt in prompts]


class _Wide:
    """The table with unreachable tokens, so that there are enough candidates for many beams."""

    def __init__(self, inner: TableDecoder) -> None:
        self.inner = inner

    def _padded(self, logits: Tensor) -> Tensor:
        return torch.cat((logits, torch.full((len(logits), 300), -1e6)), dim=1)

    def start(self, prompts: Sequence[Sequence[int]], *, copies: int) -> Tensor:
        return self._padded(self.inner.start(prompts, copies=copies))

    def step(self, tokens: Tensor) -> Tensor:
        return self._padded(self.inner.step(tokens.clamp(max=VOCABULARY - 1)))

    def reorder(self, rows: Tensor) -> None:
        self.inner.reorder(rows)


def test_prompts_of_a_batch_do_not_change_each_other() -> None:
    decoder = TableDecoder(1)
    config = GenerationConfig(max_new_tokens=5, num_beams=2)

    both = beam_search(decoder, [[0, 1], [2, 2]], config, ends=frozenset({END}))

    alone = [
        beam_search(decoder, [prompt], config, ends=frozenset({END}))[0]
        for prompt in ([0, 1], [2, 2])
    ]
    assert both == alone


def test_a_length_penalty_prefers_long_lines() -> None:
    decoder = TableDecoder(0)
    decoder.logits[:] = torch.tensor([0.0, -2.0, -2.0, -0.2])  # 0 is likely, and so is the end

    def length(penalty: float) -> int:
        config = GenerationConfig(max_new_tokens=6, num_beams=2, length_penalty=penalty)
        return len(beam_search(decoder, [[1]], config, ends=frozenset({END}))[0])

    assert length(0.0) == 0
    assert length(3.0) > 0
