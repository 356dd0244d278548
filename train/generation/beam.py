"""Beam search with the rules of transformers 5: the same beams end, in the same order.

In each step every prompt has `beams` lines. Of all their continuations, the best
`beams * max(2, ends + 1)` are looked at, so that enough unfinished ones are left. A line that ends
among the best `beams` is kept with its log-probability over its tokens to the power of the length
penalty. A prompt is done when its best running line, scored at its present length, is no better
than the worst of `beams` finished ones.

Shapes: B prompts, K beams, C candidates, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from train.generation.config import GenerationConfig
from train.generation.incremental import IncrementalDecoder

# Log-probability that beams 1 .. K - 1 begin with: in the first step all K lines are equal, and only
# one of them may be continued.
_UNUSED = -1e9


@dataclass(frozen=True)
class _Line:
    """New tokens of a line; `score` is the sum of their log-probabilities, or the final score."""

    tokens: tuple[int, ...]
    score: float


@dataclass
class _Prompt:
    """The lines of one prompt; finished ones are sorted by their final score, best first."""

    running: list[_Line]
    finished: list[_Line] = field(default_factory=list)
    is_done: bool = False

    def finish(self, line: _Line, *, beams: int) -> None:
        self.finished.append(line)
        self.finished.sort(key=lambda one: -one.score)  # stable: earlier ones win ties
        del self.finished[beams:]


def beam_search(
    decoder: IncrementalDecoder,
    prompts: Sequence[Sequence[int]],
    config: GenerationConfig,
    *,
    ends: frozenset[int],
) -> list[list[int]]:
    """The new tokens of the best line of each prompt, without the token that ended it."""
    beams = config.num_beams or 1
    logits = decoder.start(prompts, copies=beams)
    states = [
        _Prompt([_Line((), 0.0)] + [_Line((), _UNUSED) for _ in range(beams - 1)]) for _ in prompts
    ]
    for number in range(1, config.max_new_tokens + 1):
        is_last = number == config.max_new_tokens
        scores, lines, tokens = _candidates(logits, states, beams * max(2, len(ends) + 1))
        rows: list[int] = []
        for prompt, state in enumerate(states):
            chosen = _advance(
                state,
                list(zip(scores[prompt], lines[prompt], tokens[prompt], strict=True)),
                config,
                ends=frozenset() if is_last else ends,
                is_last=is_last,
            )
            rows += [prompt * beams + line for line in chosen]
        if is_last or all(state.is_done for state in states):
            break
        decoder.reorder(torch.tensor(rows))
        last = [line.tokens[-1] for state in states for line in state.running]
        logits = decoder.step(torch.tensor(last))
    return [_without_end(state.finished[0].tokens, ends) for state in states]


def _candidates(
    logits: Tensor, states: Sequence[_Prompt], count: int
) -> tuple[list[list[float]], list[list[int]], list[list[int]]]:
    """Scores, lines and tokens of the best continuations of each prompt, best first."""
    vocabulary = logits.shape[-1]
    sums = torch.tensor([[line.score for line in state.running] for state in states])
    log_BKV = logits.float().log_softmax(-1).reshape(len(states), -1, vocabulary)
    best = (log_BKV + sums[:, :, None]).flatten(1).topk(count)
    return (
        best.values.tolist(),
        (best.indices // vocabulary).tolist(),
        (best.indices % vocabulary).tolist(),
    )


def _advance(
    state: _Prompt,
    candidates: Sequence[tuple[float, int, int]],
    config: GenerationConfig,
    *,
    ends: frozenset[int],
    is_last: bool,
) -> list[int]:
    """Replace the running lines of a prompt by their best continuations.

    Returns:
        For each new line the index of the line that it continues, by which the cache is reordered.
    """
    beams = config.num_beams or 1
    length = len(state.running[0].tokens) + 1
    running: list[_Line] = []
    chosen: list[int] = []
    for rank, (score, line, token) in enumerate(candidates):
        grown = _Line((*state.running[line].tokens, token), score)
        if is_last or token in ends:
            if rank < beams and not state.is_done:
                ranked = _Line(grown.tokens, score / length**config.length_penalty)
                state.finish(ranked, beams=beams)
        elif len(running) < beams:
            running.append(grown)
            chosen.append(line)
    if is_last:
        return []
    state.running = running
    if len(state.finished) == beams:
        best = running[0].score / length**config.length_penalty
        state.is_done |= best <= state.finished[-1].score
    return chosen


def _without_end(tokens: tuple[int, ...], ends: frozenset[int]) -> list[int]:
    return list(tokens[:-1] if tokens and tokens[-1] in ends else tokens)
