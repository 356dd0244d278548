"""Gopher's rules as other programs compute them, against verdicts that those programs gave."""

from __future__ import annotations

import pytest

from refinery.filters.config import GopherVariant, RulesConfig
from refinery.filters.gopher_variants import variant_values
from refinery.filters.rules import GOPHER, failed_rules, rules_for
from refinery.filters.shipped_rules import gopher_rules
from refinery.filters.values import compute_values
from refinery.text.batch import TextBatch
from tests.support.gopher_texts import texts

# What datatrove 0.10.1 with spaCy 3.8 says of these texts: the first reason of its repetition
# filter and of its quality filter, "" where it keeps. Made with that program, not with this one.
DATATROVE = {
    "plain": ("", ""),
    "plain with blank lines": ("", ""),
    "short": ("", "words"),
    "every line twice": ("dup_lines", ""),
    "one line of twelve twice": ("", ""),
    "one paragraph five times": ("dup_paragraph_chars", ""),
    "a phrase in every sentence": ("top_4gram", ""),
    "bullets": ("", "bullet_lines"),
    "round bullets": ("", "bullet_lines"),
    "stars": ("", ""),
    "lines that end in dots": ("", "ellipsis_lines"),
    "lines that end in an ellipsis": ("", "ellipsis_lines"),
    "hash tags": ("", "hash_ratio"),
    "hashes apart": ("top_2gram", "hash_ratio"),
    "numbers": ("top_3gram", "mean_word_chars"),
    "capitals": ("", "stop_words"),
    "long words": ("", "mean_word_chars"),
    "letters": ("top_2gram", "mean_word_chars"),
    "chinese": ("", "mean_word_chars"),
    "chinese twice": ("dup_lines", "mean_word_chars"),
}


def reasons_of(variant: GopherVariant) -> dict[str, list[str]]:
    """Failed rules of the variant alone, by text, without their group."""
    named = texts()
    languages = [language for _, language in named.values()]
    pages = [text for text, _ in named.values()]
    values = compute_values(TextBatch.of(pages)) | variant_values(pages, languages, variant)
    failed = failed_rules(values, languages, RulesConfig(gopher=variant))
    return {
        name: [reason.split(":")[1] for reason in reasons if reason.startswith(GOPHER)]
        for name, reasons in zip(named, failed, strict=True)
    }


def test_datatrove_gives_the_verdicts_of_datatrove() -> None:
    repetition = {rule.name.split(":")[1] for rule in gopher_rules()["datatrove"]
                  if rule.name.startswith("repetition:")}  # fmt: skip

    found = {
        name: (
            next((r for r in reasons if r in repetition), ""),
            next((r for r in reasons if r not in repetition), ""),
        )
        for name, reasons in reasons_of("datatrove").items()
    }

    assert found == DATATROVE


# By the formulas of each program: which lines are bullets, which ends ellipses, whether empty
# lines count as lines, whether capitals are stop words, which copies of a line count.
@pytest.mark.parametrize(
    ("variant", "expected"),
    [
        ("dolma", {
            "plain": [], "plain with blank lines": ["dup_lines"],
            "one line of twelve twice": ["dup_10gram"],
            "bullets": ["bullet_lines"], "round bullets": [], "stars": ["bullet_lines"],
            "lines that end in dots": [], "lines that end in an ellipsis": ["ellipsis_lines"],
            "capitals": ["stop_words"], "hash tags": ["symbol_ratio", "stop_words"],
        }),
        ("dclm", {
            "plain": [], "plain with blank lines": [],
            "one line of twelve twice": [f"dup_{n}gram" for n in range(6, 11)],
            "bullets": ["bullet_lines"], "round bullets": ["bullet_lines"],
            "stars": ["bullet_lines"], "lines that end in dots": ["ellipsis_lines"],
            "lines that end in an ellipsis": ["ellipsis_lines"], "capitals": [],
            "hash tags": ["symbol_ratio", "stop_words"],
        }),
        ("nemo", {
            "plain": [], "plain with blank lines": [], "one line of twelve twice": [],
            "bullets": [], "round bullets": ["bullet_lines"], "stars": [],
            "lines that end in dots": ["ellipsis_lines"],
            "lines that end in an ellipsis": ["ellipsis_lines"], "capitals": ["stop_words"],
            "hash tags": ["stop_words"],
        }),
    ],
)  # fmt: skip
def test_the_others_follow_their_formulas(
    variant: GopherVariant, expected: dict[str, list[str]]
) -> None:
    found = reasons_of(variant)

    assert {name: found[name] for name in expected} == expected


# One repeated 5-gram of ten letters, 32 characters, seven 5-grams, eleven words of two letters.
@pytest.mark.parametrize(
    ("variant", "share"),
    [("datatrove", 10 / 32), ("dolma", 20 / 70), ("dclm", 20 / 22), ("nemo", 14 / 32)],
)
def test_one_repetition_has_four_sizes(variant: GopherVariant, share: float) -> None:
    values = variant_values(["aa bb cc dd ee xx aa bb cc dd ee"], ["en"], variant)

    assert values[f"{variant}.dup_5gram_chars"][0] == pytest.approx(share)


def test_nemo_takes_too_few_words_for_repetition() -> None:
    values = variant_values(["two words"], ["en"], "nemo")

    assert values["nemo.top_3gram_chars"][0] == values["nemo.dup_10gram_chars"][0] == 1.0


def test_a_variant_replaces_our_gopher_rules_and_leaves_the_others() -> None:
    ours, theirs = (rules_for("zh", RulesConfig(gopher=v)) for v in (None, "dclm"))

    assert [r for r in theirs if not r.name.startswith(GOPHER)] == [
        r for r in ours if not r.name.startswith(GOPHER)
    ]
    assert all(r.value.startswith("dclm.") for r in theirs if r.name.startswith(GOPHER))


def test_every_bound_names_a_value_that_its_program_computes() -> None:
    for variant, rules in gopher_rules().items():
        values = variant_values(["one text."], ["en"], variant)
        assert {rule.value for rule in rules} == set(values)
