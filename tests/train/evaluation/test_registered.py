from __future__ import annotations

import json
from pathlib import Path

import pytest

from schemas.errors import ContractError, SettingsError
from train.evaluation.registered import examples_of, read_all_tasks, read_tasks


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


def quiz(path: Path, *questions: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    records = [{"question": text, "choices": ["x", "y"], "answer": 0} for text in questions]
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def test_tasks_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    english = quiz(tmp_path / "v1" / "en" / "test.jsonl", "a")
    chinese = quiz(tmp_path / "v1" / "zh" / "test.jsonl", "b", "c")
    other = quiz(tmp_path / "other.jsonl", "d")
    newer = quiz(tmp_path / "v2" / "zh" / "test.jsonl", "e")

    two = read_all_tasks([english, chinese, other])
    three = read_all_tasks([english, chinese, newer])

    assert {name: len(own) for name, own in two.items()} == {
        "en:test": 1,
        "zh:test": 2,
        "other": 1,
    }
    assert list(three) == ["en:test", "v1/zh:test", "v2/zh:test"]


def test_a_plain_file_named_like_a_benchmark_loses_no_task(tmp_path: Path) -> None:
    plain = quiz(tmp_path / "a.jsonl", "q")
    items = tmp_path / "items.jsonl"
    items.write_text(line("a", "q1", 1, 0) + line("b", "q2", 1, 0))

    tasks = read_all_tasks([plain, items])

    assert sorted(len(own) for own in tasks.values()) == [1, 1, 1]
    assert len(tasks) == 3


def test_a_file_given_twice_is_refused(tmp_path: Path) -> None:
    path = quiz(tmp_path / "a.jsonl", "q")

    with pytest.raises(SettingsError, match="was given twice"):
        read_all_tasks([path, tmp_path / "." / "a.jsonl"])


def test_examples_are_those_of_the_benchmark_or_of_the_only_file(tmp_path: Path) -> None:
    items = tmp_path / "items.jsonl"
    items.write_text(line("a", "q1", 1, 0) + line("a", "q2", 0, 3) + line("b", "q3", 0, 0))
    known = tmp_path / "dev" / "items.jsonl"
    known.parent.mkdir()
    known.write_text(line("a", "e1", 1, 0) + line("b", "e2", 1, 0))
    plain = quiz(tmp_path / "dev.jsonl", "e3")

    def names(files: list[Path]) -> dict[str, list[str]]:
        found = examples_of(read_all_tasks([items]), [items], files)
        return {name: [one.question for one in own] for name, own in found.items()}

    assert names([known]) == {"a": ["e1"], "a (clean)": ["e1"], "b": ["e2"]}
    assert names([plain]) == {"a": ["e3"], "a (clean)": ["e3"], "b": ["e3"]}
