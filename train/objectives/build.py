"""The objective of a recipe for a manifest; what cannot work is refused here."""

from __future__ import annotations

from schemas.errors import SettingsError
from schemas.manifest import SpecialIds
from train.batch import Objective
from train.objectives.causal import CausalObjective
from train.objectives.config import (
    CausalConfig,
    MaskedConfig,
    ObjectiveConfig,
    SpanCorruptionConfig,
)
from train.objectives.masked import MaskedObjective
from train.objectives.span_corruption import SpanCorruptionObjective, noise_counts

_BY_FAMILY = {"t5": "span_corruption", "bert": "masked"}


def build_objective(
    config: ObjectiveConfig, special: SpecialIds, *, family: str, vocab_size: int, seq_len: int
) -> Objective:
    """Check an objective against model and tokenizer.

    Raises:
        SettingsError: The family cannot train with it, or the tokenizer lacks what it needs.
    """
    expected = _BY_FAMILY.get(family, "causal")
    if config.name != expected:
        raise SettingsError(
            f"objective.name: '{config.name}' does not train a {family}; expected '{expected}'"
        )
    match config:
        case CausalConfig():
            return CausalObjective(config)
        case SpanCorruptionConfig():
            _check_sentinels(config, special, seq_len)
            return SpanCorruptionObjective(config=config, special=special)
        case MaskedConfig():
            if special.mask is None:
                raise SettingsError(
                    "objective: 'masked' needs a [MASK] token, the tokenizer has none; "
                    "jobs/extend_vocabulary.py trains one that has"
                )
            if config.masked_fraction + config.random_fraction > 1:
                raise SettingsError(
                    f"objective: masked_fraction {config.masked_fraction} and random_fraction "
                    f"{config.random_fraction} are more than 1 together"
                )
            return MaskedObjective(config=config, special=special, vocab_size=vocab_size)


def _check_sentinels(config: SpanCorruptionConfig, special: SpecialIds, seq_len: int) -> None:
    needed = noise_counts(seq_len, config)[1] if seq_len > 1 else 1
    if needed > len(special.sentinels):
        raise SettingsError(
            f"objective: rows of {seq_len} tokens need {needed} sentinels at noise_density "
            f"{config.noise_density} and mean_span_tokens {config.mean_span_tokens}, the tokenizer "
            f"has {len(special.sentinels)}; raise mean_span_tokens, shorten the rows, or reserve "
            "more with jobs/extend_vocabulary.py"
        )
