"""Greedy and sampled continuations of a batch of prompts.

Shapes: B rows, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from train.generation.beam import beam_search
from train.generation.config import GenerationConfig
from train.generation.incremental import IncrementalDecoder


@torch.no_grad()
def generate(
    decoder: IncrementalDecoder,
    prompts: Sequence[Sequence[int]],
    config: GenerationConfig,
    *,
    ends: frozenset[int],
) -> list[list[int]]:
    """Continue each prompt until one of `ends` or the limit; neither prompt nor end is repeated.

    Raises:
        ContractError: A prompt is empty, or there are not enough learned positions.
    """
    if config.num_beams is not None:
        return beam_search(decoder, prompts, config, ends=ends)
    logits = decoder.start(prompts, copies=1)
    # Each row has its own generator: what is drawn for a prompt does not depend on its neighbours.
    draws = [torch.Generator().manual_seed(config.seed * 1_000_003 + n) for n in range(len(logits))]
    stops = torch.tensor(sorted(ends), dtype=torch.int64)
    done = torch.zeros(len(logits), dtype=torch.bool)
    texts: list[list[int]] = [[] for _ in prompts]
    for number in range(config.max_new_tokens):
        chosen = choose(logits, config, draws)
        done |= torch.isin(chosen, stops)
        if bool(done.all()):
            break
        for row in (~done).nonzero().flatten().tolist():
            texts[row].append(int(chosen[row]))
        if number + 1 < config.max_new_tokens:
            logits = decoder.step(chosen)
    return texts


def choose(logits_BV: Tensor, config: GenerationConfig, draws: Sequence[torch.Generator]) -> Tensor:
    """The next token of each row [B]: the likeliest, or drawn after top-k and top-p."""
    if config.temperature is None:
        return logits_BV.argmax(-1)
    scores = logits_BV.float() / config.temperature
    if config.top_k is not None:
        least = scores.topk(min(config.top_k, scores.shape[-1])).values[:, -1:]
        scores = scores.masked_fill(scores < least, -torch.inf)
    if config.top_p is not None:
        ordered, order = scores.sort(-1, descending=True)
        mass = ordered.softmax(-1)
        # A token stays while the mass before it is short of top_p, so the first always does.
        drop = mass.cumsum(-1) - mass >= config.top_p
        scores = scores.masked_fill(drop.scatter(1, order, drop), -torch.inf)
    chances = scores.softmax(-1)
    return torch.cat(
        [
            torch.multinomial(row, 1, generator=draw)
            for row, draw in zip(chances, draws, strict=True)
        ]
    )
