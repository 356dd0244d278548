"""The rules that come with the program, and their bounds by language, from the YAML files beside this module."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import Field

from refinery.text.language_labels import macro
from schemas.settings import Bounded, Settings
from schemas.yaml_files import read_list

DEFAULT = "default"
_PACKAGE = "refinery.filters"


@dataclass(frozen=True)
class Rule:
    """A named bound on one value; a document outside has the name as a reason.

    Attributes:
        optional: Whether the rule runs only where the recipe names it.
        meaning: Of the value, in words.
        source: Where the bounds come from.
    """

    name: str
    value: str
    bounds: Bounded
    optional: bool = False
    meaning: str = field(default="", compare=False)
    source: str = field(default="", compare=False)

    @property
    def is_bounded(self) -> bool:
        return (self.bounds.minimum, self.bounds.maximum) != (None, None)


class _Rule(Settings):
    """An entry of `rules.yaml`."""

    value: str
    meaning: str
    optional: bool = False


class _Bounds(Settings):
    """Bounds of one rule for one language; without either end the rule is off."""

    value: str | None = None
    min: float | None = None
    max: float | None = None
    source: str


class LanguageBounds(Settings):
    """What `bounds_by_language.yaml` holds for a language.

    Attributes:
        documents: Clean documents that the bounds were derived from.
        borrowed_from: The language whose bounds these are, where there was too little text.
        bounds: By rule; the others are the lender's, else those of `default`.
    """

    documents: int = 0
    borrowed_from: str | None = None
    bounds: dict[str, _Bounds] = Field(default_factory=dict)


class _VariantRow(Settings):
    """A line of `gopher_variants.yaml`."""

    rule: str
    value: str
    min: float | None = None
    max: float | None = None
    optional: bool = False


@functools.cache
def checked_in_rules() -> dict[str, tuple[Rule, ...]]:
    """Rules by language, `default` first: all that exist, also optional ones and those that a language switches off."""
    rules = read_list(_PACKAGE, "rules.yaml", dict[str, _Rule])
    own = read_list(_PACKAGE, "bounds.yaml", dict[str, dict[str, _Bounds]])
    default = own.pop(DEFAULT)
    shipped = {DEFAULT: _rules(rules, default)}
    shipped |= {language: _rules(rules, {**default, **bounds}) for language, bounds in own.items()}
    lent = derived_bounds()
    for language, derived in lent.items():
        bounds = {**default, **derived.bounds}
        if derived.borrowed_from is not None:
            lender = derived.borrowed_from
            theirs = lent[lender].bounds if lender in lent else own.get(lender, {})
            borrowed = {
                rule: one.model_copy(update={"source": f"borrowed from {lender}"})
                for rule, one in theirs.items()
            }
            bounds = {**default, **borrowed, **derived.bounds}
        shipped[language] = _rules(rules, bounds)
    return shipped


@functools.cache
def derived_bounds() -> dict[str, LanguageBounds]:
    """Bounds by language that `tools/language_bounds.py` derived from clean text, or borrowed."""
    return read_list(_PACKAGE, "bounds_by_language.yaml", dict[str, LanguageBounds])


def _rules(rules: Mapping[str, _Rule], bounds: Mapping[str, _Bounds]) -> tuple[Rule, ...]:
    return tuple(
        Rule(
            name,
            bounds[name].value or rule.value,
            Bounded(minimum=bounds[name].min, maximum=bounds[name].max),
            rule.optional,
            rule.meaning,
            bounds[name].source,
        )
        for name, rule in rules.items()
    )


@functools.cache
def gopher_rules() -> dict[str, tuple[Rule, ...]]:
    """Gopher's rules by the program whose formulas they follow."""
    shipped = read_list(_PACKAGE, "gopher_variants.yaml", dict[str, list[_VariantRow]])
    return {
        program: tuple(
            Rule(row.rule, row.value, Bounded(minimum=row.min, maximum=row.max), row.optional)
            for row in rows
        )
        for program, rows in shipped.items()
    }


@functools.cache
def rule_names() -> frozenset[str]:
    """Names of all rules, of every language and program."""
    every = (checked_in_rules()[DEFAULT], *gopher_rules().values())
    return frozenset(rule.name for rules in every for rule in rules)


def bounds_language(label: str | None) -> str:
    """The language whose shipped bounds judge documents of this label: itself, its macrolanguage, or `default`."""
    shipped = checked_in_rules()
    for name in (label, macro(label) if label else None):
        if name is not None and name in shipped:
            return name
    return DEFAULT
