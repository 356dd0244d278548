"""Zero- and few-shot multiple choice on a local JSONL file, by likelihood of each choice.

One record per line: `{"question": str, "choices": [str, ...], "answer": int}`; `answer` may also be
the choice's letter or text. The prompt is the question; a choice follows after one space. A choice
is scored by its log-likelihood, by that divided by its UTF-8 bytes, and by that divided by its
tokens (`acc`, `acc_norm` and per-token, as in lm-evaluation-harness).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from schemas.errors import ContractError
from train.data.packed import PackedRows

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Encoder(Protocol):
    """The part of a tokenizer that scoring needs."""

    def __call__(self, text: str) -> list[int]:
        """Ids of a text, without special tokens."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """A question of a task, with its choices."""

    question: str
    choices: tuple[str, ...]
    answer: int

    def prompt(self) -> str:
        """The text before the choice."""
        return self.question.rstrip()


@dataclass(frozen=True, kw_only=True)
class TaskResult:
    """Accuracies of a task; `chance` is that of guessing."""

    name: str
    items: int
    shots: int
    accuracy: float
    accuracy_per_byte: float
    accuracy_per_token: float
    chance: float
    standard_error: float

    def as_dict(self) -> dict[str, Any]:
        return dict(self.__dict__)


@dataclass(frozen=True, kw_only=True)
class Scorer:
    """Log-likelihoods by a causal model through its objective.

    Each row is a source of its own, so one forward pass gives the sums of all rows; what a choice
    adds to the prompt is the difference of two rows.
    """

    model: nn.Module
    make_batch: Callable[[PackedRows], Any]
    encode: Encoder
    seq_len: int
    pad: int
    bos: int
    rows_per_batch: int = 8
    _memo: dict[tuple[int, ...], float] = field(default_factory=dict)

    def score(self, prompt: str, choice: str) -> tuple[float, int]:
        """Log-likelihood of ` choice` after the prompt, and its number of tokens."""
        return self.score_all([(prompt, choice)])[0]

    def score_all(self, pairs: Sequence[tuple[str, str]]) -> list[tuple[float, int]]:
        """Score many pairs in batches of equal work; long prompts lose their beginning."""
        cuts = [self._cut(prompt, choice) for prompt, choice in pairs]
        wanted = sorted({ids for pair in cuts for ids in pair if ids not in self._memo}, key=len)
        for start in range(0, len(wanted), self.rows_per_batch):
            batch = wanted[start : start + self.rows_per_batch]
            for ids, loss in zip(batch, self._losses(batch), strict=True):
                self._memo[ids] = loss
        return [
            (self._memo[context] - self._memo[whole], len(whole) - len(context))
            for context, whole in cuts
        ]

    def _cut(self, prompt: str, choice: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
        context = self.encode(prompt)
        whole = self.encode(f"{prompt} {choice}")
        length = max(1, len(whole) - len(context))  # tokens that merge over the border count here
        kept = [self.bos, *whole[-(self.seq_len - 1) :]]
        return tuple(kept[:-length]), tuple(kept)

    @torch.no_grad()
    def _losses(self, rows: Sequence[tuple[int, ...]]) -> list[float]:
        count, width = len(rows), max(2, *(len(row) for row in rows))
        ids = np.full((count, width), self.pad, np.int32)
        for number, row in enumerate(rows):
            ids[number, : len(row)] = row
        packed = PackedRows(
            input_ids=ids,
            next_token=np.full(count, -1, np.int32),
            sample_index=np.arange(count, dtype=np.int64),
            segment_row=np.arange(count, dtype=np.int32),
            segment_start=np.zeros(count, np.int32),
            segment_length=np.array([len(row) for row in rows], np.int32),
            segment_source=np.arange(count, dtype=np.int32),
            sources=tuple(str(number) for number in range(count)),
        )
        sums = self.model(self.make_batch(packed))
        losses: list[float] = sums.loss_by_source.tolist()
        return losses


def read_task(path: Path) -> list[Question]:
    """Read a task file.

    Raises:
        ContractError: A line is no such record; it names file, line and what is missing.
    """
    questions = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if line.strip():
            questions.append(_question(line, f"{path}:{number}"))
    if not questions:
        raise ContractError(f"{path}: holds no question")
    return questions


def _question(line: str, where: str) -> Question:
    try:
        record = json.loads(line)
        choices = tuple(str(choice) for choice in record["choices"])
        answer = record["answer"]
        question = str(record["question"])
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ContractError(
            f"{where}: expected {{question, choices, answer}}, found {line[:60]!r} ({error})"
        ) from error
    if isinstance(answer, str):
        by_letter = _LETTERS.find(answer.upper()) if len(answer) == 1 else -1
        answer = choices.index(answer) if answer in choices else by_letter
    if not isinstance(answer, int) or not 0 <= answer < len(choices):
        raise ContractError(
            f"{where}: answer {record['answer']!r} is none of {len(choices)} choices"
        )
    return Question(question=question, choices=choices, answer=answer)


def evaluate_task(
    name: str, questions: Sequence[Question], scorer: Scorer, *, shots: int = 0
) -> TaskResult:
    """Accuracy over the questions; the first `shots` of them are the examples of every prompt."""
    examples = "".join(f"{q.prompt()} {q.choices[q.answer]}\n\n" for q in questions[:shots])
    asked = questions[shots:]
    pairs = [(examples + q.prompt(), choice) for q in asked for choice in q.choices]
    scores = iter(scorer.score_all(pairs))
    hits = np.zeros((len(asked), 3))
    for number, question in enumerate(asked):
        pairs_of_question = [next(scores) for _ in question.choices]
        sums = np.array([score for score, _ in pairs_of_question])
        tokens = np.array([max(count, 1) for _, count in pairs_of_question])
        size = np.array([max(len(choice.encode()), 1) for choice in question.choices])
        best = [sums.argmax(), (sums / size).argmax(), (sums / tokens).argmax()]
        hits[number] = [choice == question.answer for choice in best]
    accuracy, per_byte, per_token = hits.mean(axis=0).tolist()
    return TaskResult(
        name=name,
        items=len(asked),
        shots=shots,
        accuracy=accuracy,
        accuracy_per_byte=per_byte,
        accuracy_per_token=per_token,
        chance=float(np.mean([1 / len(q.choices) for q in asked])),
        standard_error=float(np.sqrt(accuracy * (1 - accuracy) / max(len(asked), 1))),
    )
