"""How noise changes inputs and targets: t5's data/preprocessors.py, vectorised over rows.

Letters are those of t5's objective names. In the inputs, noise tokens are masked each (m), masked by
span (s), masked by span with unique sentinels (u), dropped (d), partly replaced by random tokens (r)
or permuted (p). Targets are the full row (f) or the noise alone, with its context treated as inputs
treat noise (d, s, u).
"""

from __future__ import annotations

import numpy as np

from schemas.manifest import SpecialIds
from train.objectives.noise import Mask, span_starts
from train.objectives.randomness import Index, sort_keys, uniform
from train.objectives.tokens import Tokens


def mask_tokens(tokens: Tokens, noise: Mask, sentinel: int) -> Tokens:
    """Put the same sentinel for each noise token (t5: `noise_token_to_sentinel`)."""
    return tokens.with_ids(np.where(noise, sentinel, tokens.ids))


def merge_spans(tokens: Tokens, noise: Mask, sentinel: int, *, pad: int) -> Tokens:
    """Put the same sentinel for each run of noise (t5: `noise_span_to_sentinel`)."""
    starts = span_starts(noise)
    marked = tokens.with_ids(np.where(starts, sentinel, tokens.ids))
    return marked.kept(~noise | starts, pad=pad)


def number_spans(tokens: Tokens, noise: Mask, sentinels: np.ndarray, *, pad: int) -> Tokens:
    """Put the n-th sentinel for the n-th run of noise (t5: `noise_span_to_unique_sentinel`).

    There must be at least as many sentinels as runs.
    """
    starts = span_starts(noise)
    number = np.maximum(np.cumsum(starts, axis=1) - 1, 0)
    ids = tokens.ids.copy()
    ids[starts] = sentinels[number[starts]]
    return tokens.with_ids(ids).kept(~noise | starts, pad=pad)


def drop_tokens(tokens: Tokens, noise: Mask, *, pad: int) -> Tokens:
    """Leave noise tokens out (t5: `drop_noise_tokens`)."""
    return tokens.kept(~noise, pad=pad)


def _randomise_tokens(
    tokens: Tokens,
    noise: Mask,
    sentinel: int,
    *,
    draws: tuple[int, Index],
    vocab_size: int,
    random_fraction: float,
) -> Tokens:
    """Put random tokens or a sentinel for noise (t5: `noise_token_to_random_token_or_sentinel`).

    `draws` is the seed and the sample indices [B].
    """
    seed, index = draws
    width = tokens.ids.shape[1]
    kind = uniform(seed, index, width, stream="random or sentinel")
    other = (uniform(seed, index, width, stream="random token") * vocab_size).astype(np.int64)
    changed = np.where(kind < random_fraction, other, sentinel)
    return tokens.with_ids(np.where(noise, changed, tokens.ids))


def permute_tokens(tokens: Tokens, noise: Mask, *, draws: tuple[int, Index]) -> Tokens:
    """Put the noise tokens of each row in a drawn order (t5: `permute_noise_tokens`)."""
    keys = sort_keys(*draws, tokens.ids.shape[1], stream="permute")
    limit = np.iinfo(np.uint64).max
    order = np.argsort(np.where(noise, keys, limit), axis=1, kind="stable")
    counts = noise.sum(1)
    chosen = np.arange(noise.shape[1]) < counts[:, None]
    ids = tokens.ids.copy()
    ids[noise] = np.take_along_axis(tokens.ids, order, axis=1)[chosen]
    return tokens.with_ids(ids)


def corrupt_inputs(
    letter: str,
    tokens: Tokens,
    noise: Mask,
    special: SpecialIds,
    *,
    draws: tuple[int, Index],
    vocab_size: int,
) -> Tokens:
    """Inputs for the letter of an objective's name, without an end mark."""
    pad = special.pad
    match letter:
        case "m":
            return mask_tokens(tokens, noise, special.sentinels[0])
        case "s":
            return merge_spans(tokens, noise, special.sentinels[0], pad=pad)
        case "u":
            return number_spans(tokens, noise, np.array(special.sentinels), pad=pad)
        case "d":
            return drop_tokens(tokens, noise, pad=pad)
        case "p":
            return permute_tokens(tokens, noise, draws=draws)
        case "r10s90":
            return _randomise_tokens(
                tokens,
                noise,
                special.sentinels[0],
                draws=draws,
                vocab_size=vocab_size,
                random_fraction=0.1,
            )
        case _:  # "r": random tokens alone
            return _randomise_tokens(
                tokens, noise, 0, draws=draws, vocab_size=vocab_size, random_fraction=1.0
            )


def noise_targets(letter: str, tokens: Tokens, noise: Mask, special: SpecialIds) -> Tokens:
    """Targets for the letter of an objective's name, without an end mark."""
    others = tokens.real & ~noise
    match letter:
        case "f":
            return tokens
        case "d":
            return drop_tokens(tokens, others, pad=special.pad)
        case "s":
            return merge_spans(tokens, others, special.sentinels[0], pad=special.pad)
        case _:
            return number_spans(tokens, others, np.array(special.sentinels), pad=special.pad)
