"""Judge documents by their values: rules are bounds, in the order of `rules.yaml`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from refinery.filters.config import RulesConfig
from refinery.filters.shipped_rules import (
    DEFAULT,
    Rule,
    bounds_language,
    checked_in_rules,
    gopher_rules,
    rule_names,
)
from refinery.filters.values import Floats
from refinery.text.language_labels import macro
from schemas.errors import SettingsError
from schemas.settings import Bounded, nearest

RULES_VERSION = 4
# Prefixes of the rules of Rae et al. 2021, which a variant replaces.
GOPHER = ("gopher:", "repetition:")
# Prefix of rules on values that the recipe's own functions return.
PYTHON = "python:"


def check_rules(config: RulesConfig) -> None:
    """Refuse names of rules and languages that do not exist, and bounds that no value can meet.

    Raises:
        SettingsError: With all faults.
    """
    known, faults = rule_names(), []
    labels = set(checked_in_rules()) - {DEFAULT}
    flat, by_language = config.flat_bounds, config.language_bounds
    turned = [name for name in by_language if name in known]
    faults += [
        f"bounds: the language comes first: {{{next(iter(by_language[name]), 'en')}: {{{name}: ...}}}}"
        for name in turned
    ]
    by_language = {name: own for name, own in by_language.items() if name not in turned}
    for language in by_language:
        if not language.isalpha() or not 2 <= len(language) <= 3:
            label = re.split("[-_]", language)[0].lower()
            hint = nearest(language, set(known)) if ":" in language else nearest(label, labels)
            faults.append(f"bounds: no language '{language}'{hint}")
    named = [*config.disabled, *config.optional, *flat]
    named += [name for bounds in by_language.values() for name in bounds]
    for name in dict.fromkeys(named):
        if name not in known and not name.startswith(PYTHON):
            faults.append(f"no rule '{name}'{nearest(name, set(known))}")
    if not faults:
        faults = [fault for label in (*labels, *by_language) for fault in _crossed(label, config)]
    if faults:
        lines = "\n  ".join(dict.fromkeys(faults))
        raise SettingsError(f"recipe.clean.rules: {lines}")


def _crossed(language: str, config: RulesConfig) -> Iterator[str]:
    for rule in _shipped(language, config):
        for own in _own_bounds(rule.name, language, config):
            low, high = _ends(own, rule.bounds)
            if low is not None and high is not None and low > high:
                yield (
                    f"bounds of {rule.name} for '{language}': minimum {low:g} is above maximum {high:g}, "
                    "of which one is the shipped one; give both"
                )


def bounds_group(label: str | None, config: RulesConfig) -> str:
    """The name under which documents of a label are judged: `rules_for` of it gives their rules.

    A language that the recipe or the program has bounds for, the language that it is a kind of, or
    `default`.
    """
    for name in (label, macro(label) if label else None):
        if name is not None and name in config.language_bounds:
            return name
    return bounds_language(label)


def bounds_groups(config: RulesConfig) -> tuple[str, ...]:
    """All names that `bounds_group` may give."""
    return tuple(dict.fromkeys((*checked_in_rules(), *config.language_bounds)))


def rules_for(language: str, config: RulesConfig) -> tuple[Rule, ...]:
    """The rules that judge documents of a language after the recipe's changes.

    Bounds are the recipe's for the language, then the recipe's for all languages, then the shipped
    ones; an end that the recipe does not give stays.

    Raises:
        SettingsError: The recipe names a rule that does not exist.
    """
    known = rule_names()
    for name in (*config.disabled, *config.optional, *config.flat_bounds):
        if name not in known and not name.startswith(PYTHON):
            raise SettingsError(f"recipe.clean.rules: no rule '{name}'{nearest(name, set(known))}")
    if not config.enabled:
        return ()
    chosen = [
        replace(rule, bounds=_bounds(rule, language, config))
        for rule in (*_shipped(language, config), *_own_rules(language, config))
        if rule.name not in config.disabled and (not rule.optional or rule.name in config.optional)
    ]
    return tuple(rule for rule in chosen if rule.is_bounded)


def _bounds(rule: Rule, language: str, config: RulesConfig) -> Bounded:
    bounds = rule.bounds
    for own in _own_bounds(rule.name, language, config):
        low, high = _ends(own, bounds)
        bounds = Bounded(minimum=low, maximum=high)
    return bounds


def _ends(own: Bounded, shipped: Bounded) -> tuple[float | None, float | None]:
    given = own.model_fields_set
    return (
        own.minimum if "minimum" in given else shipped.minimum,
        own.maximum if "maximum" in given else shipped.maximum,
    )


def _own_bounds(rule: str, language: str, config: RulesConfig) -> Iterator[Bounded]:
    """The recipe's bounds of a rule: for all languages, for the macrolanguage, for the language itself."""
    if rule in config.flat_bounds:
        yield config.flat_bounds[rule]
    for label in dict.fromkeys((macro(language), language)):
        bounds = config.language_bounds.get(label, {})
        if rule in bounds:
            yield bounds[rule]


def _own_rules(language: str, config: RulesConfig) -> list[Rule]:
    """Rules on values of the recipe's own functions, which exist where the recipe bounds them."""
    names = dict.fromkeys(
        name
        for bounds in (config.flat_bounds, *config.language_bounds.values())
        for name in bounds
        if name.startswith(PYTHON)
    )
    return [Rule(name, name, Bounded(), source="the recipe") for name in names]


def _shipped(language: str, config: RulesConfig) -> tuple[Rule, ...]:
    """Our rules of a language; with `config.gopher` a program's rules replace those of Gopher."""
    ours = checked_in_rules()[bounds_language(language)]
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
            if (
                rule.value not in values
            ):  # a function of the recipe gave no such value in this group
                continue
            column = values[rule.value][members]
            outside = np.zeros(len(members), bool)
            if rule.bounds.minimum is not None:
                outside |= column < rule.bounds.minimum
            if rule.bounds.maximum is not None:
                outside |= column > rule.bounds.maximum
            for member in members[outside]:
                reasons[member].append(rule.name)
    return reasons
