"""Zero- and few-shot multiple choice on a local JSONL file, by likelihood of each choice.

One record per line: `{"question": str, "choices": [str, ...], "answer": int}`; `answer` may also be
the choice's letter or text. The prompt is the question; a choice follows after a space, which scripts
without spaces do not have. A choice is scored by its log-likelihood, by that divided by its UTF-8
bytes, and by that divided by its tokens (`acc`, `acc_norm` and per-token, as in
lm-evaluation-harness).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from schemas.errors import ContractError, SettingsError
from train.evaluation.borders import joint_text
from train.evaluation.scoring import Choices, ChoiceScores, Scorer

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
# Scores of equal texts differ by rounding, for rows of other lengths stand beside them.
_TIE = 1e-6


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
    """Accuracies of a task.

    Attributes:
        chance: Accuracy of guessing.
        form: How prompts and choices were read.
        prompts_cut: Number of prompts that lost their beginning, for they did not fit.
    """

    name: str
    items: int
    shots: int
    accuracy: float
    accuracy_per_byte: float
    accuracy_per_token: float
    chance: float
    standard_error: float
    form: str
    prompts_cut: int

    def as_dict(self) -> dict[str, Any]:
        return dict(self.__dict__)


def read_task(path: Path) -> list[Question]:
    """Read a task file.

    Raises:
        ContractError: A line is no such record; it names file, line and what is missing.
    """
    questions = []
    # Not splitlines: a JSON string may hold U+2028, at which that divides too.
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), start=1):
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
    # `true` is no number of a choice: which of "yes" and "no" comes first is not known.
    if not isinstance(answer, int) or isinstance(answer, bool) or not 0 <= answer < len(choices):
        raise ContractError(
            f"{where}: answer {record['answer']!r} is none of {len(choices)} choices"
        )
    return Question(question=question, choices=choices, answer=answer)


def evaluate_task(
    name: str,
    questions: Sequence[Question],
    scorer: Scorer,
    *,
    examples: Sequence[Question] = (),
    shots: int = 0,
) -> TaskResult:
    """Accuracy over all questions; choices of equal scores share what the right one of them earns.

    Args:
        name: Name of the task.
        questions: What is asked.
        scorer: Scores the choices.
        examples: Questions whose answers may stand before a prompt; a question is no example of itself.
        shots: Examples of every prompt: the first ones.

    Raises:
        SettingsError: There are not so many examples for every question.
    """
    asked = [
        Choices(
            prompt=_shown(examples, question, shots, name) + question.prompt(),
            choices=question.choices,
            where=f"{name}: {question.question[:40]!r}",
        )
        for question in questions
    ]
    scored = scorer.score_all(asked)
    earned = np.array(
        [_earned(question, one) for question, one in zip(questions, scored, strict=True)]
    )
    accuracy, per_byte, per_token = earned.mean(axis=0).tolist()
    return TaskResult(
        name=name,
        items=len(questions),
        shots=shots,
        accuracy=accuracy,
        accuracy_per_byte=per_byte,
        accuracy_per_token=per_token,
        chance=float(np.mean([1 / len(q.choices) for q in questions])),
        standard_error=float(earned[:, 0].std() / np.sqrt(len(questions))),
        form=scorer.form,
        prompts_cut=sum(one.cut_tokens > 0 for one in scored),
    )


def _shown(examples: Sequence[Question], asked: Question, shots: int, name: str) -> str:
    """The examples before a prompt, as text."""
    others = [example for example in examples if example.question != asked.question]
    if len(others) < shots:
        raise SettingsError(
            f"--shots {shots}: task {name} has {len(others)} examples that are not the question "
            f"itself; give at most {len(others)}, or more of them with --examples"
        )
    return "".join(
        joint_text(example.prompt(), example.choices[example.answer]) + "\n\n"
        for example in others[:shots]
    )


def _earned(question: Question, scores: ChoiceScores) -> list[float]:
    """What a question earns by sum, per byte and per token: 1 over the number of best choices."""
    sums = np.array(scores.log_likelihoods)
    size = np.array([max(len(choice.encode()), 1) for choice in question.choices])
    values = (sums, sums / size, sums / np.array(scores.tokens))
    best = [np.isclose(value, value.max(), rtol=_TIE, atol=_TIE) for value in values]
    return [float(is_best[question.answer] / is_best.sum()) for is_best in best]
