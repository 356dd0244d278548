"""Which settings a ledger answers for."""

from __future__ import annotations

import pytest

from jobs.command.whatif_settings import changed_settings, clean_key
from refinery.clean.config import CleanConfig
from refinery.filters.rules import rules_for


@pytest.mark.parametrize("prefix", ["", "clean.", "recipe.clean."])
def test_a_key_is_taken_with_and_without_its_prefix(prefix: str) -> None:
    assert clean_key(f"{prefix}quality.min_score=0.5") == "quality.min_score=0.5"


def test_what_is_not_set_stays_as_the_run_had_it() -> None:
    had = CleanConfig.model_validate({"language": {"min_score": 0.9}}).model_dump(mode="json")

    changed = changed_settings(had, ["rules.bounds.gopher:words={minimum: 7}"])

    assert changed.language.min_score == 0.9
    words = next(rule for rule in rules_for("en", changed.rules) if rule.name == "gopher:words")
    assert words.bounds.minimum == 7
