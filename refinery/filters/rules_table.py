"""All rules as a table: meaning, value, bounds by language and where they come from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypedDict

from refinery.filters.config import RulesConfig
from refinery.filters.rules import bounds_group, rules_for
from refinery.filters.shipped_rules import DEFAULT, checked_in_rules, derived_bounds


class RuleRow(TypedDict):
    """A rule for one language; null bounds on both ends: it does not run."""

    rule: str
    language: str
    value: str
    meaning: str
    minimum: float | None
    maximum: float | None
    optional: bool
    source: str


def rule_rows(languages: Iterable[str], config: RulesConfig | None = None) -> list[RuleRow]:
    """The rules of each language in the order of `rules.yaml`; with a recipe's changes, those that run."""
    rows: list[RuleRow] = []
    for language in languages:
        rules = (
            checked_in_rules()[bounds_group(language, RulesConfig())]
            if config is None
            else rules_for(language, config)
        )
        rows += [
            RuleRow(
                rule=rule.name,
                language=language,
                value=rule.value,
                meaning=rule.meaning,
                minimum=rule.bounds.minimum,
                maximum=rule.bounds.maximum,
                optional=rule.optional,
                source=rule.source,
            )
            for rule in rules
        ]
    return rows


def provenance(language: str) -> str:
    """Where a language's bounds come from, in a few words."""
    derived = derived_bounds().get(language)
    if derived is None:
        return "published numbers, or our own, as each bound says"
    if derived.borrowed_from is not None:
        return f"borrowed from {derived.borrowed_from}: there was too little clean text"
    return f"derived from {derived.documents:,} clean documents"


def languages_with_bounds() -> list[str]:
    """All languages that have bounds of their own or borrowed ones, `default` first."""
    return [DEFAULT, *sorted(set(checked_in_rules()) - {DEFAULT})]


def range_in_words(minimum: float | None, maximum: float | None) -> str:
    """A range as people write it."""
    if minimum is None and maximum is None:
        return "off"
    if maximum is None:
        return f"at least {minimum:g}"
    return f"at most {maximum:g}" if minimum is None else f"{minimum:g} to {maximum:g}"
