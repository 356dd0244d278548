"""Ready questions: SQL by name, with the values that it needs."""

from __future__ import annotations

import functools
from importlib.resources import files
from typing import Any

import yaml
from pydantic import Field

from schemas.errors import SettingsError
from schemas.settings import Settings, nearest


class Question(Settings):
    """One ready question; `values` are those that people may give, None where they must."""

    question: str
    values: dict[str, Any] = Field(default_factory=dict)
    sql: str


@functools.cache
def questions() -> dict[str, Question]:
    """All of them by name, in the order of the file."""
    text = files("refinery.query").joinpath("questions.yaml").read_text("utf-8")
    return {name: Question.model_validate(row) for name, row in yaml.safe_load(text).items()}


def question(name: str) -> Question:
    """The question of a name.

    Raises:
        SettingsError: There is none; names the nearest.
    """
    known = questions()
    if name not in known:
        raise SettingsError(f"no question '{name}'{nearest(name, set(known))}")
    return known[name]


@functools.cache
def value_names() -> tuple[str, ...]:
    """Names of the values of all questions."""
    return tuple(sorted({name for one in questions().values() for name in one.values}))
