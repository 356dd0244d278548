"""What an objective needs of the model, the tokenizer and the rows; no torch here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from schemas.manifest import Manifest, SpecialIds
from train.objectives.config import (
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
from train.objectives.lengths import ObjectiveLengths, objective_lengths, spans_needed
from train.objectives.span_lengths import lengths_for_inputs, lengths_from_raw

EXTEND = (
    "`refinery vocabulary train FILES --out DIR` makes a tokenizer that has it, for "
    "recipe.vocabulary.tokenizer: DIR"
)


@dataclass(frozen=True, kw_only=True)
class ObjectiveContext:
    """The model, the tokenizer and the rows that an objective is to work with.

    Attributes:
        special: Special tokens of the manifest's tokenizer.
        family: Family of the model.
        vocab_size: Number of the model's token ids.
        seq_len: Number of tokens of a row.
        layout: How the rows were cut from documents; None where that is not known.
        columns: Optional columns of the rows.
        max_positions: Positions of the model; None where they have no end.
    """

    special: SpecialIds
    family: str
    vocab_size: int
    seq_len: int
    layout: str | None = None
    columns: Sequence[str] = ()
    max_positions: int | None = None

    @classmethod
    def of(
        cls, manifest: Manifest, *, family: str, vocab_size: int, max_positions: int | None
    ) -> ObjectiveContext:
        """The rows and the tokenizer of a manifest, for a model."""
        return cls(
            special=manifest.tokenizer.special_ids,
            family=family,
            vocab_size=vocab_size,
            seq_len=manifest.seq_len,
            layout=manifest.layout,
            columns=manifest.columns,
            max_positions=max_positions,
        )


def objective_faults(config: ObjectiveConfig, context: ObjectiveContext) -> list[str]:
    """Sentences on what the objective lacks, each with both sides of what does not fit.

    Whatever else a family lacks is not asked where it cannot train with the objective at all.
    """
    return list(family_faults(config, context.family)) or [
        *_row_faults(config, context),
        *_token_faults(config, context),
        *_length_faults(config, context),
    ]


def arrangement(wanted: str, family: str) -> str:
    """How inputs and targets reach a model of a family, a key of `ASSEMBLERS`."""
    if wanted != "family":
        return wanted
    return "encoder_decoder" if family == "t5" else "prefix_lm"


def family_faults(config: ObjectiveConfig, family: str) -> Iterator[str]:
    """Why a family of models cannot train with an objective; of one's own nothing is known."""
    if isinstance(config, PluginConfig):
        return
    masked = ("masked", "unilm", "classify")
    if (family == "bert") != (config.name in masked):
        fit = (
            "'masked', 'unilm' or 'classify'" if family == "bert" else "'causal' or a denoising one"
        )
        yield (f"objective.name: '{config.name}' does not train a {family}; expected {fit}")
    if family == "t5" and config.name == "causal":
        yield (
            "objective.name: 'causal' does not train a t5; expected 'span_corruption' or another "
            "that has inputs and targets"
        )
    chosen = getattr(config, "arrangement", "family")
    if family == "t5" and chosen != "family":
        yield (f"objective.arrangement: '{chosen}' is for decoders; a t5 has 'family' alone")


def _row_faults(config: ObjectiveConfig, context: ObjectiveContext) -> Iterator[str]:
    """Optional columns that the rows lack, and layouts that they should not have."""
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
        if column not in context.columns:
            present = ", ".join(context.columns) or "no optional column"
            yield (
                f"objective: '{what}' needs the column {column}; the manifest (layout "
                f"{context.layout}) has {present}; {hint}"
            )
    if context.layout == "next_sentence" and pairs != "next_sentence":
        yield (
            f"objective: '{config.name}' cannot use rows of sentence pairs (layout "
            "next_sentence); set objective.pairs: next_sentence, or pack with another layout"
        )
    reads_pairs = TextToTextConfig | ClassifyConfig | PluginConfig
    if context.layout == "pairs" and not isinstance(config, reads_pairs):
        yield (
            f"objective: '{config.name}' cannot use supervised rows (layout pairs); "
            "set objective.name: text_to_text, or classify for a bert"
        )


def _token_faults(config: ObjectiveConfig, context: ObjectiveContext) -> Iterator[str]:
    special = context.special
    if isinstance(config, MaskedConfig | UnilmConfig) and special.mask is None:
        yield (f"objective: '{config.name}' needs a [MASK] token, the tokenizer has none; {EXTEND}")
    pairs = config.pairs if isinstance(config, MaskedConfig) else None
    if pairs is not None or isinstance(config, ClassifyConfig):
        missing = [name for name in ("cls", "sep") if getattr(special, name) is None]
        if missing:
            yield (
                f"objective: {config.name} needs [CLS] and [SEP], the tokenizer has no {missing[0]}; "
                f"{EXTEND}"
            )
    hidden = special.mask is not None or bool(special.sentinels)
    if config.augment is not None and config.augment.token_dropout is not None and not hidden:
        yield f"objective.augment.token_dropout needs a [MASK] token or a sentinel; {EXTEND}"
    needed = _sentinels_needed(config, context.seq_len)
    if needed > len(special.sentinels):
        yield (
            f"objective: {config.name} over rows of {context.seq_len} tokens may need {needed} "
            f"sentinels, the tokenizer has {len(special.sentinels)}; use longer spans, shorten "
            f"the rows, or make a tokenizer with `refinery vocabulary train FILES --out DIR "
            f"--sentinels {needed}` (recipe.vocabulary.sentinels)"
        )


def _sentinels_needed(config: ObjectiveConfig, seq_len: int) -> int:
    """Number of sentinels that rows of `seq_len` tokens need."""
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
        case DenoiserMixtureConfig():
            spans = [
                lengths_from_raw(
                    seq_len, noise_density=one.density, mean_span_tokens=one.mean_span_tokens
                ).spans
                for one in config.denoisers
                if one.mean_span_tokens is not None
            ]
            return max([1, *spans]) + (3 if config.mode_sentinels else 0)
        case _:
            return 0


def _length_faults(config: ObjectiveConfig, context: ObjectiveContext) -> Iterator[str]:
    if isinstance(config, SpanCorruptionConfig) and config.input_tokens is not None:
        yield from _input_faults(config, config.input_tokens, context.seq_len)
    lengths = lengths_of(config, seq_len=context.seq_len, family=context.family)
    if context.max_positions is not None and lengths.read > context.max_positions:
        yield (
            f"objective: '{config.name}' makes {lengths.read} tokens of rows of {context.seq_len}, "
            f"the model has {context.max_positions} positions; set model.max_positions: "
            f"{lengths.read}, or pack shorter rows (recipe.packing.seq_len)"
        )


def lengths_of(config: ObjectiveConfig, *, seq_len: int, family: str) -> ObjectiveLengths:
    """The most tokens that a model of a family reads and predicts of rows of `seq_len` tokens."""
    form = arrangement(getattr(config, "arrangement", "family"), family)
    return objective_lengths(config, seq_len=seq_len, arrangement=form)


def _input_faults(config: SpanCorruptionConfig, wanted: int, seq_len: int) -> Iterator[str]:
    fields = {
        "noise_density": config.noise_density,
        "mean_span_tokens": config.mean_span_tokens,
    }
    fit = lengths_for_inputs(wanted, **fields)
    if fit.raw != seq_len:
        actual = lengths_from_raw(seq_len, **fields)
        yield (
            f"objective.input_tokens: {wanted} inputs and {fit.targets} targets come from rows of "
            f"{fit.raw} tokens; the manifest has rows of {seq_len}, which give {actual.inputs} and "
            f"{actual.targets}; pack with recipe.packing.seq_len: {fit.raw}, or set "
            f"objective.input_tokens: {actual.inputs}"
        )
