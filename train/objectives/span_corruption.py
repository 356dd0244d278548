"""T5's span corruption: spans become sentinels in the inputs and are the targets.

Spans cross document borders and the encoder sees the whole row, as published. Padding at the end
of a row is left out before corruption.

Shapes: B rows, R rows of equal length, K spans.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from schemas.manifest import SpecialIds
from train.batch import NO_LABEL, Batch
from train.data.packed import PackedRows
from train.objectives.config import SpanCorruptionConfig
from train.objectives.randomness import uniform
from train.objectives.rows import token_places

Ids = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class SpanCorruptionObjective:
    """See the module."""

    config: SpanCorruptionConfig
    special: SpecialIds

    def build(self, rows: PackedRows, *, seed: int) -> Batch:
        """Inputs, decoder inputs and targets; a pure function of rows, seed and sample indices."""
        places = token_places(rows)
        lengths = (places.document > 0).sum(1)
        sides = [self._empty(lengths, side) for side in ("inputs", "targets")]
        inputs, targets = sides
        for length in np.unique(lengths[lengths > 1]).tolist():
            chosen = np.flatnonzero(lengths == length)
            mask = self._noise(seed, rows.sample_index[chosen], length)
            layers = np.stack(
                [
                    view[chosen, :length].astype(np.int64)
                    for view in (rows.input_ids, places.document, places.segment)
                ]
            )
            for side, noise in ((inputs, mask), (targets, ~mask)):
                found = self._replaced(layers, noise)
                side[:, chosen, : found.shape[2]] = found
        return self._batch(inputs, targets, rows)

    def _empty(self, lengths: Ids, side: str) -> Ids:
        """[3, B, width] of ids, documents and segments, filled with padding."""
        width = 1
        for length in np.unique(lengths[lengths > 1]).tolist():
            noise, spans = noise_counts(length, self.config)
            kept = length - noise if side == "inputs" else noise
            width = max(width, kept + spans + 1)
        empty = np.zeros((3, len(lengths), width), np.int64)
        empty[0], empty[2] = self.special.pad, -1
        return empty

    def _noise(self, seed: int, sample_index: NDArray[np.int64], length: int) -> Mask:
        noise, spans = noise_counts(length, self.config)
        keys = uniform(seed, sample_index, 2, length)
        runs = np.stack(
            (
                partition(length - noise, spans, keys[:, 0]),
                partition(noise, spans, keys[:, 1]),
            ),
            axis=2,
        )
        kinds = np.tile(np.array([False, True]), len(sample_index) * spans)
        return np.repeat(kinds, runs.reshape(-1)).reshape(len(sample_index), length)

    def _replaced(self, layers: Ids, noise: Mask) -> Ids:
        """Each run of noise becomes one sentinel; an end mark follows."""
        starts = noise.copy()
        starts[:, 1:] &= ~noise[:, :-1]
        number = np.cumsum(starts, axis=1) - 1
        sentinels = np.array(self.special.sentinels, np.int64)
        out = layers.copy()
        out[0] = np.where(starts, sentinels[np.maximum(number, 0)], layers[0])
        kept = ~noise | starts
        found = out[:, kept].reshape(3, len(noise), -1)
        end = layers[:, :, -1:].copy()
        end[0] = self.special.eos
        return np.concatenate((found, end), axis=2)

    def _batch(self, inputs: Ids, targets: Ids, rows: PackedRows) -> Batch:
        labels = np.where(targets[2] >= 0, targets[0], NO_LABEL)
        decoder_ids = np.full_like(targets[0], self.special.pad)
        decoder_ids[:, 1:] = targets[0][:, :-1]
        places = np.broadcast_to(np.arange(inputs.shape[2]), inputs.shape[1:]).copy()
        return Batch(
            input_ids=torch.from_numpy(inputs[0].copy()),
            labels=torch.from_numpy(labels),
            document=torch.from_numpy(inputs[1].copy()),
            positions=torch.from_numpy(places),
            segment=torch.from_numpy(targets[2].copy()),
            segment_source=torch.from_numpy(rows.segment_source.astype(np.int64)),
            num_sources=len(rows.sources),
            is_whole=bool((inputs[1] == 1).all()),
            decoder_ids=torch.from_numpy(decoder_ids),
        )


def noise_counts(length: int, config: SpanCorruptionConfig) -> tuple[int, int]:
    """Noise tokens and spans of a row: at least one of each, and one token that is no noise."""
    noise = min(max(round(length * config.noise_density), 1), length - 1)
    spans = max(round(noise / config.mean_span_tokens), 1)
    return noise, min(spans, length - noise)


def partition(items: int, parts: int, keys: NDArray[np.float64]) -> Ids:
    """[R, parts] lengths of a uniform split of `items` into non-empty parts.

    The borders are the places of the smallest `parts - 1` of the first `items - 1` keys.
    """
    borders = np.sort(np.argsort(keys[:, : items - 1], axis=1)[:, : parts - 1], axis=1) + 1
    ends = np.full((len(keys), 1), items)
    return np.diff(np.concatenate((np.zeros_like(ends), borders, ends), axis=1), axis=1)
