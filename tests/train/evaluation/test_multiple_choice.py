"""Multiple choice: what a question earns, and how tasks are read."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from schemas.errors import ContractError, SettingsError
from train.evaluation.multiple_choice import Question, evaluate_task, read_task
from train.evaluation.scoring import Choices, ChoiceScores

# Nats of a letter, whatever stands before it.
NATS = {"a": 1.0, "b": 2.0, "c": 4.0, "是": 6.0}


@dataclass
class Letters:
    """A choice costs the sum over its letters, each of which is a token."""

    form: str = "letter by letter"
    prompts: list[str] = field(default_factory=list)

    def score_all(self, asked: Sequence[Choices]) -> list[ChoiceScores]:
        self.prompts += [one.prompt for one in asked]
        return [
            ChoiceScores(
                log_likelihoods=tuple(-sum(NATS[c] for c in choice) for choice in one.choices),
                tokens=tuple(len(choice) for choice in one.choices),
                cut_tokens=max(0, len(one.prompt) - 6),
            )
            for one in asked
        ]


QUESTIONS = [
    Question(question="q ", choices=("a", "b"), answer=0),
    Question(
        question="r", choices=("aaaaa", "bb"), answer=0
    ),  # 5 nats: longer, each letter cheaper
    Question(question="s", choices=("b", "c", "a"), answer=1),
]


def test_accuracies_are_by_sum_by_byte_and_by_token() -> None:
    result = evaluate_task("letters", QUESTIONS, Letters())

    assert result.accuracy == pytest.approx(1 / 3)
    assert result.accuracy_per_byte == pytest.approx(2 / 3)
    assert result.accuracy_per_token == pytest.approx(2 / 3)
    assert result.chance == pytest.approx((1 / 2 + 1 / 2 + 1 / 3) / 3)
    assert result.standard_error == pytest.approx(math.sqrt(1 / 3 * 2 / 3 / 3))
    assert result.as_dict()["items"] == 3
    assert result.form == "letter by letter"


def test_bytes_are_those_of_utf_8() -> None:
    """Six nats for three bytes: as cheap as b per byte, dearer per token."""
    question = Question(question="q", choices=("是", "b"), answer=0)

    result = evaluate_task("letters", [question], Letters())

    assert (result.accuracy_per_byte, result.accuracy_per_token) == (0.5, 0.0)


def test_a_tie_earns_what_guessing_among_the_best_would() -> None:
    tied = [
        Question(question="q", choices=("a", "a", "b"), answer=0),
        Question(question="q", choices=("b", "a", "a"), answer=0),
        Question(question="q", choices=("b", "b", "b", "b"), answer=3),
    ]

    result = evaluate_task("ties", tied, Letters())

    assert result.accuracy == pytest.approx((1 / 2 + 0 + 1 / 4) / 3)


def test_examples_stand_before_every_prompt_and_all_questions_are_asked() -> None:
    examples = [
        Question(question="x", choices=("a", "b"), answer=1),
        Question(question="问：答：", choices=("是", "b"), answer=0),
        Question(question="z", choices=("a",), answer=0),
    ]
    scorer = Letters()

    result = evaluate_task("letters", QUESTIONS, scorer, examples=examples, shots=2)

    assert (result.items, result.shots) == (3, 2)
    shown = "x b\n\n问：答：是\n\n"
    assert scorer.prompts == [f"{shown}q", f"{shown}r", f"{shown}s"]
    assert result.prompts_cut == 3


def test_a_question_is_no_example_of_itself() -> None:
    scorer = Letters()

    evaluate_task("letters", QUESTIONS, scorer, examples=QUESTIONS, shots=1)

    assert scorer.prompts == ["r aaaaa\n\nq", "q a\n\nr", "q a\n\ns"]


def test_more_shots_than_examples_name_both_numbers() -> None:
    with pytest.raises(SettingsError, match=r"--shots 3: task letters has 2 examples"):
        evaluate_task("letters", QUESTIONS, Letters(), examples=QUESTIONS, shots=3)


def test_a_line_separator_inside_of_a_text_ends_no_record(tmp_path: Path) -> None:
    path = tmp_path / "task.jsonl"
    line = json.dumps({"question": "q r", "choices": ["x"], "answer": 0}, ensure_ascii=False)
    path.write_text(line + "\n", encoding="utf-8")

    assert read_task(path)[0].question == "q r"


def test_answers_are_numbers_letters_or_texts(tmp_path: Path) -> None:
    path = tmp_path / "task.jsonl"
    records = [
        {"question": "1", "choices": ["x", "y"], "answer": 1},
        {"question": "2", "choices": ["x", "y"], "answer": "b"},
        {"question": "3", "choices": [7, 8], "answer": "8"},
    ]
    path.write_text("\n\n".join(json.dumps(one) for one in records))

    questions = read_task(path)

    assert [question.answer for question in questions] == [1, 1, 1]
    assert questions[2].choices == ("7", "8")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "task.jsonl:1: expected {question, choices, answer}"),
        ('{"question": "q", "choices": ["x"]}', "task.jsonl:1: expected"),
        ('{"question": "q", "choices": ["x"], "answer": 1}', "answer 1 is none of 1 choices"),
        ('{"question": "q", "choices": ["x"], "answer": "z"}', "answer 'z' is none of 1 choices"),
        ('{"question": "q", "choices": ["no", "yes"], "answer": true}', "answer True is none of 2"),
        ("\n", "holds no question"),
    ],
)
def test_a_line_that_is_no_question_is_named(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "task.jsonl"
    path.write_text(line)

    with pytest.raises(ContractError, match=message):
        read_task(path)
