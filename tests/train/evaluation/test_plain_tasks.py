"""Files of questions, and items that the refinery registered."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from schemas.errors import ContractError, SettingsError
from train.evaluation.plain_tasks import read_documents, read_plain_tasks


def line(benchmark: str, question: str, answer: int | None, documents: int | None) -> str:
    plain = {
        "benchmark": benchmark, "item": question, "question": question, "choices": ["yes", "no"],
        "answer": answer, "documents": documents,
    }  # fmt: skip
    return json.dumps(plain) + "\n"


def quiz(path: Path, *questions: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    records = [{"question": text, "choices": ["x", "y"], "answer": 0} for text in questions]
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def test_items_that_documents_hold_are_known(tmp_path: Path) -> None:
    path = tmp_path / "items.jsonl"
    path.write_text(line("a", "q1", 1, 0) + line("a", "q2", 0, 3) + line("b", "q3", 0, 0))

    (a, held), (b, none) = read_plain_tasks([path])

    assert [item.id for item in a.items] == ["q1", "q2"]
    assert [item.gold for item in a.items] == [(1,), (0,)]
    assert held == {"q1": 0, "q2": 3}
    assert (len(b.items), none) == (1, None)
    assert read_documents(path) == {"a": {"q1": 0, "q2": 3}, "b": {"q3": 0}}


def test_items_without_an_answer_are_not_scored(tmp_path: Path) -> None:
    path = tmp_path / "items.jsonl"
    path.write_text(line("a", "q1", None, 0))

    with pytest.raises(ContractError, match="no item has an answer"):
        read_plain_tasks([path])


def test_items_that_were_not_searched_for_have_no_clean_subset(tmp_path: Path) -> None:
    path = tmp_path / "items.jsonl"
    path.write_text(line("a", "q1", 1, None))

    assert read_plain_tasks([path])[0][1] is None
    with pytest.raises(ContractError, match="not searched for"):
        read_documents(path)


def test_answers_are_numbers_letters_or_texts(tmp_path: Path) -> None:
    path = tmp_path / "task.jsonl"
    records = [
        {"question": "1 ", "choices": ["x", "y"], "answer": 1},
        {"question": "2 r", "choices": ["x", "y"], "answer": "b"},
        {"question": "3", "choices": [7, 8], "answer": "8"},
    ]
    path.write_text("\n\n".join(json.dumps(one, ensure_ascii=False) for one in records))

    ((task, _),) = read_plain_tasks([path])

    assert [item.gold for item in task.items] == [(1,), (1,), (1,)]
    assert [item.candidates[0].context for item in task.items] == ["1", "2 r", "3"]
    assert task.items[2].candidates[1].text == "8"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "task.jsonl:1: expected {question, choices, answer}"),
        ("[1]", "task.jsonl:1: expected {question, choices, answer}"),
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
        read_plain_tasks([path])


def test_tasks_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    english = quiz(tmp_path / "v1" / "en" / "test.jsonl", "a")
    chinese = quiz(tmp_path / "v1" / "zh" / "test.jsonl", "b", "c")
    newer = quiz(tmp_path / "v2" / "zh" / "test.jsonl", "e")
    other = quiz(tmp_path / "other.jsonl", "d")

    def names(*paths: Path) -> list[str]:
        return [one.task.name for one, _ in read_plain_tasks(paths)]

    assert names(english, chinese, other) == ["en:test", "zh:test", "other"]
    assert names(english, chinese, newer) == ["en:test", "v1/zh:test", "v2/zh:test"]


def test_a_plain_file_named_like_a_benchmark_loses_no_task(tmp_path: Path) -> None:
    plain = quiz(tmp_path / "a.jsonl", "q")
    items = tmp_path / "items.jsonl"
    items.write_text(line("a", "q1", 1, 0) + line("b", "q2", 1, 0))

    tasks = read_plain_tasks([plain, items])

    assert len({one.task.name for one, _ in tasks}) == 3


def test_a_file_given_twice_is_refused(tmp_path: Path) -> None:
    path = quiz(tmp_path / "a.jsonl", "q")

    with pytest.raises(SettingsError, match="was given twice"):
        read_plain_tasks([path, tmp_path / "." / "a.jsonl"])


def test_examples_are_those_of_the_benchmark_or_of_the_only_file(tmp_path: Path) -> None:
    items = tmp_path / "items.jsonl"
    items.write_text(line("a", "q1", 1, 0) + line("b", "q3", 0, 0))
    known = tmp_path / "dev" / "items.jsonl"
    known.parent.mkdir()
    known.write_text(line("a", "e1", 1, 0) + line("b", "e2", 1, 0))
    plain = quiz(tmp_path / "dev.jsonl", "e3")

    def contexts(files: list[Path]) -> list[str]:
        return [one.splits[0].candidates[0].context for one, _ in read_plain_tasks([items], files)]

    assert contexts([known]) == ["e1", "e2"]
    assert contexts([plain]) == ["e3", "e3"]
