"""How a model reads prompts and choices: decided by its family and by what it was trained to do."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from schemas.errors import SettingsError
from train.evaluation.families import Codes, DecoderRows, EncoderDecoderRows, EncoderRows
from train.evaluation.items import Reading
from train.evaluation.scoring import Family, RowScorer
from train.model.transformer import Model
from train.objectives.config import (
    DenoiserMixtureConfig,
    DenoisingConfig,
    ObjectiveConfig,
    SpanCorruptionConfig,
    TextToTextConfig,
)

SENTINELS = ("<extra_id_0>", "<extra_id_1>")
_TRAINED_ON_SPANS = (SpanCorruptionConfig, DenoisingConfig, DenoiserMixtureConfig)


@dataclass(frozen=True, kw_only=True)
class TextMarks:
    """The marks around texts of a model.

    Attributes:
        pad: Fills rows.
        start: A decoder over an encoder begins with it.
        end: Ends a text.
        before: Stand before every text, for the tokenizer puts them there.
        first: Stands for an empty context; None: `end` does.
    """

    pad: int
    start: int
    end: int | None
    before: tuple[int, ...] = ()
    first: int | None = None


def make_scorer(
    model: Model,
    tokenizer: Any,
    marks: TextMarks,
    *,
    objective: ObjectiveConfig | None,
    max_tokens: int,
    reading: Reading = "auto",
) -> RowScorer:
    """The scorer of a model.

    Args:
        model: Gives hidden states and logits.
        tokenizer: A fast tokenizer of transformers.
        marks: The marks around its texts.
        objective: What it was trained with; None for published weights, of which that is not known.
        max_tokens: Tokens that the model reads: its positions, of those that training reached.
        reading: What the user asks for; auto: what fits family and objective.

    Raises:
        SettingsError: The model cannot be read so; the message says how it can.
    """
    make = {"t5": _encoder_decoder, "bert": _encoder}.get(model.config.family, _decoder)
    asked = _Asked(Codes(tokenizer), tokenizer, marks, objective, max_tokens, reading)
    device = next(iter(model.parameters())).device
    return RowScorer(model=model, family=make(asked), pad=marks.pad, device=device)


@dataclass(frozen=True)
class _Asked:
    encode: Codes
    tokenizer: Any
    marks: TextMarks
    objective: ObjectiveConfig | None
    max_tokens: int
    reading: Reading

    def one_of(self, readings: tuple[Reading, ...], family: str) -> None:
        if self.reading not in ("auto", *readings):
            expected = " or ".join(f"--read {one}" for one in readings)
            raise SettingsError(f"--read {self.reading}: not for {family}; expected {expected}")

    def token(self, name: str) -> int:
        """The id of a special token that the reading needs."""
        value = getattr(self.tokenizer, f"{name}_token_id", None)
        if value is None:
            raise SettingsError(f"--read {self.reading}: the tokenizer has no {name} token")
        return int(value)


def _decoder(asked: _Asked) -> Family:
    asked.one_of(("likelihood",), "a decoder")
    objective, marks = asked.objective, asked.marks
    is_supervised = isinstance(objective, TextToTextConfig)
    is_prefix = isinstance(objective, DenoisingConfig) and objective.grid == "prefix_lm"
    arrangement = getattr(objective, "arrangement", "language_model")
    return DecoderRows(
        encode=asked.encode,
        max_tokens=asked.max_tokens,
        before=marks.before,
        mark=marks.end if marks.first is None else marks.first,
        end=marks.end if is_supervised else None,
        sees_prompt=(is_supervised or is_prefix) and arrangement != "language_model",
    )


def _encoder_decoder(asked: _Asked) -> Family:
    asked.one_of(("likelihood", "span", "sentinel"), "an encoder-decoder")
    objective, marks = asked.objective, asked.marks
    end = marks.end
    if end is None:
        raise SettingsError("tasks: no end mark is known that an encoder's input ends with")
    build = partial(
        EncoderDecoderRows,
        encode=asked.encode,
        max_tokens=asked.max_tokens,
        start=marks.start,
        end=end,
    )
    reads_prefix = isinstance(objective, DenoisingConfig) and objective.grid == "prefix_lm"
    on_spans = isinstance(objective, _TRAINED_ON_SPANS) and not reads_prefix
    if asked.reading in ("span", "sentinel") or (asked.reading == "auto" and on_spans):
        known = asked.tokenizer.get_vocab()
        found = tuple(known[name] for name in SENTINELS if name in known)
        needed = 2 if asked.reading == "sentinel" else 1
        if len(found) < needed:
            raise SettingsError(
                f"--read {asked.reading}: the tokenizer has no {SENTINELS[len(found)]}"
            )
        return build(sentinels=found, shares_ends=asked.reading == "sentinel")
    if on_spans:
        assert objective is not None
        raise SettingsError(
            f"--read likelihood: this t5 was trained on spans (objective {objective.name}) and has "
            "not learnt to answer a prompt; fine-tune it with objective text_to_text, or give "
            f"--read span to score each candidate as the span behind {SENTINELS[0]}"
        )
    return build()


def _encoder(asked: _Asked) -> Family:
    if asked.reading == "likelihood":
        raise SettingsError(
            "--read likelihood: a bert predicts masked tokens, so a choice has no likelihood; give "
            "--read pll_word_l2r or pseudo, or fine-tune it with objective classify"
        )
    asked.one_of(("pseudo", "pll_word_l2r"), "a bert")
    return EncoderRows(
        encode=asked.encode,
        max_tokens=asked.max_tokens,
        cls=asked.token("cls"),
        sep=asked.token("sep"),
        mask=asked.token("mask"),
        hides_word=asked.reading != "pseudo",
    )
