"""Texts with fields in braces: `Question: {question|strip}\\nAnswer:`.

A template names fields and the normalisations below; it calls nothing else, so a task file of
somebody else's cannot run code. `{{` and `}}` are braces.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from schemas.benchmark_files import plain_text
from schemas.errors import SettingsError
from schemas.settings import nearest

_PART = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


class HasFields(Protocol):
    """A row of a benchmark file."""

    @property
    def where(self) -> str:
        """File and number of the row."""

    def value(self, name: str) -> Any:
        """A field by name."""


def _hellaswag(text: str) -> str:
    """WikiHow's marks become sentence ends, as lm-evaluation-harness reads HellaSwag."""
    text = text.strip().replace(" [title]", ". ")
    return re.sub(r"\[.*?\]", "", text).replace("  ", " ")


NORMALISATIONS: dict[str, Callable[[str], str]] = {
    "strip": str.strip,
    "lower": str.lower,
    "capitalise": str.capitalize,
    "first_lower": lambda text: text[:1].lower() + text[1:],
    "without_period": lambda text: text.strip().removesuffix("."),
    "single_spaces": lambda text: " ".join(text.split()),
    "hellaswag": _hellaswag,
}


def check_template(template: str) -> None:
    """See that braces pair and normalisations exist.

    Raises:
        ValueError: They do not; it names the nearest normalisation.
    """
    for part in _PART.finditer(template):
        if part.group() in ("{", "}"):
            raise ValueError(f"{template!r}: a single brace; write {{{{ or }}}} for a brace")
        if part.group(1) is None:
            continue
        name, *normalisations = part.group(1).split("|")
        if not name:
            raise ValueError(f"{template!r}: empty braces; name a field")
        for one in normalisations:
            if one not in NORMALISATIONS:
                raise ValueError(
                    f"{template!r}: unknown normalisation '{one}'{nearest(one, set(NORMALISATIONS))}"
                )


def filled(template: str, row: HasFields, extra: Mapping[str, str] | None = None) -> str:
    """The text of a template for a row.

    Args:
        template: Checked by `check_template`.
        row: Gives the fields.
        extra: Fields besides those of the row; they come first.

    Raises:
        SettingsError: The row lacks a field, which is named with the nearest one.
    """

    def text(match: re.Match[str]) -> str:
        if match.group(1) is None:
            return match.group()[0]
        name, *normalisations = match.group(1).split("|")
        given = (extra or {}).get(name)
        value = plain_text(row.value(name)) if given is None else given
        for one in normalisations:
            value = NORMALISATIONS[one](value)
        return value

    return _PART.sub(text, template)


def listed(name: str, row: HasFields) -> list[str]:
    """The texts of a field that holds a list.

    Raises:
        SettingsError: It holds none.
    """
    value = row.value(name)
    if not isinstance(value, list) or not value:
        raise SettingsError(f"{row.where}: field '{name}' holds no list, found {value!r:.60}")
    return [plain_text(one) for one in value]
