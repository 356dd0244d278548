"""A function of the user's own that never ends, takes all memory or ends its process costs one document."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence

import pytest

from refinery.clean.own_calls import GuardedScorer, OwnCalls, own_calls
from refinery.filters.python_rules import RuleInput, check_python_rules, run_python_rules
from refinery.publish.own_code import OwnCodeError, OwnCodeLimits
from schemas.errors import SettingsError

LIMITS = OwnCodeLimits(cpu_seconds=1.5, wall_seconds=None, memory_bytes=200_000_000)
HERE = __name__


def odd(documents: Sequence[RuleInput]) -> list[str | None]:
    return [_odd(one.text) for one in documents]


def _odd(text: str) -> str | None:
    if text == "spin":
        while True:
            pass
    if text == "wait":
        time.sleep(600)
    if text == "grow":
        held = bytearray(1_000_000_000)
        for at in range(0, len(held), 4096):
            held[at] = 1
        time.sleep(600)
    if text == "exit":
        os._exit(5)
    if text == "raise":
        raise LookupError("no such word")
    return "short" if len(text) < 3 else None


def always(documents: Sequence[RuleInput]) -> list[None]:
    while True:
        pass


state = "as imported"


def tell_state(items: Sequence[str]) -> list[str]:
    return [state for _ in items]


class Lengths:
    """A scorer that does not end for one text."""

    def score(self, texts: Sequence[str]) -> list[float]:
        while "spin" in texts:
            pass
        return [float(len(text)) for text in texts]


@pytest.fixture
def calls() -> Iterator[OwnCalls]:
    one = OwnCalls(LIMITS)
    yield one
    one.close()


@pytest.mark.parametrize(
    ("bad", "reason", "message"),
    [
        ("spin", "python:timeout", "odd: over 1.5 s of CPU time"),
        ("grow", "python:memory", "odd: over 200000000 bytes of memory"),
        ("exit", "python:crash", "odd: its process ended with code 5"),
        ("raise", "python:exception", "odd: LookupError: no such word (test_own_calls.py:"),
    ],
)
def test_one_document_is_rejected_and_the_others_go_on(
    calls: OwnCalls, bad: str, reason: str, message: str
) -> None:
    documents = [RuleInput(text, "en") for text in ("long", "x", bad, "y")]

    said = run_python_rules([f"{HERE}:odd"], documents, calls.run)

    assert {index: one.reason for index, one in said.failures.items()} == {2: reason}
    assert message in said.failures[2].message
    assert said.reasons == [[], ["verdict:short"], [], ["verdict:short"]]


def test_a_function_that_waits_is_stopped_by_the_clock() -> None:
    calls = OwnCalls(OwnCodeLimits(wall_seconds=0.5))

    with pytest.raises(OwnCodeError, match=r"over 0\.5 s by the clock") as stopped:
        calls.run(odd, [RuleInput("wait", "en")])
    calls.close()

    assert stopped.value.reason == "python:timeout"


def test_a_scorer_is_stopped_too(calls: OwnCalls) -> None:
    scorer = GuardedScorer(Lengths(), calls)

    with pytest.raises(OwnCodeError, match=r"over 1\.5 s of CPU time"):
        scorer.score(["spin"])
    assert scorer.score(["two", "words"]) == [3.0, 5.0]


def test_a_rule_that_never_ends_is_refused_before_a_run(calls: OwnCalls) -> None:
    with pytest.raises(SettingsError, match=r"python: .*always: over 1\.5 s of CPU time"):
        check_python_rules([f"{HERE}:always"], calls.run)


def test_functions_of_one_recipe_share_a_child_and_others_end_it() -> None:
    first = own_calls(LIMITS, [f"{HERE}:odd"])

    assert own_calls(LIMITS, [f"{HERE}:odd"]) is first
    assert own_calls(LIMITS, [f"{HERE}:always"]) is not first


def test_a_call_sees_nothing_of_what_its_caller_has_used(
    calls: OwnCalls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As threads of torch: in a fork they are believed to run, and the call crashes or waits for ever."""
    monkeypatch.setattr(sys.modules[__name__], "state", "used")

    assert calls.run(tell_state, ["a"]) == ["as imported"]


def test_a_child_that_cannot_start_is_said(
    calls: OwnCalls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [])

    with pytest.raises(OwnCodeError, match="its process ended with code 1"):
        calls.run(tell_state, ["a"])
