"""The first rule that a document fails, against a plain loop over the rules of its language."""

from __future__ import annotations

import numpy as np
import pytest

from refinery.filters.config import RulesConfig
from refinery.filters.rules import rules_for
from refinery.whatif.first_failed import FirstFailed


def first_failed(
    names: list[str], rows: list[list[float]], labels: list[str], config: RulesConfig
) -> list[str | None]:
    languages = list(dict.fromkeys(labels))
    found: list[str | None] = [None] * len(rows)
    for name, mask in FirstFailed(config).by_name(
        names,
        np.array(rows, np.float64).reshape(len(rows), len(names)),
        languages=languages,
        codes_N=np.array([languages.index(label) for label in labels], np.int32),
    ):
        for row in np.flatnonzero(mask):
            assert found[row] is None, "one reason for each document"
            found[row] = name
    return found


def expected(names: list[str], row: list[float], label: str, config: RulesConfig) -> str | None:
    values = dict(zip(names, row, strict=True))
    for rule in rules_for(label, config) if label else ():
        low, high = rule.bounds.minimum, rule.bounds.maximum
        value = values.get(rule.value, np.nan)
        if (low is not None and value < low) or (high is not None and value > high):
            return rule.name
    return None


@pytest.mark.parametrize("seed", range(4))
def test_random_documents_of_many_languages_fail_what_a_loop_over_rules_says(seed: int) -> None:
    random = np.random.default_rng(seed)
    config = RulesConfig()
    rules = [rule for label in ("en", "zh", "th") for rule in rules_for(label, config)]
    names = list(dict.fromkeys(rule.value for rule in rules))[seed:]
    edges = [x for r in rules for x in (r.bounds.minimum, r.bounds.maximum) if x is not None]
    rows = random.choice([*edges, 0.0, 1e9, -1e9, np.inf, -np.inf, np.nan], (300, len(names)))
    rows[random.random(rows.shape) < 0.9] = np.nan
    labels = random.choice(["en", "zh", "th", "de", "xx", ""], 300).tolist()

    found = first_failed(names, rows.tolist(), labels, config)

    assert found == [
        expected(names, row, label, config)
        for row, label in zip(rows.tolist(), labels, strict=True)
    ]
    assert len(set(found)) > 5


def test_bounds_are_inclusive_and_a_missing_value_fails_nothing() -> None:
    config = RulesConfig.model_validate(
        {"bounds": {"gopher:words": {"minimum": 50, "maximum": 60}}}
    )
    rows = [[49.0], [50.0], [60.0], [61.0], [np.nan]]

    assert first_failed(["words"], rows, ["en"] * 5, config) == [
        "gopher:words", None, None, "gopher:words", None,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("names", "rows", "labels"),
    [([], [], []), ([], [[], []], ["en", "zh"]), (["no such value"], [[1.0]], ["en"])],
)
def test_nothing_to_judge_fails_nothing(
    names: list[str], rows: list[list[float]], labels: list[str]
) -> None:
    assert first_failed(names, rows, labels, RulesConfig()) == [None] * len(rows)


def test_rules_that_are_off_fail_nothing() -> None:
    assert first_failed(["words"], [[1.0]], ["en"], RulesConfig(enabled=False)) == [None]
