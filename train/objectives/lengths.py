"""Lengths of inputs and targets that objectives make of rows, before any row is read."""

from __future__ import annotations

import math
from dataclasses import dataclass

from train.objectives.config import (
    GRID_NAME,
    DenoiserMixtureConfig,
    DenoisingConfig,
    ObjectiveConfig,
    SpanCorruptionConfig,
)
from train.objectives.span_lengths import lengths_from_raw


@dataclass(frozen=True, kw_only=True)
class ObjectiveLengths:
    """The most tokens that a full row gives.

    Attributes:
        read: Tokens that the encoder, or a decoder alone, reads.
        written: Tokens that a decoder behind an encoder predicts; None for one stack.
    """

    read: int
    written: int | None = None


def objective_lengths(
    config: ObjectiveConfig, *, seq_len: int, arrangement: str
) -> ObjectiveLengths:
    """Bounds for rows of `seq_len` tokens; exact for spans, whose number the length decides."""
    one_stack = arrangement != "encoder_decoder"
    match config:
        case SpanCorruptionConfig():
            spans = lengths_from_raw(
                seq_len,
                noise_density=config.noise_density,
                mean_span_tokens=config.mean_span_tokens,
            )
            sides = spans.inputs, spans.targets
        case DenoisingConfig():
            sides = _grid_sides(config.grid, seq_len, one_stack=one_stack)
        case DenoiserMixtureConfig():
            sides = _mixture_sides(config, seq_len, one_stack=one_stack)
        case _:
            return ObjectiveLengths(read=seq_len)
    if one_stack:
        # The last token predicts nothing and is not read.
        return ObjectiveLengths(read=sum(sides) - 1)
    return ObjectiveLengths(read=sides[0], written=sides[1])


def _grid_sides(grid: str, seq_len: int, *, one_stack: bool) -> tuple[int, int]:
    """Bounds of inputs and targets; for one stack, numbers whose sum bounds both together."""
    whole = seq_len + 1
    parts = GRID_NAME.fullmatch(grid)
    if grid in ("prefix_lm", "lm"):
        sides = (seq_len, seq_len) if grid == "prefix_lm" else (1, whole)
        return (0, whole) if one_stack else sides
    if parts is None or parts["inputs"] != "u" or parts["targets"] != "u":
        return whole, whole
    if parts["span"] is not None:
        lengths = lengths_from_raw(
            seq_len,
            noise_density=int(parts["density"]) / 100,
            mean_span_tokens=float(parts["span"]),
        )
        return lengths.inputs, lengths.targets
    if one_stack:  # each run of noise and each kept run has a sentinel
        return whole, 1 + 2 * spans_needed(grid, seq_len)
    return whole, whole


def _mixture_sides(
    config: DenoiserMixtureConfig, seq_len: int, *, one_stack: bool
) -> tuple[int, int]:
    modes = int(config.mode_sentinels)
    spans = [
        lengths_from_raw(
            seq_len, noise_density=one.density, mean_span_tokens=one.mean_span_tokens
        ).spans
        for one in config.denoisers
        if one.mean_span_tokens is not None
    ]
    if one_stack:
        return seq_len + 1 + modes, 1 + 2 * max([1, *spans])
    # A kept token or a token of noise stands before each sentinel, so no side exceeds the row.
    return seq_len + 1 + modes, seq_len + 1


def spans_needed(grid: str, seq_len: int) -> int:
    """Number of sentinels that rows of `seq_len` tokens need; later runs of noise stay unchanged.

    For single noise tokens it is four deviations above the mean: the number of runs among L tokens
    of density p has mean about L p (1 - p) and variance about L p (1 - p) (1 - 3 p (1 - p)).
    """
    parts = GRID_NAME.fullmatch(grid)
    if parts is None:
        return 1 if grid == "mass" else 0
    if "u" not in (parts["inputs"], parts["targets"]):
        return 1 if {parts["inputs"], parts["targets"]} & {"m", "s", "r10s90"} else 0
    density = int(parts["density"]) / 100
    if parts["span"] is not None:
        noise = min(max(round(seq_len * density), 1), max(seq_len - 1, 1))
        return max(round(noise / int(parts["span"])), 1)
    mean = seq_len * density * (1 - density)
    return math.ceil(mean + 4 * math.sqrt(mean * (1 - 3 * density * (1 - density)))) + 1
