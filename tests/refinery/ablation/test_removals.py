"""What each decision speaks against, counted by hand from a few reasons."""

from __future__ import annotations

from refinery.ablation.removals import Removal, removals_of
from refinery.recipe import RefineSettings
from schemas.settings import parse_settings

SETTINGS = {
    "recipe": {
        "name": "some",
        "sources": [{"name": n, "uri": n, "format": "text"} for n in ("t", "u")],
        "clean": {
            "language": {"languages": ["en"]},
            "rules": {"word_lists": {"slurs": {"uri": "words.txt", "action": "drop"}}},
            "quality": {"min_score": 0.5},
            "heads": {"toxic": {"max_score": 0.9, "pareto": {"alpha": 9}}},
        },
        "quality": {"positive": ["t"], "negative": ["u"]},
        "heads": {"toxic": {"model": "t.bin"}},
    },
    "runtime": {"output": "out"},
}
REASONS = [
    (("gopher:words",), 10),
    (("gopher:words", "gopher:hash_ratio", "repetition:top_2gram"), 3),
    (("language:unwanted", "gopher:words"), 5),
    (("quality:score",), 7),
    (("head:toxic", "pareto:toxic"), 2),
    (("quality:score", "pareto:toxic"), 1),
    (("excluded",), 100),
]


def counts(fates: dict[str, int] | None = None) -> dict[str, Removal]:
    settings = parse_settings(RefineSettings, SETTINGS, where="recipe")
    return dict(removals_of(settings, REASONS, fates or {}))


def test_a_decision_stands_alone_where_no_other_one_has_a_reason() -> None:
    found = counts()

    assert found["rules.gopher:words"] == Removal(against=18, alone=10)
    assert found["rules.gopher"] == Removal(against=18, alone=10)
    assert found["rules.repetition"] == Removal(against=3, alone=0)
    assert found["rules"] == Removal(against=18, alone=13)
    assert found["language"] == Removal(against=5, alone=0)
    assert found["quality"] == Removal(against=8, alone=7)
    assert found["heads.toxic"] == Removal(against=3, alone=2)
    assert found["rules.word_lists.slurs"] == Removal(against=0, alone=0)


def test_later_stages_remove_what_no_other_stage_does() -> None:
    found = counts({"duplicate": 4, "kept": 50})

    assert found["dedup"] == Removal(against=4, alone=4)
    assert "decontaminate" not in found, "the recipe names no benchmarks"
