"""The grid of the T5 paper by name, MASS, and mixtures of denoisers.

A name says pattern, density, inputs and targets: `iid_15_r10s90_f` is BERT-style, `span_3_15_u_u`
T5's choice, `all_permute` deshuffling. Source: t5/models/gin/objectives and Raffel et al. 2020,
section 3.3.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from schemas.manifest import SpecialIds
from train.batch.batch import Batch
from train.data.packed import PackedRows
from train.objectives.assemble import ASSEMBLERS
from train.objectives.config import GRID_NAME, Denoiser
from train.objectives.corruption import corrupt_inputs, noise_targets, permute_tokens
from train.objectives.noise import (
    Mask,
    fragment_noise,
    prefix_noise,
    single_noise,
    span_noise,
    without_extra_spans,
)
from train.objectives.randomness import Index, uniform
from train.objectives.tokens import Ids, Tokens, row_tokens

MASS_DENSITY = 0.5  # Song et al. 2019, section 3.2: half of the sentence


@dataclass(frozen=True, kw_only=True)
class DenoisingObjective:
    """One cell of the grid; see `DenoisingConfig.grid` for names.

    Attributes:
        grid: Name of the cell.
        max_spans: Number of sentinels; later runs of single noise tokens stay as they are.
        special: Special tokens of the tokenizer.
        vocab_size: Number of ids that random tokens are drawn from.
        arrangement: How inputs and targets reach the model, a key of `ASSEMBLERS`.
    """

    grid: str
    max_spans: int
    special: SpecialIds
    vocab_size: int
    arrangement: str = "encoder_decoder"

    def build(self, rows: PackedRows, *, seed: int) -> Batch:
        """Inputs and targets; a pure function of rows, seed and sample indices."""
        tokens, draws = row_tokens(rows), (seed, rows.sample_index)
        inputs, targets = self._sides(tokens, draws)
        pad, eos = self.special.pad, self.special.eos
        # A prefix goes on in its targets: only an encoder needs to be told where it ends.
        if self.grid not in ("prefix_lm", "lm") or self.arrangement == "encoder_decoder":
            inputs = _ended_or_alone(inputs, tokens, self.special)
        return ASSEMBLERS[self.arrangement](inputs, targets.ended(eos, pad=pad), rows, pad=pad)

    def _sides(self, tokens: Tokens, draws: tuple[int, Index]) -> tuple[Tokens, Tokens]:
        pad = self.special.pad
        match self.grid:
            case "all_permute":
                return permute_tokens(tokens, tokens.real, draws=draws), tokens
            case "lm":
                return tokens.kept(np.zeros_like(tokens.real), pad=pad), tokens
            case "prefix_lm":
                prefix = prefix_noise(*draws, tokens.real)
                return tokens.kept(prefix, pad=pad), tokens.kept(~prefix, pad=pad)
            case "mass":
                noise = fragment_noise(*draws, tokens.real, density=MASS_DENSITY)
                mark = self.special.mask
                hidden = self.special.sentinels[0] if mark is None else mark
                masked = tokens.with_ids(np.where(noise, hidden, tokens.ids))
                return masked, tokens.kept(noise, pad=pad)
        parts = GRID_NAME.fullmatch(self.grid)
        assert parts is not None  # the settings refuse other names
        density = int(parts["density"]) / 100
        if parts["span"] is None:
            noise = single_noise(*draws, tokens.real, density=density)
            if "u" in (parts["inputs"], parts["targets"]):
                # The kept runs, numbered in the targets, may be one more than those of noise.
                noise = without_extra_spans(noise, self.max_spans - 1)
        else:
            span = float(parts["span"])
            noise = span_noise(*draws, tokens.real, density=density, mean_span_tokens=span)
        inputs = corrupt_inputs(
            parts["inputs"], tokens, noise, self.special, draws=draws, vocab_size=self.vocab_size
        )
        return inputs, noise_targets(parts["targets"], tokens, noise, self.special)


def _ended_or_alone(inputs: Tokens, tokens: Tokens, special: SpecialIds) -> Tokens:
    """Inputs with their end mark; the end mark alone where no input is left."""
    ended = inputs.ended(special.eos, pad=special.pad)
    alone = (inputs.counts == 0) & (tokens.counts > 0)
    ended.ids[alone, 0] = special.eos
    ended.document[alone, 0] = 1
    ended.segment[alone, 0] = tokens.segment[alone, 0]
    return ended.kept(ended.real, pad=special.pad)


@dataclass(frozen=True, kw_only=True)
class DenoiserMixtureObjective:
    """Corrupt each row by one denoiser, drawn by weight (UL2).

    With `mode_sentinels` a row begins with one of the last three sentinels, which then no span
    uses: they tell the model the modes R, S and X.
    """

    denoisers: tuple[Denoiser, ...]
    mode_sentinels: bool
    special: SpecialIds
    arrangement: str = "encoder_decoder"

    def build(self, rows: PackedRows, *, seed: int) -> Batch:
        """Inputs and targets; a pure function of rows, seed and sample indices."""
        tokens, pad, eos = row_tokens(rows), self.special.pad, self.special.eos
        number = self.chosen(seed, rows.sample_index)
        noise = np.zeros_like(tokens.real)
        for kind in np.unique(number).tolist():
            chosen = np.flatnonzero(number == kind)
            noise[chosen] = self._noise(
                self.denoisers[kind], seed, rows.sample_index[chosen], tokens.real[chosen]
            )
        spare = 3 if self.mode_sentinels else 0
        noise = without_extra_spans(noise, len(self.special.sentinels) - spare)
        draws = (seed, rows.sample_index)
        inputs = corrupt_inputs("u", tokens, noise, self.special, draws=draws, vocab_size=0)
        if self.mode_sentinels:
            inputs = self._with_modes(inputs, number)
        targets = noise_targets("u", tokens, noise, self.special)
        assemble = ASSEMBLERS[self.arrangement]
        return assemble(inputs.ended(eos, pad=pad), targets.ended(eos, pad=pad), rows, pad=pad)

    def chosen(self, seed: int, sample_index: Index) -> Ids:
        """Index [B] of the denoiser of each row."""
        weights = np.array([denoiser.weight for denoiser in self.denoisers])
        draw = uniform(seed, sample_index, 1, stream="denoiser")[:, 0] * weights.sum()
        number = np.searchsorted(np.cumsum(weights), draw, side="right")
        chosen: Ids = np.minimum(number, len(weights) - 1).astype(np.int64)
        return chosen

    def _noise(self, kind: Denoiser, seed: int, sample_index: Index, real: Mask) -> Mask:
        if kind.mean_span_tokens is not None:
            return span_noise(
                seed,
                sample_index,
                real,
                density=kind.density,
                mean_span_tokens=kind.mean_span_tokens,
            )
        # The length of the suffix is uniform up to twice the density, so its mean is the density.
        counts = real.sum(1)
        draw = uniform(seed, sample_index, 1, stream="suffix")[:, 0]
        length = np.rint(counts * min(2 * kind.density, 1.0) * draw).astype(np.int64)
        length = np.clip(length, 1, np.maximum(counts - 1, 0))
        suffix: Mask = real & (np.arange(real.shape[1]) >= (counts - length)[:, None])
        return suffix

    def _with_modes(self, inputs: Tokens, number: Ids) -> Tokens:
        marks = dict(zip("RSX", self.special.sentinels[-3:], strict=True))
        modes = np.array([marks[denoiser.mode] for denoiser in self.denoisers])[number]
        wide = inputs.widened(inputs.ids.shape[1] + 1, pad=self.special.pad)
        rolled = replace(
            wide,
            ids=np.roll(wide.ids, 1, axis=1),
            document=np.roll(wide.document, 1, axis=1),
            segment=np.roll(wide.segment, 1, axis=1),
        )
        rolled.ids[:, 0] = modes
        rolled.document[:, 0] = rolled.document[:, 1]
        rolled.segment[:, 0] = rolled.segment[:, 1]
        return rolled
