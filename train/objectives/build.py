"""The objective of a recipe for a manifest; what cannot work is refused here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.errors import SettingsError
from schemas.manifest import Manifest, SpecialIds
from train.batch.batch import Objective
from train.objectives.augment import Augmented
from train.objectives.causal import CausalObjective
from train.objectives.classify import ClassifyObjective
from train.objectives.config import (
    CausalConfig,
    ClassifyConfig,
    DenoisingConfig,
    MaskedConfig,
    MixtureConfig,
    ObjectiveConfig,
    SpanCorruptionConfig,
    TextToTextConfig,
    UnilmConfig,
)
from train.objectives.denoising import DenoisingObjective, MixtureObjective
from train.objectives.lengths import ObjectiveLengths, objective_lengths, spans_needed
from train.objectives.masked import MaskedObjective, UnilmObjective
from train.objectives.masking import Masking
from train.objectives.span_corruption import SpanCorruptionObjective
from train.objectives.span_lengths import lengths_for_inputs, lengths_from_raw
from train.objectives.text_to_text import TextToTextObjective

EXTEND = (
    "`refinery vocabulary train FILES --out DIR` makes a tokenizer that has it, for "
    "recipe.vocabulary.tokenizer: DIR"
)


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What an objective is judged against.

    Attributes:
        special: Control tokens of the manifest's tokenizer.
        family: Of the model.
        vocab_size: Ids.
        seq_len: Tokens per row.
        layout: How rows were cut; None is not checked.
        columns: Optional columns of the rows.
        max_positions: Of the model; None where positions have no end.
    """

    special: SpecialIds
    family: str
    vocab_size: int
    seq_len: int
    layout: str | None = None
    columns: Sequence[str] = ()
    max_positions: int | None = None


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
        SettingsError: Model, tokenizer or rows lack what it needs.
    """
    needs = Needs(
        special=manifest.tokenizer.special_ids,
        family=family,
        vocab_size=vocab_size,
        seq_len=manifest.seq_len,
        layout=manifest.layout,
        columns=manifest.columns,
        max_positions=max_positions,
    )
    return build_checked(config, needs)


def build_objective(
    config: ObjectiveConfig, special: SpecialIds, *, family: str, vocab_size: int, seq_len: int
) -> Objective:
    """The objective for rows without optional columns, of no particular layout.

    Raises:
        SettingsError: The family cannot train with it, or the tokenizer lacks what it needs.
    """
    return build_checked(
        config, Needs(special=special, family=family, vocab_size=vocab_size, seq_len=seq_len)
    )


def build_checked(config: ObjectiveConfig, needs: Needs) -> Objective:
    """The objective, if everything that it needs is there.

    Raises:
        SettingsError: With both sides of what does not fit.
    """
    _check_family(config, needs.family)
    _check_rows(config, needs)
    _check_tokens(config, needs)
    _check_lengths(config, needs)
    made = _make(config, needs)
    if config.augment is None:
        return made
    special = needs.special
    marks = (special.pad, special.eos, special.bos, special.cls, special.sep, special.mask)
    hidden = special.mask if special.mask is not None else next(iter(special.sentinels), None)
    if config.augment.token_dropout is not None and hidden is None:
        raise SettingsError(
            f"objective.augment.token_dropout needs a [MASK] token or a sentinel; {EXTEND}"
        )
    kept = [mark for mark in marks if mark is not None]
    return Augmented(
        inner=made,
        config=config.augment,
        hidden=special.pad if hidden is None else hidden,
        kept_ids=(*kept, *special.sentinels),
    )


def _make(config: ObjectiveConfig, needs: Needs) -> Objective:
    special, vocab_size = needs.special, needs.vocab_size
    match config:
        case CausalConfig():
            return CausalObjective()
        case SpanCorruptionConfig():
            return SpanCorruptionObjective(
                noise_density=config.noise_density,
                mean_span_tokens=config.mean_span_tokens,
                special=special,
                arrangement=arrangement(config.arrangement, needs.family),
            )
        case DenoisingConfig():
            return DenoisingObjective(
                grid=config.grid,
                max_spans=spans_needed(config.grid, needs.seq_len),
                special=special,
                vocab_size=vocab_size,
                arrangement=arrangement(config.arrangement, needs.family),
            )
        case MixtureConfig():
            return MixtureObjective(
                denoisers=config.denoisers,
                mode_sentinels=config.mode_sentinels,
                special=special,
                arrangement=arrangement(config.arrangement, needs.family),
            )
        case TextToTextConfig():
            return TextToTextObjective(
                pad=special.pad, arrangement=arrangement(config.arrangement, needs.family)
            )
        case ClassifyConfig():
            return ClassifyObjective(at=config.at, special=special)
        case MaskedConfig() | UnilmConfig():
            return _make_masked(config, needs)


def _make_masked(config: MaskedConfig | UnilmConfig, needs: Needs) -> Objective:
    masking = Masking(
        rate=config.rate,
        masked_fraction=config.masked_fraction,
        random_fraction=config.random_fraction,
        special=needs.special,
        vocab_size=needs.vocab_size,
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


def arrangement(wanted: str, family: str) -> str:
    """How inputs and targets reach a family."""
    if wanted != "family":
        return wanted
    return "encoder_decoder" if family == "t5" else "prefix_lm"


def _check_family(config: ObjectiveConfig, family: str) -> None:
    masked = ("masked", "unilm", "classify")
    if (family == "bert") != (config.name in masked):
        fit = (
            "'masked', 'unilm' or 'classify'" if family == "bert" else "'causal' or a denoising one"
        )
        raise SettingsError(
            f"objective.name: '{config.name}' does not train a {family}; expected {fit}"
        )
    if family == "t5" and config.name == "causal":
        raise SettingsError(
            "objective.name: 'causal' does not train a t5; expected 'span_corruption' or another "
            "that has inputs and targets"
        )
    chosen = getattr(config, "arrangement", "family")
    if family == "t5" and chosen != "family":
        raise SettingsError(
            f"objective.arrangement: '{chosen}' is for decoders; a t5 has 'family' alone"
        )


def _check_rows(config: ObjectiveConfig, needs: Needs) -> None:
    """Columns that the rows must have."""
    wanted: list[tuple[str, str, str]] = []
    if isinstance(config, TextToTextConfig):
        wanted.append(
            ("target_start", "text_to_text", "`python -m jobs.pack_pairs RECIPE` packs such rows")
        )
    if isinstance(config, ClassifyConfig):
        hint = "give the tasks labels, or words and tags, for `python -m jobs.pack_pairs`"
        column = "class_label" if config.at == "cls" else "token_labels"
        wanted.append((column, f"classify at {config.at}", hint))
    if isinstance(config, MaskedConfig | UnilmConfig) and config.whole_words:
        hint = "pack with recipe.packing.word_starts: true"
        wanted.append(("word_starts", "whole_words", hint))
    pairs = config.pairs if isinstance(config, MaskedConfig) else None
    if pairs is not None:
        layout = "next_sentence" if pairs == "next_sentence" else "sentences"
        column = "segment_b_start" if pairs == "next_sentence" else "sentence_starts"
        wanted.append((column, f"pairs: {pairs}", f"pack with recipe.packing.layout: {layout}"))
    for column, what, hint in wanted:
        if column not in needs.columns:
            found = ", ".join(needs.columns) or "no optional column"
            raise SettingsError(
                f"objective: '{what}' needs the column {column}; the manifest (layout "
                f"{needs.layout}) has {found}; {hint}"
            )
    if needs.layout == "next_sentence" and pairs != "next_sentence":
        raise SettingsError(
            f"objective: '{config.name}' cannot use rows of sentence pairs (layout "
            "next_sentence); set objective.pairs: next_sentence, or pack with another layout"
        )
    if needs.layout == "pairs" and not isinstance(config, TextToTextConfig | ClassifyConfig):
        raise SettingsError(
            f"objective: '{config.name}' cannot use supervised rows (layout pairs); "
            "set objective.name: text_to_text, or classify for a bert"
        )


def _check_tokens(config: ObjectiveConfig, needs: Needs) -> None:
    special = needs.special
    if isinstance(config, MaskedConfig | UnilmConfig) and special.mask is None:
        raise SettingsError(
            f"objective: '{config.name}' needs a [MASK] token, the tokenizer has none; {EXTEND}"
        )
    pairs = config.pairs if isinstance(config, MaskedConfig) else None
    if pairs is not None or isinstance(config, ClassifyConfig):
        missing = [name for name in ("cls", "sep") if getattr(special, name) is None]
        if missing:
            raise SettingsError(
                f"objective: {config.name} needs [CLS] and [SEP], the tokenizer has no {missing[0]}; "
                f"{EXTEND}"
            )
    needed = sentinels_needed(config, needs.seq_len)
    if needed > len(special.sentinels):
        raise SettingsError(
            f"objective: {config.name} over rows of {needs.seq_len} tokens may need {needed} "
            f"sentinels, the tokenizer has {len(special.sentinels)}; use longer spans, shorten "
            f"the rows, or make a tokenizer with `refinery vocabulary train FILES --out DIR "
            f"--sentinels {needed}` (recipe.vocabulary.sentinels)"
        )


def sentinels_needed(config: ObjectiveConfig, seq_len: int) -> int:
    """Sentinels that rows of `seq_len` tokens need."""
    match config:
        case SpanCorruptionConfig():
            return max(
                lengths_from_raw(
                    seq_len,
                    noise_density=config.noise_density,
                    mean_span_tokens=config.mean_span_tokens,
                ).spans,
                1,
            )
        case DenoisingConfig():
            return spans_needed(config.grid, seq_len)
        case MixtureConfig():
            spans = [
                lengths_from_raw(
                    seq_len, noise_density=each.density, mean_span_tokens=each.mean_span_tokens
                ).spans
                for each in config.denoisers
                if each.mean_span_tokens is not None
            ]
            return max([1, *spans]) + (3 if config.mode_sentinels else 0)
        case _:
            return 0


def _check_lengths(config: ObjectiveConfig, needs: Needs) -> None:
    if isinstance(config, SpanCorruptionConfig) and config.input_tokens is not None:
        _check_input_tokens(config, config.input_tokens, needs.seq_len)
    found = lengths_of(config, seq_len=needs.seq_len, family=needs.family)
    if needs.max_positions is not None and found.read > needs.max_positions:
        raise SettingsError(
            f"objective: '{config.name}' makes {found.read} tokens of rows of {needs.seq_len}, "
            f"the model has {needs.max_positions} positions; set model.max_positions: "
            f"{found.read}, or pack shorter rows (recipe.packing.seq_len)"
        )


def lengths_of(config: ObjectiveConfig, *, seq_len: int, family: str) -> ObjectiveLengths:
    """What the model reads and predicts at most, of rows of `seq_len` tokens."""
    form = arrangement(getattr(config, "arrangement", "family"), family)
    return objective_lengths(config, seq_len=seq_len, arrangement=form)


def _check_input_tokens(config: SpanCorruptionConfig, wanted: int, seq_len: int) -> None:
    fields = {
        "noise_density": config.noise_density,
        "mean_span_tokens": config.mean_span_tokens,
    }
    fit = lengths_for_inputs(wanted, **fields)
    if fit.raw != seq_len:
        found = lengths_from_raw(seq_len, **fields)
        raise SettingsError(
            f"objective.input_tokens: {wanted} inputs and {fit.targets} targets come from rows of "
            f"{fit.raw} tokens; the manifest has rows of {seq_len}, which give {found.inputs} and "
            f"{found.targets}; pack with recipe.packing.seq_len: {fit.raw}, or set "
            f"objective.input_tokens: {found.inputs}"
        )
