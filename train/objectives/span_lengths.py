"""How many inputs and targets span corruption makes of a row, and how long rows must be for them.

Source: `random_spans_helper` of t5's data/preprocessors.py: half-even rounding, one end mark on
either side, the search starts one below the wanted length.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class SpanLengths:
    """Lengths of one row in tokens; inputs and targets include their end mark.

    Attributes:
        raw: Tokens of the row before corruption.
        inputs: Tokens that the encoder reads.
        targets: Tokens that the decoder predicts.
        spans: Number of spans of noise, each with a sentinel.
    """

    raw: int
    inputs: int
    targets: int
    spans: int

    @property
    def noise(self) -> int:
        """Number of tokens that are removed from the inputs."""
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
    """The longest row whose inputs fit; at a density of one half, targets are not longer than inputs."""

    def at(raw: int) -> SpanLengths:
        return lengths_from_raw(raw, noise_density=noise_density, mean_span_tokens=mean_span_tokens)

    raw = inputs - 1
    while at(raw + 1).inputs <= inputs:
        raw += 1
    fit = at(raw)
    if noise_density == 0.5 and fit.targets > fit.inputs:
        return SpanLengths(raw=raw - 1, inputs=fit.inputs, targets=fit.targets - 1, spans=fit.spans)
    return fit
