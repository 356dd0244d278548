"""How many tokens span corruption makes of how many, in both directions.

Source: `random_spans_helper` of t5's data/preprocessors.py: half-even rounding, one end mark on
either side, the search starts one below the wanted length.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class SpanLengths:
    """Of one row, in tokens; both sides include their end mark.

    Attributes:
        raw: Before corruption.
        inputs: What the encoder reads.
        targets: What the decoder predicts.
        spans: Noise spans, each with a sentinel.
    """

    raw: int
    inputs: int
    targets: int
    spans: int

    @property
    def noise(self) -> int:
        """Tokens that are removed from the inputs."""
        return self.targets - self.spans - 1


def lengths_from_raw(raw: int, *, noise_density: float, mean_span_tokens: float) -> SpanLengths:
    """Lengths that a row of `raw` tokens gives."""
    noise = round(raw * noise_density)
    spans = round(noise / mean_span_tokens)
    return SpanLengths(
        raw=raw, inputs=raw - noise + spans + 1, targets=noise + spans + 1, spans=spans
    )


def lengths_for_inputs(
    inputs: int, *, noise_density: float, mean_span_tokens: float
) -> SpanLengths:
    """The longest row whose inputs fit; at a density of one half, targets are no longer than it."""

    def at(raw: int) -> SpanLengths:
        return lengths_from_raw(raw, noise_density=noise_density, mean_span_tokens=mean_span_tokens)

    raw = inputs - 1
    while at(raw + 1).inputs <= inputs:
        raw += 1
    found = at(raw)
    if noise_density == 0.5 and found.targets > found.inputs:
        return SpanLengths(
            raw=raw - 1, inputs=found.inputs, targets=found.targets - 1, spans=found.spans
        )
    return found
