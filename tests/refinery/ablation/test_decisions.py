"""Which decisions a recipe takes, what switches each off, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from refinery.ablation.decisions import (
    Arm,
    Changes,
    arm_with,
    arm_without,
    changed,
    check_names,
    decisions_of,
)
from refinery.clean.config import CleanConfig
from refinery.clean.rejudging import reasons_under
from refinery.recipe import RefineSettings
from schemas.errors import SettingsError
from schemas.settings import parse_settings


def _settings(**recipe: Any) -> RefineSettings:
    plain = {"name": "some", "sources": [{"name": "web", "uri": "web", "format": "warc"}], **recipe}
    return parse_settings(RefineSettings, {"recipe": plain, "runtime": {"output": "out"}}, where="")


FULL = _settings(
    heads={"harm": {"model": "m.bin"}},
    quality={"positive": ["web"], "negative": ["web"]},
    clean={
        "quality": {"min_score": 0.5},
        "heads": {"harm": {"max_score": 0.8}},
        "rules": {
            "urls": {"domains": ["x.org"]},
            "lines": ["c4"],
            "max_removed_words": 0.05,
            "word_lists": {"slurs": {"uri": "l", "action": "drop"}, "mild": {"uri": "l"}},
        },
    },
    mixture={"rehydrate": {"factors": {1: 1, 2: 2}}, "weights": {"web": 1}},
)


def test_every_decision_of_a_recipe_has_a_name() -> None:
    plain = [name for name in decisions_of(FULL.recipe) if ":" not in name]

    assert plain == [
        "rules", "rules.gopher", "rules.symbols", "rules.repetition", "rules.fineweb", "rules.urls",
        "rules.max_removed_words", "rules.word_lists.slurs", "language", "quality", "heads.harm", "dedup", "mixture",
        "mixture.rehydrate",
    ]  # fmt: skip


def test_each_decision_can_be_switched_off_and_is_then_gone() -> None:
    for name in decisions_of(FULL.recipe):
        if name == "dedup":
            name = "dedup+mixture.rehydrate"  # copies for removed ones need removed ones
        arm = arm_without(name, FULL.recipe)

        after = changed(FULL, arm, output="o", tables="t").recipe

        assert not set(arm.decisions) & set(decisions_of(after)), name


def test_settings_that_are_not_named_stay() -> None:
    arm = arm_without("rules.gopher", FULL.recipe)

    after = changed(FULL, arm, output="o", tables="t")

    rules = after.recipe.clean.rules
    assert rules.model_copy(update={"disabled": ()}) == FULL.recipe.clean.rules
    assert "gopher:words" in rules.disabled
    assert (after.runtime.output, after.runtime.tables_uri) == ("o", "t")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("dedupe", "did you mean 'dedup'?"),
        ("rules.gopher:word", "did you mean 'rules.gopher:words'?"),
        ("decontaminate", "takes no such decision"),
        ("rules.lines", "changes texts"),
        ("extract.method", "changes texts"),
        ("dedup+rules.gophr", "did you mean 'rules.gopher'?"),
    ],
)
def test_what_a_recipe_does_not_decide_is_refused(name: str, told: str) -> None:
    with pytest.raises(SettingsError) as error:
        arm_without(name, FULL.recipe)

    assert told in str(error.value)


def test_removal_over_dumps_cannot_be_taken_back() -> None:
    recipe = _settings(dedup={"earlier": ["runs/1"]}).recipe

    with pytest.raises(SettingsError, match="clusters across runs are not known"):
        arm_without("dedup", recipe)


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        ([], "expected a name other than"),
        (["clean.rules.bounds.gopher:words={minimum: 5}"], "key below clean.quality"),
        (["mixture.rehydrate"], "expected KEY=VALUE"),
    ],
)
def test_arms_of_other_settings_are_judged(overrides: list[str], told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        arm_with("other", overrides, recipe=FULL.recipe)


def test_an_arm_of_other_settings_is_read_as_yaml() -> None:
    arm = arm_with("hot", ["recipe.mixture.rehydrate={factors: {1: 2, 3: 4}}"], recipe=FULL.recipe)

    after = changed(FULL, arm, output="o", tables="t").recipe

    assert after.mixture.rehydrate is not None
    assert after.mixture.rehydrate.factors == {1: 2.0, 3: 4.0}


def test_an_arm_is_given_once() -> None:
    arm = Arm(name="without dedup", changes=Changes())

    with pytest.raises(SettingsError, match="is there twice"):
        check_names([arm, arm])


@pytest.mark.parametrize(
    ("clean", "before", "scores", "after"),
    [
        ({}, ["gopher:words", "language:unsure"], {}, ["gopher:words", "language:unsure"]),
        ({"rules": {"enabled": False}}, ["url:domain", "gopher:words"], {}, []),
        ({"rules": {"disabled": ["gopher:words"]}}, ["gopher:words", "symbols:text_share"], {}, ["symbols:text_share"]),
        ({"language": {"min_score": None}}, ["language:unsure"], {}, []),
        ({"rules": {"enabled": False}}, ["verdict:shouting"], {}, ["verdict:shouting"]),
        ({"quality": {"min_score": 0.5}}, ["quality:score"], {"quality": 0.6}, []),
        ({"quality": {"min_score": 0.5}}, [], {"quality": 0.4}, ["quality:score"]),
        ({"quality": {"top": {"fraction": 0.5}}}, ["top:quality"], {"quality": 0.4}, []),
        ({"quality": {"min_score": 0.5}}, ["excluded"], {}, ["excluded"]),
    ],
)  # fmt: skip
def test_a_switched_off_decision_takes_its_reason_alone(
    clean: dict[str, Any], before: list[str], scores: dict[str, float], after: list[str]
) -> None:
    config = parse_settings(CleanConfig, clean, where="")

    assert reasons_under(config, before, scores, "id") == after
