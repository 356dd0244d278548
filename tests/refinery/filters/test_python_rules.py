"""Rules of the user's own: verdicts, values with bounds, and what becomes of wrong answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from refinery.clean.config import CleanConfig
from refinery.clean.judging import Judge
from refinery.clean.pages import CleanDocument, NormalizedPage, Rejected
from refinery.filters.python_rules import RuleInput, check_python_rules, run_python_rules
from schemas.errors import SettingsError
from schemas.settings import parse_settings

RULES = """
def shout(documents):
    return ["shout" if one.text.isupper() else None for one in documents]

def count(documents):
    return [{"marks": one.text.count("!"), "nothing": float("nan")} if one.lang != "zh" else None for one in documents]

def fragile(documents):
    return [str(1 // (len(one.text) - 3)) and None for one in documents]

def wrong(documents):
    return [{"Not a name": 1}] * len(documents)

def other(documents):
    return [object() for one in documents]
"""


@pytest.fixture(autouse=True)
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "python_rules_of_a_test.py").write_text(RULES)
    monkeypatch.syspath_prepend(str(tmp_path))


def named(*functions: str) -> list[str]:
    return [f"python_rules_of_a_test:{function}" for function in functions]


def judged(texts: list[str], rules: dict[str, object]) -> list[CleanDocument | Rejected]:
    plain = {"language": {"min_score": None}, "rules": rules}
    pages = [NormalizedPage(text, text, None, {}) for text in texts]
    return Judge(parse_settings(CleanConfig, plain, where="test"), {}).judge(pages)


def test_verdicts_are_reasons_and_values_are_noted() -> None:
    documents = [RuleInput("LOUD!", "en"), RuleInput("好!!", "zh"), RuleInput("so", "en")]

    said = run_python_rules(named("shout", "count"), documents)

    assert said.reasons == [["verdict:shout"], [], []]
    assert said.values["python:marks"].tolist()[::2] == [1.0, 0.0]
    assert said.failures == {}


def test_a_bound_on_a_value_drops_by_language() -> None:
    bounds = {"python:marks": {"maximum": 0}, "de": {"python:marks": {"maximum": 5}}}
    rules = {
        "python": named("count"), "bounds": bounds,
        "disabled": ["gopher:words", "fineweb:short_lines", "fineweb:newlines"],
    }  # fmt: skip
    calm, loud, german = judged(
        ["The river runs past the old mill.", "The river runs past the old mill!", "Der Fluss fließt an der alten Mühle vorbei!"],
        rules,
    )  # fmt: skip

    assert isinstance(calm, CleanDocument)
    assert isinstance(loud, CleanDocument)
    assert isinstance(german, CleanDocument)
    assert "python:marks" not in calm.reasons
    assert "python:marks" in loud.reasons
    assert german.lang == "de"
    assert "python:marks" not in german.reasons
    assert loud.values["python:marks"] == 1.0
    assert "python:nothing" not in loud.values  # NaN says that there is no value


def test_an_exception_rejects_its_document_alone() -> None:
    first, second = judged(["abc", "abcd"], {"python": named("fragile"), "enabled": False})

    assert isinstance(first, Rejected)
    assert first.reason == "python:exception"
    assert first.message.startswith(
        "python_rules_of_a_test:fragile: ZeroDivisionError: integer division or modulo by zero"
    )
    assert isinstance(second, CleanDocument)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("wrong", "a name of a-z, 0-9, _ and . expected, found 'Not a name'"),
        ("other", "or None expected, found <object"),
        ("nothing", "no function or class 'nothing'"),
    ],
)
def test_what_fails_on_every_text_is_refused_before_a_run(function: str, message: str) -> None:
    check_python_rules(named("shout", "count", "fragile"))

    with pytest.raises(SettingsError, match=message):
        check_python_rules(named(function))


def test_a_name_must_say_module_and_function() -> None:
    with pytest.raises(SettingsError, match="python"):
        parse_settings(CleanConfig, {"rules": {"python": ["my_rules.adverts"]}}, where="test")
