"""Judge documents by their values: rules are bounds, in the order of `bounds.yaml`."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from refinery.filters.config import RulesConfig
from refinery.filters.values import Floats
from schemas.errors import SettingsError
from schemas.settings import Bounded, Settings, nearest
from schemas.yaml_files import read_list

RULES_VERSION = 2
DEFAULT = "default"
# Prefixes of the rules of Rae et al. 2021, which a variant replaces.
GOPHER = ("gopher:", "repetition:")


@dataclass(frozen=True)
class Rule:
    """A named bound on one value; a document outside has the name as a reason.

    An optional rule runs only where the recipe names it.
    """

    name: str
    value: str
    bounds: Bounded
    optional: bool = False


class _Row(Settings):
    """A line of a shipped list of rules."""

    rule: str
    value: str
    min: float | None = None
    max: float | None = None
    optional: bool = False


@functools.cache
def checked_in_rules() -> dict[str, tuple[Rule, ...]]:
    """Rules by language from `bounds.yaml`."""
    return _read("bounds.yaml")


@functools.cache
def gopher_rules() -> dict[str, tuple[Rule, ...]]:
    """Gopher's rules by the program whose formulas they follow."""
    return _read("gopher_variants.yaml")


def _read(name: str) -> dict[str, tuple[Rule, ...]]:
    shipped = read_list("refinery.filters", name, dict[str, list[_Row]])
    return {
        group: tuple(
            Rule(row.rule, row.value, Bounded(minimum=row.min, maximum=row.max), row.optional)
            for row in rows
        )
        for group, rows in shipped.items()
    }


@functools.cache
def rule_names() -> frozenset[str]:
    """Names of all rules, of every language and program."""
    every = (*checked_in_rules().values(), *gopher_rules().values())
    return frozenset(rule.name for rules in every for rule in rules)


def rules_for(language: str, config: RulesConfig) -> tuple[Rule, ...]:
    """The rules of a language after the recipe's changes.

    Raises:
        SettingsError: The recipe names a rule that does not exist.
    """
    known = rule_names()
    for name in (*config.disabled, *config.optional, *config.bounds):
        if name not in known:
            raise SettingsError(f"recipe.clean.rules: no rule '{name}'{nearest(name, set(known))}")
    if not config.enabled:
        return ()
    return tuple(
        replace(rule, bounds=config.bounds.get(rule.name, rule.bounds))
        for rule in _shipped(language, config)
        if rule.name not in config.disabled and (not rule.optional or rule.name in config.optional)
    )


def _shipped(language: str, config: RulesConfig) -> tuple[Rule, ...]:
    """Our rules of a language; with `config.gopher` a program's rules replace those of Gopher."""
    shipped = checked_in_rules()
    ours = shipped.get(language, shipped[DEFAULT])
    if config.gopher is None:
        return ours
    others = (rule for rule in ours if not rule.name.startswith(GOPHER))
    return (*gopher_rules()[config.gopher], *others)


def failed_rules(
    values: Mapping[str, Floats], languages: list[str], config: RulesConfig
) -> list[list[str]]:
    """The reasons of each document, in the order of its language's rules."""
    reasons: list[list[str]] = [[] for _ in languages]
    labels = np.array(languages, dtype=object)
    for language in dict.fromkeys(languages):
        members = np.flatnonzero(labels == language)
        for rule in rules_for(language, config):
            column = values[rule.value][members]
            outside = np.zeros(len(members), bool)
            if rule.bounds.minimum is not None:
                outside |= column < rule.bounds.minimum
            if rule.bounds.maximum is not None:
                outside |= column > rule.bounds.maximum
            for member in members[outside]:
                reasons[member].append(rule.name)
    return reasons
