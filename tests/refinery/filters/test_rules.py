"""Bounds on values: which rules run for a language, and what a document outside of them is told."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from refinery.filters.config import RulesConfig
from refinery.filters.rules import bounds_group, check_rules, failed_rules, rules_for
from refinery.filters.shipped_rules import (
    checked_in_rules,
    derived_bounds,
    gopher_rules,
    rule_names,
)
from refinery.filters.values import compute_values
from refinery.text.batch import TextBatch
from schemas.errors import SettingsError
from schemas.fingerprints import canonical_json
from schemas.settings import Bounded, parse_settings


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


def test_every_bound_has_a_source_and_every_value_a_meaning() -> None:
    for rules in checked_in_rules().values():
        assert all(rule.source and rule.meaning for rule in rules)
    for language in derived_bounds().values():
        assert (language.documents > 0) != (language.borrowed_from is not None)


def names(language: str, config: RulesConfig) -> list[str]:
    return [rule.name for rule in rules_for(language, config)]


def test_a_language_without_rules_of_its_own_has_the_default_ones() -> None:
    assert "sw" not in checked_in_rules()
    assert rules_for("sw", RulesConfig()) == tuple(
        rule for rule in checked_in_rules()["default"] if not rule.optional and rule.is_bounded
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


def bounds_of(rule: str, language: str, config: RulesConfig) -> tuple[float | None, float | None]:
    (found,) = (one for one in rules_for(language, config) if one.name == rule)
    return found.bounds.minimum, found.bounds.maximum


def test_half_a_range_changes_that_half() -> None:
    config = parse_settings(RulesConfig, {"bounds": {"gopher:words": {"minimum": 1}}}, where="x")

    assert bounds_of("gopher:words", "en", config) == (1, 100_000)
    assert bounds_of("gopher:words", "zh", config) == (1, 200_000)


def test_null_opens_an_end() -> None:
    plain = {"bounds": {"gopher:words": {"maximum": None}}}

    assert bounds_of("gopher:words", "en", parse_settings(RulesConfig, plain, where="x")) == (
        50,
        None,
    )


def test_the_bounds_of_a_language_go_before_those_of_all() -> None:
    plain = {"bounds": {"gopher:words": {"minimum": 7}, "zh": {"gopher:words": {"minimum": 9}}}}
    config = parse_settings(RulesConfig, plain, where="x")

    assert bounds_of("gopher:words", "en", config)[0] == 7
    assert bounds_of("gopher:words", "zh", config) == (9, 200_000)
    assert bounds_of("gopher:words", "yue", config) == (9, 200_000)  # Cantonese is Chinese
    assert bounds_group("yue", config) == "zh"
    assert bounds_group("sw", config) == "default"


def test_a_range_and_half_of_it_are_two_settings_and_survive_writing() -> None:
    half, whole = ({"minimum": 1}, {"minimum": 1, "maximum": None})
    configs = [
        parse_settings(RulesConfig, {"bounds": {"en": {"gopher:words": one}}}, where="x")
        for one in (half, whole)
    ]

    assert canonical_json(configs[0]) != canonical_json(configs[1])
    for config in configs:
        again = RulesConfig.model_validate(config.model_dump(mode="json"))
        assert bounds_of("gopher:words", "en", again) == bounds_of("gopher:words", "en", config)
        assert pickle.loads(pickle.dumps(config)) == config


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ({"zh": {"gopher:wrods": {"minimum": 1}}}, "did you mean 'gopher:words'"),
        (
            {"gopher:words": {"zh": {"minimum": 1}}},
            r"rules: bounds: the language comes first: {zh: {gopher:words: \.\.\.}}$",
        ),
        ({"zh-CN": {"gopher:words": {"minimum": 1}}}, "no language 'zh-CN'; did you mean 'zh'"),
        (
            {"gopher:words": {"minimum": 150_000}},
            "for 'en': minimum 150000 is above maximum 100000",
        ),
    ],
)
def test_bounds_that_cannot_be_meant_are_refused(bounds: dict[str, object], message: str) -> None:
    config = parse_settings(RulesConfig, {"bounds": bounds}, where="x")

    with pytest.raises(SettingsError, match=message):
        check_rules(config)


def test_a_misspelt_end_is_named_where_it_stands() -> None:
    with pytest.raises(SettingsError, match=r"bounds\.zh\.gopher:words\.minimun"):
        parse_settings(RulesConfig, {"bounds": {"zh": {"gopher:words": {"minimun": 1}}}}, where="x")
