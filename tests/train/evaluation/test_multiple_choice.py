"""Multiple choice by likelihood, with a model whose likelihoods can be counted by hand."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from schemas.errors import ContractError
from train.data.packed import PackedRows
from train.evaluation.multiple_choice import Question, Scorer, evaluate_task, read_task

PAD, BOS = 0, 1
# Nats of a letter, whatever stands before it.
NATS = {"a": 1.0, "b": 2.0, "c": 4.0}


class Letters(nn.Module):
    """The loss of a row is the sum over its letters; the first token has no label."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[int]] = []

    def forward(self, rows: PackedRows) -> Any:
        losses = []
        for ids, length in zip(rows.input_ids.tolist(), rows.segment_length.tolist(), strict=True):
            self.rows.append(ids[:length])
            losses.append(sum(NATS.get(chr(token), 0.0) for token in ids[1:length]))
        return SimpleNamespace(loss_by_source=torch.tensor(losses))


def scorer(seq_len: int = 64, **more: Any) -> Scorer:
    return Scorer(
        model=Letters(),
        make_batch=lambda rows: rows,
        encode=lambda text: [ord(letter) for letter in text if letter != " "],
        seq_len=seq_len,
        pad=PAD,
        bos=BOS,
        **more,
    )


def test_a_choice_is_scored_by_what_it_adds_to_the_prompt() -> None:
    assert scorer().score("xc", "ab") == (-3.0, 2)
    assert scorer().score_all([("xc", "ab"), ("", "c"), ("xc", "aaaa")]) == [
        (-3.0, 2),
        (-4.0, 1),
        (-4.0, 4),
    ]


def test_a_row_is_run_once_and_rows_of_like_length_together() -> None:
    made = scorer(rows_per_batch=2)
    model = made.model
    assert isinstance(model, Letters)

    made.score_all([("xx", "a"), ("xx", "b"), ("xx", "cc")])
    made.score("xx", "a")

    lengths = [len(row) for row in model.rows]
    assert lengths == [3, 4, 4, 5]  # the common prompt once
    assert all(row[0] == BOS for row in model.rows)


def test_a_long_prompt_loses_its_beginning() -> None:
    made = scorer(seq_len=4)
    model = made.model
    assert isinstance(model, Letters)

    made.score("cccccx", "ab")

    assert model.rows == [[BOS, ord("x")], [BOS, ord("x"), ord("a"), ord("b")]]


QUESTIONS = [
    Question(question="q ", choices=("a", "b"), answer=0),
    Question(
        question="r", choices=("aaaaa", "bb"), answer=0
    ),  # 5 nats: longer, each letter cheaper
    Question(question="s", choices=("b", "c", "a"), answer=1),
]


def test_accuracies_are_by_sum_by_byte_and_by_token() -> None:
    result = evaluate_task("letters", QUESTIONS, scorer())

    assert result.accuracy == pytest.approx(1 / 3)
    assert result.accuracy_per_byte == pytest.approx(2 / 3)
    assert result.accuracy_per_token == pytest.approx(2 / 3)
    assert result.chance == pytest.approx((1 / 2 + 1 / 2 + 1 / 3) / 3)
    assert result.standard_error == pytest.approx(math.sqrt(1 / 3 * 2 / 3 / 3))
    assert result.as_dict()["items"] == 3


def test_examples_stand_before_every_prompt_and_are_not_asked() -> None:
    made = scorer()
    model = made.model
    assert isinstance(model, Letters)

    result = evaluate_task("letters", QUESTIONS, made, shots=1)

    assert (result.items, result.shots) == (2, 1)
    texts = ["".join(chr(token) for token in row[1:]) for row in model.rows]
    assert all(text.startswith("qa\n\n") for text in texts)


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
        ("\n", "holds no question"),
    ],
)
def test_a_line_that_is_no_question_is_named(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "task.jsonl"
    path.write_text(line)

    with pytest.raises(ContractError, match=message):
        read_task(path)
