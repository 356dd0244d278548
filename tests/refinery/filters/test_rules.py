"""Bounds on values: which rules run for a language, and what a document outside of them is told."""

from __future__ import annotations

import numpy as np
import pytest

from refinery.filters.config import RulesConfig
from refinery.filters.rules import (
    checked_in_rules,
    failed_rules,
    gopher_rules,
    rule_names,
    rules_for,
)
from refinery.filters.values import compute_values
from refinery.text.batch import TextBatch
from schemas.errors import SettingsError
from schemas.settings import Bounded


def test_reasons_come_in_the_order_of_the_rules_and_by_language() -> None:
    texts = ["too short", "短文"]
    values = compute_values(TextBatch.of(texts))

    english, chinese = failed_rules(values, ["en", "zh"], RulesConfig())

    assert english[0] == "gopher:words"
    order = [rule.name for rule in checked_in_rules()["en"]]
    assert english == sorted(english, key=order.index)
    assert chinese[0] == "gopher:words"


def test_bounds_are_inclusive() -> None:
    values = compute_values(TextBatch.of(["one two three"]))
    exact = RulesConfig(bounds={"gopher:words": Bounded(minimum=3, maximum=3)})
    above = RulesConfig(bounds={"gopher:words": Bounded(minimum=4)})

    assert "gopher:words" not in failed_rules(values, ["en"], exact)[0]
    assert "gopher:words" in failed_rules(values, ["en"], above)[0]


def test_a_misspelt_rule_names_its_neighbour() -> None:
    with pytest.raises(SettingsError, match="did you mean 'gopher:words'"):
        rules_for("en", RulesConfig(disabled=("gopher:word",)))


def test_every_number_has_a_provenance() -> None:
    from importlib.resources import files

    text = files("refinery.filters").joinpath("bounds.yaml").read_text("utf-8")
    rows = [line for line in text.splitlines() if line.strip().startswith("- {")]

    assert rows
    assert all("#" in row for row in rows)


def names(language: str, config: RulesConfig) -> list[str]:
    return [rule.name for rule in rules_for(language, config)]


def test_a_language_without_rules_of_its_own_has_the_default_ones() -> None:
    assert "sw" not in checked_in_rules()
    assert rules_for("sw", RulesConfig()) == tuple(
        rule for rule in checked_in_rules()["default"] if not rule.optional
    )


def test_an_optional_rule_runs_only_by_name() -> None:
    optional = next(rule.name for rule in checked_in_rules()["en"] if rule.optional)

    assert optional not in names("en", RulesConfig())
    assert optional in names("en", RulesConfig(optional=(optional,)))


def test_rules_are_switched_off_one_by_one_or_all() -> None:
    assert "gopher:words" in names("en", RulesConfig())
    assert "gopher:words" not in names("en", RulesConfig(disabled=("gopher:words",)))
    assert names("en", RulesConfig(enabled=False)) == []


def test_the_rules_of_a_program_come_before_ours_that_are_not_gophers() -> None:
    chosen = names("en", RulesConfig(gopher="dolma"))

    num = len(gopher_rules()["dolma"])
    assert chosen[:num] == [rule.name for rule in gopher_rules()["dolma"]]
    assert chosen[num:]
    assert not [name for name in chosen[num:] if name.startswith(("gopher:", "repetition:"))]


def test_every_rule_that_runs_has_a_known_name() -> None:
    every = {name for language in checked_in_rules() for name in names(language, RulesConfig())}

    assert every <= rule_names()


def test_each_language_of_a_batch_is_judged_by_its_own_rules() -> None:
    bounds = {"gopher:words": Bounded(minimum=2)}
    config = RulesConfig(bounds=bounds)
    values = {rule.value: np.zeros(3) for rule in rules_for("en", config)}
    values |= {rule.value: np.zeros(3) for rule in rules_for("zh", config)}
    values["words"] = np.array([1.0, 2.0, 1.0])

    failed = failed_rules(values, ["en", "zh", "zh"], config)

    assert ["gopher:words" in reasons for reasons in failed] == [True, False, True]
