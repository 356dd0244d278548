"""Which tokens of a row are noise: spans, single tokens, a prefix, a fragment.

Rows may differ in length; every function is vectorised over all of them. Names and rules follow
t5's data/preprocessors.py.

Shapes: B rows, W columns.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from train.objectives.randomness import Index, smallest, sort_keys, uniform

Ids = NDArray[np.int64]
Mask = NDArray[np.bool_]


def _noise_counts(counts: Ids, density: float, mean_span_tokens: float) -> tuple[Ids, Ids]:
    """Numbers of noise tokens [B] and of spans [B]; rows of fewer than two tokens have none."""
    noise = np.clip(np.rint(counts * density).astype(np.int64), 1, np.maximum(counts - 1, 1))
    spans = np.maximum(np.rint(noise / mean_span_tokens).astype(np.int64), 1)
    spans = np.minimum(spans, counts - noise)
    usable = counts > 1
    return np.where(usable, noise, 0), np.where(usable, spans, 0)


def span_noise(
    seed: int, sample_index: Index, real: Mask, *, density: float, mean_span_tokens: float
) -> Mask:
    """Runs of kept tokens and of noise in turn, kept ones first (t5: `random_spans_noise_mask`).

    Both kinds are split into equally many runs, uniformly among all such splits.
    """
    counts = real.sum(1)
    noise, spans = _noise_counts(counts, density, mean_span_tokens)
    runs = np.stack(
        (
            _run_lengths(seed, sample_index, counts - noise, spans, stream="kept"),
            _run_lengths(seed, sample_index, noise, spans, stream="noise"),
        ),
        axis=1,
    )
    kinds = np.tile(np.array([False, True]), len(runs))
    is_noise = np.zeros(real.shape, np.bool_)
    is_noise[real & (counts > 1)[:, None]] = np.repeat(kinds, runs.reshape(-1))
    return is_noise


def _run_lengths(
    seed: int, sample_index: Index, items: Ids, parts: Ids, *, stream: str
) -> NDArray[np.int64]:
    """Lengths [sum of parts] that split `items[b]` into `parts[b]` runs, row after row."""
    width = max(int(items.max(initial=0)), 1)
    columns = np.arange(width)
    keys = sort_keys(seed, sample_index, width, stream=stream)
    # A run ends at `parts - 1` of the first `items - 1` items, and at the last one.
    ends = smallest(keys, parts - 1, columns < items[:, None] - 1)
    ends |= (columns == items[:, None] - 1) & (parts > 0)[:, None]
    row, column = np.nonzero(ends)
    before = np.concatenate(([-1], column[:-1]))
    before[np.concatenate(([True], row[1:] != row[:-1]))[: len(row)]] = -1
    return column - before[: len(column)]


def single_noise(seed: int, sample_index: Index, real: Mask, *, density: float) -> Mask:
    """Each token is noise with probability `density` (t5: `iid_noise_mask`)."""
    draw = uniform(seed, sample_index, real.shape[1], stream="single")
    noise: Mask = real & (draw < density)
    return noise


def prefix_noise(seed: int, sample_index: Index, real: Mask) -> Mask:
    """A prefix of uniform length; one token stays on either side (t5: `random_prefix_noise_mask`)."""
    counts = real.sum(1)
    draw = uniform(seed, sample_index, 1, stream="prefix")[:, 0]
    length = 1 + (draw * np.maximum(counts - 1, 0)).astype(np.int64)
    limit = np.minimum(length, counts - 1)[:, None]
    prefix: Mask = real & (np.arange(real.shape[1]) < limit)
    return prefix


def fragment_noise(seed: int, sample_index: Index, real: Mask, *, density: float) -> Mask:
    """One run of `density` of the tokens, anywhere in the row (MASS, Song et al. 2019)."""
    counts = real.sum(1)
    length = np.clip(np.rint(counts * density).astype(np.int64), 1, np.maximum(counts - 1, 1))
    draw = uniform(seed, sample_index, 1, stream="fragment")[:, 0]
    start = (draw * (counts - length + 1)).astype(np.int64)
    columns = np.arange(real.shape[1]) - start[:, None]
    fragment: Mask = real & (columns >= 0) & (columns < length[:, None])
    return fragment


def without_extra_spans(noise: Mask, limit: int) -> Mask:
    """The first `limit` spans of each row; there are no sentinels for later ones."""
    allowed: Mask = noise & (np.cumsum(span_starts(noise), axis=1) <= limit)
    return allowed


def span_starts(noise: Mask) -> Mask:
    """True [B, W] at the first token of each run of noise."""
    starts = noise.copy()
    starts[:, 1:] &= ~noise[:, :-1]
    return starts
