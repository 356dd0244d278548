"""Verdicts from values: which bounds a document is outside of, in the order of `bounds.yaml`."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.resources import files

import numpy as np
import yaml

from refinery.filters.config import RulesConfig
from refinery.filters.values import Floats
from schemas.errors import SettingsError
from schemas.settings import Bounded, nearest

RULES_VERSION = 1
DEFAULT = "default"


@dataclass(frozen=True)
class Rule:
    """A named bound on one value; a document outside has the name as a reason.

    An optional rule runs only where the recipe names it.
    """

    name: str
    value: str
    bounds: Bounded
    optional: bool = False


@functools.cache
def checked_in_rules() -> dict[str, tuple[Rule, ...]]:
    """Rules by language, as shipped."""
    data = yaml.safe_load(files("refinery.filters").joinpath("bounds.yaml").read_text("utf-8"))
    return {
        language: tuple(
            Rule(
                row["rule"],
                row["value"],
                Bounded(minimum=row.get("min"), maximum=row.get("max")),
                row.get("optional", False),
            )
            for row in rows
        )
        for language, rows in data.items()
    }


def rules_for(language: str, config: RulesConfig) -> tuple[Rule, ...]:
    """The rules of a language after the recipe's changes.

    Raises:
        SettingsError: The recipe names a rule that does not exist.
    """
    shipped = checked_in_rules()
    known = {rule.name for rules in shipped.values() for rule in rules}
    for name in (*config.disabled, *config.optional, *config.bounds):
        if name not in known:
            raise SettingsError(f"recipe.clean.rules: no rule '{name}'{nearest(name, known)}")
    if not config.enabled:
        return ()
    return tuple(
        replace(rule, bounds=config.bounds.get(rule.name, rule.bounds))
        for rule in shipped.get(language, shipped[DEFAULT])
        if rule.name not in config.disabled and (not rule.optional or rule.name in config.optional)
    )


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
