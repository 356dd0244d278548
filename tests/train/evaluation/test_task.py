"""Task files: what they hold, and what is said of a mistake."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from schemas.errors import SettingsError
from train.evaluation.task import find_task, parse_task, read_task, shipped_names
from train.evaluation.templates import filled, listed

BASE: dict[str, Any] = {
    "name": "quiz", "kind": "multiple_choice", "language": "en", "source": "us",
    "data": {"path": "quiz.jsonl"}, "prompt": "Q: {q}", "choices": "c", "answer": "a",
}  # fmt: skip


def test_every_shipped_task_is_read_and_named_as_its_file() -> None:
    names = shipped_names()

    assert len(names) == 25
    for name in names:
        task = read_task(find_task(name))
        assert task.name == name
        assert task.language in ("en", "zh")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "multiple_choise"}, "kind: unknown 'multiple_choise'; did you mean 'multiple_choice'"),
        ({"kind": None}, "kind: missing"),
        ({"promt": "x"}, "promt: unknown key; did you mean 'prompt'"),
        ({"answer": None}, "answer: "),
        ({"data": {"path": "x", "formt": "csv"}}, "data.formt: unknown key; did you mean 'format'"),
        ({"data": {"path": "x", "format": "cvs"}}, "data.format: "),
        ({"data": {"path": "x", "format": "lines"}}, "needs columns"),
        ({"prompt": "Q: {q|stripp}"}, "unknown normalisation 'stripp'; did you mean 'strip'"),
        ({"prompt": "Q: {q"}, "a single brace"),
        ({"prompt": "Q: {}"}, "empty braces"),
        ({"contexts": "d"}, "give either choices, or contexts and a continuation"),
        ({"choices": None, "contexts": "d"}, "contexts and continuation belong together"),
    ],
)  # fmt: skip
def test_a_mistake_names_file_field_and_the_nearest_right_one(
    change: dict[str, Any], message: str
) -> None:
    with pytest.raises(SettingsError) as found:
        parse_task({**BASE, **change}, where="quiz.yaml")

    assert "quiz.yaml: " in str(found.value)
    assert message in str(found.value)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"kind": "last_word", "text": "{t}", "prompt": "{p}"}, "give either text"),
        ({"kind": "last_word", "prompt": "{p}"}, "give either text"),
        ({"kind": "minimal_pairs", "good": "{g}"}, "bad: "),
        ({"kind": "classification", "prompt": "{p}", "answer": "a", "classes": {"0": "no"}}, "classes"),
        ({"kind": "classification", "prompt": "{p}", "answer": "a", "rating": True,
          "classes": {"low": "0", "high": "1"}}, "classes must be numbers"),
        ({"kind": "generation", "prompt": "{p}", "reference": "{r}", "metrics": ["pass_at_k"]},
         "pass_at_k and program belong together"),
        ({"kind": "generation", "prompt": "{p}", "reference": "{r}", "metrics": ["f1"], "k": 3},
         "k 3 needs as many samples, got samples 1"),
        ({"kind": "generation", "prompt": "{p}", "reference": "{r}", "metrics": ["f1"], "samples": 2},
         "several samples need a temperature"),
        ({"kind": "generation", "prompt": "{p}", "reference": "{r}", "metrics": ["blue"]}, "metrics.0"),
    ],
)  # fmt: skip
def test_what_cannot_work_together_is_refused(fields: dict[str, Any], message: str) -> None:
    common = {name: BASE[name] for name in ("name", "language", "source", "data")}

    with pytest.raises(SettingsError, match=message):
        parse_task({**common, **fields}, where="t.yaml")


def test_a_name_that_is_no_task_names_the_nearest_one() -> None:
    with pytest.raises(SettingsError, match="no such task; did you mean 'arc-easy'"):
        find_task("arc_easy")


class Fields:
    where = "here"

    def value(self, name: str) -> Any:
        return {"q": " Two [x]  words ", "list": ["a", 2], "end": "It rained. "}[name]


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{q}|", " Two [x]  words |"),
        ("{q|strip|lower}", "two [x]  words"),
        ("{q|single_spaces}", "Two [x] words"),
        ("{q|hellaswag}", "Two  words"),
        ("{end|without_period|first_lower}", "it rained"),
        ("{{q}} {list}", "{q} a\n2"),
        ("{extra}: {q|strip}", "given: Two [x]  words"),
    ],
)
def test_a_template_fills_fields_and_calls_nothing_else(template: str, text: str) -> None:
    assert filled(template, Fields(), {"extra": "given"}) == text


def test_a_field_that_holds_no_list_is_named() -> None:
    assert listed("list", Fields()) == ["a", "2"]
    with pytest.raises(SettingsError, match="field 'q' holds no list"):
        listed("q", Fields())


def test_a_value_is_never_a_template() -> None:
    class Braces(Fields):
        def value(self, name: str) -> Any:
            return "{q} {q.__class__}"

    assert filled("{q}", Braces()) == "{q} {q.__class__}"


def test_a_task_file_is_read_from_disk(tmp_path: Path) -> None:
    path = tmp_path / "quiz.yaml"
    path.write_text(
        "name: quiz\nkind: last_word\nlanguage: en\nsource: us\ndata: {path: x}\ntext: '{t}'\n"
    )

    assert read_task(path).kind == "last_word"
