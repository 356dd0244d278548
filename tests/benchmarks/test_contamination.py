"""Dose and response: every question gets every dose, our search cuts what was planted, figures by dose are what they say."""

from __future__ import annotations

import gzip
import json
import math
import random
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.outcome import contamination
from benchmarks.outcome.contamination import (
    CUT,
    DOSES,
    PAIRS,
    PLANTED,
    Question,
    cut_texts,
    doses,
    item_figures,
    planted_texts,
    read_questions,
    responses,
    run_pair,
    table_text,
)
from benchmarks.outcome.page import markdown, render
from benchmarks.outcome.studies import SMALL
from benchmarks.train.run_records import Records, RunRecord, read_records
from train.evaluation.items import ItemScore

WORDS = [f"{a}{b}{c}" for a in "bdfglmnprst" for b in "aeiou" for c in ("n", "sk", "l", "m")]


def _words(draw: random.Random, count: int) -> str:
    return " ".join(draw.choices(WORDS, k=count))


def _questions(count: int) -> list[Question]:
    draw = random.Random(1)
    return [
        Question(
            query=f"Question: {_words(draw, 14)}?",
            choices=tuple(_words(draw, 3) for _ in range(4)),
            gold=number % 4,
        )
        for number in range(count)
    ]


def _hosts(count: int) -> list[str]:
    draw = random.Random(2)
    return ["\n".join(_words(draw, 40) for _ in range(8)) for _ in range(count)]


def test_five_pairs_give_each_question_every_dose_once() -> None:
    questions = _questions(20)
    given = [doses(questions, pair) for pair in range(1, PAIRS + 1)]

    for number in range(len(questions)):
        assert sorted(one[number] for one in given) == list(DOSES)
    assert Counter(given[0]) == dict.fromkeys(DOSES, 4)


def test_each_copy_stands_in_a_host_of_its_own() -> None:
    questions, hosts = _questions(10), _hosts(40)

    texts = planted_texts(hosts, questions, 1)

    for question, dose in zip(questions, doses(questions, 1), strict=True):
        assert sum(question.planted in text for text in texts) == dose
    assert sum(text != host for text, host in zip(texts, hosts, strict=True)) == 2 * sum(DOSES)
    assert planted_texts(hosts, questions, 1) == texts != planted_texts(hosts, questions, 2)
    with pytest.raises(ValueError, match="30 copies need as many hosts, got 5"):
        planted_texts(hosts[:5], questions, 1)


def test_our_search_cuts_what_was_planted_and_nothing_else() -> None:
    questions, hosts = _questions(10), _hosts(40)
    texts = planted_texts(hosts, questions, 1)

    cut, found = cut_texts(texts, questions)

    assert found == 2 * sum(DOSES)
    assert not [text for text in cut if any(q.query in text for q in questions)]
    untouched = [text for text, host in zip(texts, hosts, strict=True) if text == host]
    assert untouched == [text for text in cut if text in hosts]


def _score(dose: str, gold: float, other: float) -> ItemScore:
    return ItemScore(
        id="x", gold=(0,), log_likelihoods=(gold, other), tokens=(2, 2), chars=(4, 4), bytes=(4, 4),
        greedy=(False, False), group=dose,
    )  # fmt: skip


def test_figures_are_means_over_the_items_of_a_dose() -> None:
    two = math.log(2)
    scores = [
        _score("0", -8 * two, -7 * two),
        _score("0", -4 * two, -5 * two),
        _score("8", -two, -3 * two),
    ]

    found = item_figures(scores)

    assert found == pytest.approx(
        {"bits:0": 1.5, "chance:0": 0.5, "right:0": 0.5, "bits:8": 0.25, "chance:8": 0.8, "right:8": 1.0}
    )  # fmt: skip


def _records(pairs: int) -> Records:
    runs = {}
    for pair in range(1, pairs + 1):
        for arm, slope in ((PLANTED, -0.05), (CUT, 0.0)):
            figures = {
                f"{name}:{dose}": 1.0 + 0.01 * pair + slope * dose + (0.001 * pair if dose else 0.0)
                for name in ("bits", "chance", "right")
                for dose in DOSES
            }
            runs[f"dose-{pair}", arm] = RunRecord(
                study=f"dose-{pair}", run=arm, arm=arm, seed=1, key="k", state="done", value=1.0, why=None,
                parameters=1, tokens=2, cpu_seconds=3.0, figures=figures, documents=None, losses=(),
            )  # fmt: skip
    return Records(runs=runs, documents={})


def test_a_response_is_held_against_no_copy_in_the_same_run() -> None:
    found = responses(_records(5), PLANTED)["bits"]

    assert found[8].value == pytest.approx(-0.4 + 0.003)
    assert found[1].high < 0
    assert found[8].low < found[8].value < found[8].high
    assert math.isnan(responses(_records(1), PLANTED)["bits"][8].low)
    assert responses(Records(runs={}, documents={}), PLANTED) == {}
    assert "8 copies  -0.3970" in table_text(_records(5))


def test_the_page_has_the_curve_and_its_table() -> None:
    none = Records(runs={}, documents={})

    text, html = (show(none, {}, _records(5)) for show in (markdown, render))

    assert "10 of 10 runs" in text
    assert "| gold bits per byte | 8 | -0.3970 (" in text
    assert "gold bits per byte: with copies minus without" in html
    assert "0 of 10 runs" in markdown(none, {}, none)


@pytest.mark.slow
def test_a_pair_is_trained_scored_and_recorded_once(tmp_path: Path) -> None:
    texts = tmp_path / "texts"
    texts.mkdir()
    with gzip.open(texts / "books-en.jsonl.gz", "wt", encoding="utf-8") as file:
        for seed in range(12):
            draw = random.Random(seed)
            file.write(json.dumps({"text": "\n".join(_words(draw, 40) for _ in range(120))}) + "\n")
    questions = _questions(5)
    items = tmp_path / "items.jsonl"
    rows = [{"query": q.query, "choices": q.choices, "gold": q.gold} for q in questions]
    items.write_text("".join(json.dumps(row) + "\n" for row in rows))
    path = tmp_path / "runs.jsonl"
    asked = read_questions(items, 5)

    run_pair(1, tmp_path / "work", texts=texts, questions=asked, path=path, recipe=SMALL)
    lines = path.read_text()
    run_pair(1, tmp_path / "work", texts=texts, questions=asked, path=path, recipe=SMALL)

    assert path.read_text() == lines
    done = read_records(path).of_study("dose-1")
    assert [run.why for run in done] == [None, None]
    assert {run.arm: run.state for run in done} == {PLANTED: "done", CUT: "done"}
    assert len({run.tokens for run in done}) == 1
    for run in done:
        assert set(run.figures) == {
            f"{name}:{dose}" for name in contamination.FIGURES for dose in DOSES
        }
        assert 0 <= run.figures["chance:8"] <= 1
