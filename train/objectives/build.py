"""Build the objective of a recipe for a manifest; what cannot work is refused."""

from __future__ import annotations

from schemas.errors import SettingsError
from schemas.manifest import Manifest, SpecialIds
from schemas.own_code import load_own
from train.batch.batch import Objective
from train.objectives.augment import Augmented
from train.objectives.causal import CausalObjective
from train.objectives.classify import ClassifyObjective
from train.objectives.config import (
    CausalConfig,
    ClassifyConfig,
    DenoiserMixtureConfig,
    DenoisingConfig,
    MaskedConfig,
    ObjectiveConfig,
    PluginConfig,
    SpanCorruptionConfig,
    TextToTextConfig,
    UnilmConfig,
)
from train.objectives.denoising import DenoiserMixtureObjective, DenoisingObjective
from train.objectives.lengths import spans_needed
from train.objectives.masked import MaskedObjective, UnilmObjective
from train.objectives.masking import Masking
from train.objectives.requirements import ObjectiveContext, arrangement, objective_faults
from train.objectives.span_corruption import SpanCorruptionObjective
from train.objectives.text_to_text import TextToTextObjective


def build_for_manifest(
    config: ObjectiveConfig,
    manifest: Manifest,
    *,
    family: str,
    vocab_size: int,
    max_positions: int | None,
) -> Objective:
    """The objective over the rows of a manifest.

    Raises:
        SettingsError: Model, tokenizer or rows lack what the objective needs.
    """
    context = ObjectiveContext.of(
        manifest, family=family, vocab_size=vocab_size, max_positions=max_positions
    )
    return build_checked(config, context)


def build_objective(
    config: ObjectiveConfig, special: SpecialIds, *, family: str, vocab_size: int, seq_len: int
) -> Objective:
    """The objective for rows without optional columns, of no particular layout.

    Raises:
        SettingsError: The family cannot train with it, or the tokenizer lacks what it needs.
    """
    return build_checked(
        config,
        ObjectiveContext(special=special, family=family, vocab_size=vocab_size, seq_len=seq_len),
    )


def build_causal(context: ObjectiveContext) -> CausalObjective:
    """Causal language modelling, for objectives of one's own that change what it makes.

    Raises:
        SettingsError: The tokenizer or the rows lack what it needs.
    """
    made = build_checked(CausalConfig(), context)
    assert isinstance(made, CausalObjective)
    return made


def build_checked(config: ObjectiveConfig, context: ObjectiveContext) -> Objective:
    """The objective, if everything that it needs is there.

    Raises:
        SettingsError: With both sides of what does not fit.
    """
    faults = objective_faults(config, context)
    if faults:
        raise SettingsError("\n  ".join(faults))
    made = _make(config, context)
    if config.augment is None:
        return made
    special = context.special
    marks = (special.pad, special.eos, special.bos, special.cls, special.sep, special.mask)
    hidden = special.mask if special.mask is not None else next(iter(special.sentinels), None)
    kept = [mark for mark in marks if mark is not None]
    return Augmented(
        inner=made,
        config=config.augment,
        hidden=special.pad if hidden is None else hidden,
        kept_ids=(*kept, *special.sentinels),
    )


def _make(config: ObjectiveConfig, context: ObjectiveContext) -> Objective:
    special, vocab_size = context.special, context.vocab_size
    match config:
        case CausalConfig():
            return CausalObjective(special.eos)
        case SpanCorruptionConfig():
            return SpanCorruptionObjective(
                noise_density=config.noise_density,
                mean_span_tokens=config.mean_span_tokens,
                special=special,
                arrangement=arrangement(config.arrangement, context.family),
            )
        case DenoisingConfig():
            return DenoisingObjective(
                grid=config.grid,
                max_spans=spans_needed(config.grid, context.seq_len),
                special=special,
                vocab_size=vocab_size,
                arrangement=arrangement(config.arrangement, context.family),
            )
        case DenoiserMixtureConfig():
            return DenoiserMixtureObjective(
                denoisers=config.denoisers,
                mode_sentinels=config.mode_sentinels,
                special=special,
                arrangement=arrangement(config.arrangement, context.family),
            )
        case TextToTextConfig():
            return TextToTextObjective(
                pad=special.pad, arrangement=arrangement(config.arrangement, context.family)
            )
        case PluginConfig():
            return _own(config, context)
        case ClassifyConfig():
            return ClassifyObjective(at=config.at, special=special)
        case MaskedConfig() | UnilmConfig():
            return _make_masked(config, context)


def _own(config: PluginConfig, context: ObjectiveContext) -> Objective:
    made: Objective = load_own(config.plugin, where="objective.plugin")(context, **config.options)
    if not callable(getattr(made, "build", None)):
        raise SettingsError(
            f"objective.plugin: {config.plugin} gave {type(made).__name__}; expected something with "
            "build(rows, seed) -> Batch"
        )
    return made


def _make_masked(config: MaskedConfig | UnilmConfig, context: ObjectiveContext) -> Objective:
    masking = Masking(
        rate=config.rate,
        masked_fraction=config.masked_fraction,
        random_fraction=config.random_fraction,
        special=context.special,
        vocab_size=context.vocab_size,
    )
    if isinstance(config, MaskedConfig):
        return MaskedObjective(masking=masking, whole_words=config.whole_words, pairs=config.pairs)
    return UnilmObjective(
        masking=masking,
        whole_words=config.whole_words,
        shares=(
            config.both_ways,
            config.to_target,
            config.left_to_right,
            config.right_to_left,
        ),
    )
