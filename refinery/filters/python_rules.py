"""Rules of the user's own: a function gets a batch of documents and gives a verdict or values for each.

    def shouting(documents: Sequence[RuleInput]) -> list[str | dict[str, float] | None]:
        return ["shouting" if one.text.isupper() else None for one in documents]

A text is a verdict: the document is dropped with the reason `verdict:shouting`. A mapping holds values,
which stand in the ledger as `python:NAME` and are bounded by `recipe.clean.rules.bounds` under that name,
so that `whatif` answers for other bounds. None says nothing. What a function raises rejects the document.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import numpy as np

from refinery.filters.rules import PYTHON
from refinery.filters.values import Floats
from refinery.publish.own_code import Failure, Run, WrongAnswerError, run_each
from schemas.errors import SettingsError
from schemas.own_code import load_own

VERDICT = "verdict:"
# Names become reasons and columns: short, plain, and few.
_NAME = re.compile(r"[a-z][a-z0-9_.]{0,63}")
MOST_VALUES = 50


class RuleInput(NamedTuple):
    """What a function of the user's own gets of a document."""

    text: str
    lang: str
    url: str | None = None
    title: str | None = None


@dataclass
class OwnVerdicts:
    """What the functions of a recipe said of a group of documents.

    Attributes:
        values: [D] by name, NaN where a document got none.
        reasons: [D] verdicts in the order of the functions.
        failures: By document: which function raised what, or was stopped.
    """

    values: dict[str, Floats] = field(default_factory=dict)
    reasons: list[list[str]] = field(default_factory=list)
    failures: dict[int, Failure] = field(default_factory=dict)


def run_python_rules(
    names: Sequence[str], documents: Sequence[RuleInput], run: Run | None = None
) -> OwnVerdicts:
    """Ask each function about all documents.

    Args:
        names: `module:function`.
        documents: What they are asked about.
        run: Runs a call on a batch, e.g. in another process; None: it is called here.
    """
    said = OwnVerdicts(reasons=[[] for _ in documents])
    for name in names if documents else ():
        call = partial(rule_answers, name)
        answers, failures = run_each(partial(run, call) if run else call, documents, name=name)
        for index, answer in enumerate(answers):
            if answer is not None:
                _note(said, index, answer)
        said.failures = {**failures, **said.failures}  # the first function that raised is named
    return said


Answer = str | dict[str, float] | None


def rule_answers(name: str, batch: Sequence[RuleInput]) -> list[Answer]:
    """What a function says of documents, in plain form."""
    return [_checked(answer) for answer in load_own(name)(batch)]


def _note(said: OwnVerdicts, index: int, answer: str | dict[str, float]) -> None:
    if isinstance(answer, str):
        said.reasons[index].append(VERDICT + answer)
        return
    for key, number in answer.items():
        column = said.values.setdefault(PYTHON + key, np.full(len(said.reasons), np.nan))
        column[index] = number


def _checked(answer: object) -> Answer:
    """An answer in its plain form.

    Raises:
        WrongAnswerError: It is no name, no mapping of names to numbers, and not None.
    """
    if answer is None:
        return None
    if isinstance(answer, str):
        return _name(answer)
    if not isinstance(answer, Mapping) or len(answer) > MOST_VALUES:
        raise WrongAnswerError(
            f"a reason, up to {MOST_VALUES} values by name, or None expected, found {answer!r:.80}"
        )
    values = {}
    for key, number in answer.items():
        try:
            value = float(number)
        except (TypeError, ValueError) as error:
            raise WrongAnswerError(
                f"value '{key}': a number expected, found {number!r:.80}"
            ) from error
        if math.isinf(value):
            raise WrongAnswerError(f"value '{key}' is infinite")
        values[_name(key)] = value
    return values


def _name(name: object) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise WrongAnswerError(f"a name of a-z, 0-9, _ and . expected, found {name!r:.80}")
    return name


# What functions are tried on before a run; both languages, and a text that holds next to nothing.
_TRIAL = (
    RuleInput(
        "The library is open every day.\nIt is closed on holidays.", "en", "https://a.example/"
    ),
    RuleInput("图书馆每天开放，节假日除外。", "zh"),
    RuleInput("x", "und"),
)


def check_python_rules(names: Sequence[str], run: Run | None = None) -> None:
    """Import the functions and try each on three small texts; `run` as in `run_python_rules`.

    Raises:
        SettingsError: One cannot be imported, or fails on all of them.
    """
    faults = []
    for name in names:
        try:
            load_own(name)
            failures = run_python_rules([name], _TRIAL, run).failures
        except SettingsError as error:
            faults.append(str(error))
            continue
        if len(failures) == len(_TRIAL):
            faults.append(failures[0].message)
    if faults:
        raise SettingsError("recipe.clean.rules.python: " + "\n  ".join(faults))
