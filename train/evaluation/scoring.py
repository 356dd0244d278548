"""Log-likelihoods of choices after a prompt, by what a family of models is.

The objective that a model was trained with never makes the rows: it would mask or corrupt them.

- A decoder reads prompt and choice from left to right, in the form of training: no mark before the
  prompt, unless its tokenizer puts one there. Where its training let inputs see each other (prefix
  language model), the tokens of the prompt do.
- An encoder-decoder reads the prompt and an end mark; the choice is the decoder's target. One that
  was trained on spans behind sentinels has not learnt to answer without one: on request each choice
  is read as the span behind the first sentinel.
- A BERT predicts no text from left to right. On request each token of a choice is masked in turn
  (pseudo-log-likelihood, Salazar et al. 2020): not a likelihood, but comparable among choices.

Shapes: B rows, T tokens, U target tokens.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor, nn

from schemas.errors import ContractError, PipelineError
from train.batch.batch import NO_LABEL, Batch
from train.evaluation.borders import cut_at_border, joint_text

Encode = Callable[[str], list[int]]
Reading = Literal["likelihood", "span", "pseudo"]
READINGS: tuple[Reading, ...] = ("likelihood", "span", "pseudo")


@dataclass(frozen=True, kw_only=True)
class Choices:
    """A prompt and the texts that may follow it."""

    prompt: str
    choices: tuple[str, ...]
    where: str = ""


@dataclass(frozen=True, kw_only=True)
class ChoiceScores:
    """Scores of the choices after one prompt.

    Attributes:
        log_likelihoods: In nats, in the order of the choices.
        tokens: Numbers of tokens that were scored.
        cut_tokens: Tokens at the prompt's beginning that did not fit.
    """

    log_likelihoods: tuple[float, ...]
    tokens: tuple[int, ...]
    cut_tokens: int


class Scorer(Protocol):
    """What a task is measured with: a model, and how it reads."""

    @property
    def form(self) -> str:
        """How prompts and choices are read."""

    def score_all(self, asked: Sequence[Choices]) -> list[ChoiceScores]:
        """Scores of the choices of each prompt."""


@dataclass(frozen=True, kw_only=True)
class ScoredRow:
    """What one row of a batch reads and predicts.

    Attributes:
        read: Ids that the model reads.
        labels: For each id that is read (by the decoder, where there are `written`) the id to
            predict, or NO_LABEL.
        written: Ids that a decoder over an encoder reads; None in other families.
        visible: Number of ids at the beginning that all others see.
        owner: Index of the choice that the row's loss belongs to.
    """

    read: Sequence[int]
    labels: Sequence[int]
    owner: int
    written: Sequence[int] | None = None
    visible: int = 0


class MakesRows(Protocol):
    """Turns a context and a target into the rows that score the target."""

    @property
    def form(self) -> str:
        """How prompts and choices are read."""

    def room(self, targets: Sequence[Sequence[int]]) -> int:
        """Tokens of a context that fit beside each target; below one where a target is too long."""

    def split(self, asked: Choices) -> tuple[list[int], list[list[int]]]:
        """Ids of the context, and of the target of each choice."""

    def rows(self, context: Sequence[int], target: Sequence[int], owner: int) -> list[ScoredRow]:
        """The rows of one choice."""


@dataclass(frozen=True, kw_only=True)
class RowScorer:
    """Scores rows that a family makes, rows of like length together."""

    model: nn.Module
    family: MakesRows
    pad: int
    device: torch.device
    rows_per_batch: int = 8

    @property
    def form(self) -> str:
        """How prompts and choices are read."""
        return self.family.form

    def score_all(self, asked: Sequence[Choices]) -> list[ChoiceScores]:
        """Scores of the choices of each prompt; long prompts lose their beginning.

        Raises:
            ContractError: A choice leaves no room for any prompt.
            PipelineError: A score is not a number.
        """
        rows: list[ScoredRow] = []
        made: list[tuple[list[int], int]] = []
        owner = 0
        for question in asked:
            context, targets = self.family.split(question)
            room = self.family.room(targets)
            if room < 1:
                raise ContractError(_too_long(question, targets))
            kept = context[max(0, len(context) - room) :]
            for target in targets:
                rows += self.family.rows(kept, target, owner)
                owner += 1
            made.append(([len(target) for target in targets], len(context) - len(kept)))
        scores = iter(self._scores(rows, owner))
        return [
            ChoiceScores(
                log_likelihoods=tuple(next(scores) for _ in lengths),
                tokens=tuple(lengths),
                cut_tokens=cut,
            )
            for lengths, cut in made
        ]

    @torch.no_grad()
    def _scores(self, rows: Sequence[ScoredRow], count: int) -> list[float]:
        self.model.eval()
        totals = torch.zeros(count, dtype=torch.float64)
        order = sorted(rows, key=lambda row: (len(row.read), len(row.labels)))
        for start in range(0, len(order), self.rows_per_batch):
            part = order[start : start + self.rows_per_batch]
            sums = self.model(_batch(part, self.pad).to(self.device))
            owners = torch.tensor([row.owner for row in part])
            totals.index_add_(0, owners, -sums.loss_by_segment.double().cpu())
        scores: list[float] = totals.tolist()
        wrong = sum(not math.isfinite(score) for score in scores)
        if wrong:
            raise PipelineError(f"{wrong} of {count} log-likelihoods are not finite")
        return scores


def _too_long(question: Choices, targets: Sequence[Sequence[int]]) -> str:
    lengths = [len(target) for target in targets]
    text = question.choices[lengths.index(max(lengths))]
    return (
        f"{question.where}: the choice {text[:40]!r} has {max(lengths):,} tokens, more than the model "
        "reads beside one of the prompt; shorten it, or take a model with more positions"
    )


def _batch(rows: Sequence[ScoredRow], pad: int) -> Batch:
    ids, real = _padded([row.read for row in rows], pad)
    labels, labelled = _padded([row.labels for row in rows], NO_LABEL)
    segment = torch.where(labelled, torch.arange(len(rows))[:, None], -1)
    decoder_ids = visible = None
    if rows[0].written is not None:
        decoder_ids, _ = _padded([row.written or () for row in rows], pad)
    if any(row.visible for row in rows):
        counts = torch.tensor([row.visible for row in rows])
        visible = torch.arange(ids.shape[1]) < counts[:, None]
    return Batch(
        input_ids=ids,
        labels=labels,
        document=real.long(),
        positions=torch.arange(ids.shape[1]).expand_as(ids),
        segment=segment,
        segment_source=torch.zeros(len(rows), dtype=torch.int64),
        num_sources=1,
        is_whole=bool(real.all()) and visible is None,
        decoder_ids=decoder_ids,
        visible=visible,
    )


def _padded(rows: Sequence[Sequence[int]], filler: int) -> tuple[Tensor, Tensor]:
    width = max(len(row) for row in rows)
    values = torch.tensor([[*row, *[filler] * (width - len(row))] for row in rows])
    real = torch.arange(width) < torch.tensor([len(row) for row in rows])[:, None]
    return values, real


@dataclass(frozen=True, kw_only=True)
class DecoderRows:
    """A decoder reads prompt and choice one behind the other.

    Attributes:
        before: Ids that stand before every prompt: those that the tokenizer puts there.
        mark: Id that an empty prompt begins with; None where nothing is known to stand first.
        end: Id that ends a prompt, for a model of supervised pairs: prompt and choice are then texts of
            their own.
        sees_prompt: Whether tokens of the prompt see each other, as in a prefix language model.
    """

    encode: Encode
    max_tokens: int
    before: tuple[int, ...] = ()
    mark: int | None = None
    end: int | None = None
    sees_prompt: bool = False

    @property
    def form(self) -> str:
        """How prompts and choices are read."""
        whole = "the whole prompt seen" if self.sees_prompt else "from left to right"
        return f"choices behind the prompt, {whole}"

    def room(self, targets: Sequence[Sequence[int]]) -> int:
        """The last token of a choice is predicted, not read."""
        marks = len(self.before) + (self.end is not None)
        return self.max_tokens + 1 - marks - max(len(target) for target in targets)

    def split(self, asked: Choices) -> tuple[list[int], list[list[int]]]:
        """Ids of the prompt, and of what each choice adds to it."""
        if self.end is not None:
            return self.encode(asked.prompt), [self.encode(choice) for choice in asked.choices]
        whole = [self.encode(joint_text(asked.prompt, choice)) for choice in asked.choices]
        context, targets = cut_at_border(self.encode(asked.prompt), whole)
        if not context and not self.before:
            if self.mark is None:
                raise ContractError(
                    f"{asked.where}: an empty prompt, and the model has no mark to begin with"
                )
            context = [self.mark]
        return context, targets

    def rows(self, context: Sequence[int], target: Sequence[int], owner: int) -> list[ScoredRow]:
        """One row, with labels at the choice alone."""
        end = [] if self.end is None else [self.end]
        read = [*self.before, *context, *end, *target]
        known = len(read) - len(target)
        labels = [NO_LABEL] * (known - 1) + list(target)
        visible = known if self.sees_prompt else 0
        return [ScoredRow(read=read[:-1], labels=labels, owner=owner, visible=visible)]


@dataclass(frozen=True, kw_only=True)
class EncoderDecoderRows:
    """An encoder reads the prompt, and a decoder writes the choice.

    Attributes:
        start: Id that the decoder begins with.
        end: Id that ends the encoder's input.
        sentinel: Id that stands for the choice behind the prompt, and before it in the target; None
            for a model that answers.
    """

    encode: Encode
    max_tokens: int
    start: int
    end: int
    sentinel: int | None = None

    @property
    def form(self) -> str:
        """How prompts and choices are read."""
        if self.sentinel is None:
            return "prompts read by the encoder, choices written by the decoder"
        return "choices as the span behind the first sentinel, at the end of the prompt"

    def room(self, targets: Sequence[Sequence[int]]) -> int:
        """Each side has its own bound."""
        marks = 1 + (self.sentinel is not None)
        longest = max(len(target) for target in targets)
        return 0 if longest + marks - 1 > self.max_tokens else self.max_tokens - marks

    def split(self, asked: Choices) -> tuple[list[int], list[list[int]]]:
        """Ids of the prompt and of the choices, which are texts of their own."""
        return self.encode(asked.prompt), [self.encode(choice) for choice in asked.choices]

    def rows(self, context: Sequence[int], target: Sequence[int], owner: int) -> list[ScoredRow]:
        """One row, with labels at the choice alone: neither sentinel nor end mark is scored."""
        blank = [] if self.sentinel is None else [self.sentinel]
        read = [*context, *blank, self.end]
        written = [self.start, *blank, *target]
        labels = [NO_LABEL] * len(blank) + list(target)
        return [ScoredRow(read=read, labels=labels, owner=owner, written=written[:-1])]


@dataclass(frozen=True, kw_only=True)
class EncoderRows:
    """A BERT reads prompt and choice with one token of the choice masked in each row."""

    encode: Encode
    max_tokens: int
    cls: int
    sep: int
    mask: int

    @property
    def form(self) -> str:
        """How prompts and choices are read."""
        return "pseudo-log-likelihood: each token of a choice masked in turn"

    def room(self, targets: Sequence[Sequence[int]]) -> int:
        """[CLS] and [SEP] take two."""
        return self.max_tokens - 2 - max(len(target) for target in targets)

    def split(self, asked: Choices) -> tuple[list[int], list[list[int]]]:
        """Ids of the prompt, and of what each choice adds to it."""
        whole = [self.encode(joint_text(asked.prompt, choice)) for choice in asked.choices]
        return cut_at_border(self.encode(asked.prompt), whole)

    def rows(self, context: Sequence[int], target: Sequence[int], owner: int) -> list[ScoredRow]:
        """One row for each token of the choice."""
        whole = [self.cls, *context, *target, self.sep]
        made = []
        for index in range(1 + len(context), len(whole) - 1):
            labels = [NO_LABEL] * len(whole)
            labels[index] = whole[index]
            read = [*whole[:index], self.mask, *whole[index + 1 :]]
            made.append(ScoredRow(read=read, labels=labels, owner=owner))
        return made
