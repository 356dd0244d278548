from __future__ import annotations

import json
from pathlib import Path

import pytest

from schemas.errors import ContractError
from train.evaluation.registered import read_tasks


def line(benchmark: str, question: str, answer: int | None, documents: int | None) -> str:
    plain = {
        "benchmark": benchmark,
        "item": question,
        "question": question,
        "choices": ["yes", "no"],
        "answer": answer,
        "documents": documents,
    }
    return json.dumps(plain) + "\n"


def test_found_items_are_left_out_of_the_clean_task(tmp_path: Path) -> None:
    path = tmp_path / "items.jsonl"
    path.write_text(line("a", "q1", 1, 0) + line("a", "q2", 0, 3) + line("b", "q3", 0, 0))

    tasks = read_tasks(path)

    assert {name: [q.question for q in own] for name, own in tasks.items()} == {
        "a": ["q1", "q2"],
        "a (clean)": ["q1"],
        "b": ["q3"],
    }
    assert (tasks["a"][0].choices, tasks["a"][0].answer) == (("yes", "no"), 1)


def test_items_without_an_answer_are_not_scored(tmp_path: Path) -> None:
    path = tmp_path / "items.jsonl"
    path.write_text(line("a", "q1", None, 0))

    with pytest.raises(ContractError, match="no item has an answer"):
        read_tasks(path)


def test_a_plain_task_file_is_one_task(tmp_path: Path) -> None:
    path = tmp_path / "quiz.jsonl"
    path.write_text(json.dumps({"question": "q", "choices": ["x", "y"], "answer": "B"}) + "\n")

    tasks = read_tasks(path)

    assert [(name, own[0].answer) for name, own in tasks.items()] == [("quiz", 1)]
