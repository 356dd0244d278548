"""Answers of tasks of generation, and programs that a model wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from schemas.benchmark_files import Row
from train.evaluation.items import Candidate, Item, WrittenItem
from train.evaluation.load import LoadedTask
from train.evaluation.programs import run_program
from train.evaluation.task import GenerationTask, parse_task
from train.evaluation.written import (
    answer_in,
    corpus_metrics,
    cut_at,
    judge,
    normalised,
    overlap_f1,
    pass_at_k,
)


def task(**fields: Any) -> GenerationTask:
    plain = {"name": "t", "kind": "generation", "language": "en", "source": "us", "data": {"path": "x"},
             "prompt": "{q}", "reference": "{a}", **fields}  # fmt: skip
    made = parse_task(plain, where="t")
    assert isinstance(made, GenerationTask)
    return made


def judged(
    reference: str, *texts: str, values: dict[str, Any] | None = None, **fields: Any
) -> WrittenItem:
    item = Item(id="0", candidates=(Candidate(context="q", text=reference),), gold=(0,))
    row = Row(item_id="0", file="x", where="x", values={"q": "q", "a": reference, **(values or {})})
    loaded = LoadedTask(task=task(**fields), items=(item,), rows={"0": row})
    return judge(loaded, item, texts)


def test_an_answer_ends_at_the_first_stop() -> None:
    assert cut_at("a\n\nb Question: c", ("Question:", "\n\n")) == "a"
    assert cut_at("abc", ("x",)) == "abc"


GSM = r"#### (\-?[0-9\.,]+)"


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("It is so.\n#### 1,234", 1.0), ("#### 1234.", 1.0), ("#### 12345", 0.0), ("1234", 0.0), ("", 0.0),
        ("#### 1234\n#### 9", 1.0),
    ],
)  # fmt: skip
def test_only_an_extracted_answer_counts(text: str, right: float) -> None:
    assert judged("so\n#### 1234", text, metrics=["exact_match"], extract=GSM).metrics == {
        "exact_match": right
    }


def test_two_answers_that_are_missing_are_not_equal() -> None:
    assert answer_in("none", GSM) == ""
    assert (
        judged("none", "none", metrics=["exact_match"], extract=GSM).metrics["exact_match"] == 0.0
    )


def test_normalised_answers_lose_case_punctuation_and_articles() -> None:
    assert normalised("The  Eiffel-Tower!") == "eiffel tower"
    assert normalised("《红楼梦》。") == "红 楼 梦"


@pytest.mark.parametrize(
    ("text", "reference", "f1"),
    [
        ("the cat sat", "a cat sat down", 0.8),  # 2 of 2 and 2 of 3
        ("北京市", "北京", 0.8),  # characters: 2 of 3 and 2 of 2
        ("no", "yes", 0.0),
        ("The", "a", 1.0),  # both empty without articles
    ],
)
def test_f1_counts_words_and_chinese_characters(text: str, reference: str, f1: float) -> None:
    assert overlap_f1(text, reference) == pytest.approx(f1)


@pytest.mark.parametrize(
    ("samples", "passed", "k", "value"),
    [(10, 0, 1, 0.0), (10, 3, 1, 0.3), (5, 2, 3, 1 - 1 / 10), (5, 4, 3, 1.0), (2, 2, 2, 1.0)],
)
def test_pass_at_k_is_the_unbiased_estimate(
    samples: int, passed: int, k: int, value: float
) -> None:
    assert pass_at_k(samples, passed, k) == pytest.approx(value)


def test_programs_are_run_with_their_tests() -> None:
    fields = {"metrics": ["pass_at_k"], "samples": 2, "temperature": 1.0,
              "program": "{q}{output}\n{t}\n"}  # fmt: skip
    values = {"q": "def f(x):\n", "t": "assert f(2) == 4"}

    found = judged(
        "", "    return x + 2", "    while True: pass", values=values, seconds=0.5, **fields
    )

    assert found.metrics == {"pass_at_1": 0.5}
    assert found.outcome == "time"


def test_bleu_and_chrf_are_of_the_whole_task_with_signature() -> None:
    items = [
        WrittenItem(id=str(n), text=text, references=(reference,), metrics={})
        for n, (text, reference) in enumerate([("我喜欢北京的冬天", "我喜欢北京的冬天"), ("他 走 了", "他走了")])
    ]  # fmt: skip

    found = corpus_metrics(task(metrics=["bleu", "chrf"], language="zh"), items)

    assert found["bleu"][0] == pytest.approx(100.0)
    assert "tok:zh" in found["bleu"][1]
    assert found["chrf"][0] == pytest.approx(100.0)
    english = corpus_metrics(task(metrics=["bleu"]), items)
    assert "tok:13a" in english["bleu"][1]
    assert corpus_metrics(task(metrics=["f1"]), items) == {}


@pytest.mark.parametrize(
    ("program", "outcome"),
    [
        ("from typing import List\nimport math\nassert math.gcd(4, 6) == 2", "ok"),
        ("print('é' * 100_000)", "ok"),
        ("assert 1 == 2", "failed"),
        ("def f(:", "syntax"),
        ("x = '\0'", "syntax"),
        ("while True: pass", "time"),
        ("import os\nwhile True: os.fork()", "failed"),
        ("import posix\nposix.fork()", "failed"),
        ("import subprocess\nsubprocess.run(['true'])", "failed"),
        ("import socket\nsocket.socket()", "failed"),
        ("import ctypes", "failed"),
        ("x = [0] * 10 ** 10", "memory"),
        ("def f(n): return f(n + 1)\nf(0)", "failed"),
        ("import sys\nsys.exit(0)", "failed"),
        ("import os\nos._exit(0)", "killed"),
        ("print('ok')\nimport os\nos.write(1, b'ok')\nos._exit(0)", "killed"),
        ("import os\nos.kill(os.getppid(), 9)", "failed"),
    ],
)
def test_a_program_ends_with_a_named_outcome(program: str, outcome: str) -> None:
    assert run_program(program, seconds=1.0) == outcome


@pytest.mark.parametrize(
    "change",
    ["open({path!r}, 'w')", "import os\nos.open({path!r}, os.O_CREAT | os.O_WRONLY)",
     "import os\nos.mkdir({path!r})", "import pathlib\npathlib.Path({path!r}).touch()"],
)  # fmt: skip
def test_a_program_changes_no_file(change: str, tmp_path: Path) -> None:
    path = tmp_path / "made"

    assert run_program(change.format(path=str(path)), seconds=2.0) == "failed"
    assert not path.exists()
