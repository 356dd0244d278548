"""T5's span corruption: spans become sentinels in the inputs and are the targets.

Spans cross document borders and the encoder sees the whole row, as published. Padding at the end
of a row is left out before corruption.
"""

from __future__ import annotations

from dataclasses import dataclass

from schemas.manifest import SpecialIds
from train.batch.batch import Batch
from train.data.packed import PackedRows
from train.objectives.assemble import ASSEMBLERS
from train.objectives.corruption import corrupt_inputs, noise_targets
from train.objectives.noise import span_noise
from train.objectives.tokens import row_tokens


@dataclass(frozen=True, kw_only=True)
class SpanCorruptionObjective:
    """Put a sentinel for each span of noise; predict the sentinels and the spans."""

    noise_density: float
    mean_span_tokens: float
    special: SpecialIds
    arrangement: str = "encoder_decoder"

    def build(self, rows: PackedRows, *, seed: int) -> Batch:
        """Inputs and targets; a pure function of rows, seed and sample indices."""
        tokens, pad, eos = row_tokens(rows), self.special.pad, self.special.eos
        draws = (seed, rows.sample_index)
        noise = span_noise(
            *draws,
            tokens.real,
            density=self.noise_density,
            mean_span_tokens=self.mean_span_tokens,
        )
        inputs = corrupt_inputs("u", tokens, noise, self.special, draws=draws, vocab_size=0)
        targets = noise_targets("u", tokens, noise, self.special)
        assemble = ASSEMBLERS[self.arrangement]
        return assemble(inputs.ended(eos, pad=pad), targets.ended(eos, pad=pad), rows, pad=pad)
