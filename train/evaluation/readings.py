"""How a model reads prompts and choices: decided by its family and by what it was trained to do."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import nn

from schemas.errors import SettingsError
from train.evaluation.scoring import (
    DecoderRows,
    Encode,
    EncoderDecoderRows,
    EncoderRows,
    MakesRows,
    Reading,
    RowScorer,
)
from train.model.config import ModelConfig
from train.objectives.config import (
    DenoiserMixtureConfig,
    DenoisingConfig,
    ObjectiveConfig,
    SpanCorruptionConfig,
    TextToTextConfig,
)

FIRST_SENTINEL = "<extra_id_0>"
_TRAINED_ON_SPANS = (SpanCorruptionConfig, DenoisingConfig, DenoiserMixtureConfig)


@dataclass(frozen=True, kw_only=True)
class TextMarks:
    """The marks around texts of a model.

    Attributes:
        pad: Fills rows.
        start: A decoder over an encoder begins with it.
        end: Ends a text.
        before: Stand before every text, for the tokenizer puts them there.
    """

    pad: int
    start: int
    end: int | None
    before: tuple[int, ...] = ()


def make_scorer(
    model: nn.Module,
    shape: ModelConfig,
    tokenizer: Any,
    marks: TextMarks,
    *,
    objective: ObjectiveConfig | None,
    max_tokens: int,
    reading: Reading = "likelihood",
) -> RowScorer:
    """The scorer of a model.

    Args:
        model: Gives sums by segment.
        shape: Its shape.
        tokenizer: A tokenizer of transformers.
        marks: The marks around its texts.
        objective: What it was trained with; None for published weights, of which that is not known.
        max_tokens: Tokens that the model reads: its positions, of those that training reached.
        reading: What the user asks for.

    Raises:
        SettingsError: The model cannot be read so; the message says how it can.
    """

    def encode(text: str) -> list[int]:
        ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    make = {"t5": _encoder_decoder, "bert": _encoder}.get(shape.family, _decoder)
    asked = _Asked(encode, tokenizer, marks, objective, max_tokens, reading)
    device = next(iter(model.parameters())).device
    return RowScorer(model=model, family=make(asked), pad=marks.pad, device=device)


@dataclass(frozen=True)
class _Asked:
    encode: Encode
    tokenizer: Any
    marks: TextMarks
    objective: ObjectiveConfig | None
    max_tokens: int
    reading: Reading

    def only(self, reading: Reading, family: str) -> None:
        if self.reading != reading:
            raise SettingsError(
                f"--read {self.reading}: not for {family}; expected --read {reading}"
            )

    def token(self, name: str) -> int:
        """The id of a special token that the reading needs."""
        value = getattr(self.tokenizer, f"{name}_token_id", None)
        if value is None:
            raise SettingsError(f"--read {self.reading}: the tokenizer has no {name} token")
        return int(value)


def _decoder(asked: _Asked) -> MakesRows:
    asked.only("likelihood", "a decoder")
    objective, marks = asked.objective, asked.marks
    is_supervised = isinstance(objective, TextToTextConfig)
    is_prefix = isinstance(objective, DenoisingConfig) and objective.grid == "prefix_lm"
    arrangement = getattr(objective, "arrangement", "language_model")
    return DecoderRows(
        encode=asked.encode,
        max_tokens=asked.max_tokens,
        before=marks.before,
        mark=marks.end,
        end=marks.end if is_supervised else None,
        sees_prompt=(is_supervised or is_prefix) and arrangement != "language_model",
    )


def _encoder_decoder(asked: _Asked) -> MakesRows:
    objective, marks = asked.objective, asked.marks
    end = marks.end
    if end is None:
        raise SettingsError(
            "multiple choice: no end mark is known that an encoder's input ends with"
        )
    build = partial(
        EncoderDecoderRows,
        encode=asked.encode,
        max_tokens=asked.max_tokens,
        start=marks.start,
        end=end,
    )
    reads_prefix = isinstance(objective, DenoisingConfig) and objective.grid == "prefix_lm"
    on_spans = isinstance(objective, _TRAINED_ON_SPANS) and not reads_prefix
    if asked.reading == "span":
        sentinel = asked.tokenizer.get_vocab().get(FIRST_SENTINEL)
        if sentinel is None:
            raise SettingsError(f"--read span: the tokenizer has no {FIRST_SENTINEL}")
        return build(sentinel=sentinel)
    asked.only("likelihood", "an encoder-decoder")
    if on_spans:
        assert objective is not None
        raise SettingsError(
            f"multiple choice: this t5 was trained on spans (objective {objective.name}) and has "
            "not learnt to answer a prompt; fine-tune it with objective text_to_text, or give "
            f"--read span to score each choice as the span behind {FIRST_SENTINEL}"
        )
    return build()


def _encoder(asked: _Asked) -> MakesRows:
    if asked.reading == "likelihood":
        raise SettingsError(
            "multiple choice: a bert predicts masked tokens, so a choice has no likelihood; give "
            "--read pseudo for pseudo-log-likelihoods, or fine-tune it with objective classify"
        )
    asked.only("pseudo", "a bert")
    return EncoderRows(
        encode=asked.encode,
        max_tokens=asked.max_tokens,
        cls=asked.token("cls"),
        sep=asked.token("sep"),
        mask=asked.token("mask"),
    )
