"""Files in SQuAD's form as rows, split by article."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jobs.read_questions import main
from refinery.supervised.questions import read_questions, split_questions
from schemas.errors import ContractError


def _article(name: str, *asked: tuple[str, list[str]], context: str = "河在北京之東。") -> Any:
    qas = [
        {"id": f"{name}-{number}", "question": question, "answers": [{"text": a} for a in answers]}
        for number, (question, answers) in enumerate(asked)
    ]
    return {"title": name, "paragraphs": [{"context": context, "qas": qas}]}


def _write(path: Path, *articles: Any) -> Path:
    path.write_text(json.dumps({"data": articles}, ensure_ascii=False), "utf-8")
    return path


def test_the_first_answer_is_the_target_and_all_are_kept(tmp_path: Path) -> None:
    path = _write(tmp_path / "q.json", _article("河", ("何處？", ["北京之東", "東", "北京之東"])))

    (found,) = read_questions(path)

    assert (found.answer, found.answers) == ("北京之東", ("北京之東", "東"))
    assert (found.article, found.context) == ("河", "河在北京之東。")


def test_questions_of_an_article_are_in_one_split_and_the_seed_decides_which(
    tmp_path: Path,
) -> None:
    asked = [("何處？", ["東"]), ("何物？", ["河"])]
    articles = [_article(str(n), *asked, context=f"{n} 河在東") for n in range(60)]
    path = _write(tmp_path / "q.json", *articles)

    one, two = (split_questions([path], seed=seed).questions for seed in (0, 1))

    of_articles = [{q.article for q in questions} for questions in one.values()]
    assert sum(map(len, of_articles)) == 60  # none is in two
    assert all(of_articles)
    assert one != two


def test_what_cannot_be_answered_is_counted(tmp_path: Path) -> None:
    article = _article("a", ("1", ["東"]), ("2", []), ("3", ["西"]), ("1", ["河"]))
    long = _article("b", ("1", ["東"]), context="東" * 30)

    found = split_questions([_write(tmp_path / "q.json", article, long)], max_chars=20)

    assert sum(map(len, found.questions.values())) == 1
    assert found.left_out == {
        "no answer": 1,
        "the answer is no part of the paragraph": 1,
        "asked before": 1,
        "a paragraph of more than 20 characters": 1,
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "no list 'data'"),
        ('{"data": [{"title": "a"}]}', r"data\[0\]: no list 'paragraphs'"),
        ('{"data": [{"title": "a", "paragraphs": [{"qas": []}]}]}', "no field 'context'"),
        (
            '{"data": [{"title": "a", "paragraphs": [{"context": "c", "qas": [{"id": 1, "answers": {}}]}]}]}',
            r"qas\[0\]: answers: expected a list, found dict",
        ),
    ],
)
def test_another_form_is_named(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "q.json"
    path.write_text(text)

    with pytest.raises(ContractError, match=words):
        list(read_questions(path))


def test_the_command_writes_three_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = _write(tmp_path / "q.json", *[_article(str(n), ("何處？", ["東"])) for n in range(40)])

    assert main([str(path), "--out", str(tmp_path / "out")]) == 0

    rows = [
        json.loads(line)
        for split in ("train", "dev", "test")
        for line in (tmp_path / "out" / f"{split}.jsonl").read_text("utf-8").splitlines()
    ]
    assert len(rows) == 1  # forty articles say the same
    assert rows[0]["answer"] == "東"
    assert "39 questions left out: asked before" in capsys.readouterr().out
