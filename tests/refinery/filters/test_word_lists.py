from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from refinery.clean.cleaner import Cleaner
from refinery.clean.config import CleanConfig
from refinery.clean.pages import CleanDocument, Payload
from refinery.filters.config import WordListConfig
from refinery.filters.word_lists import find_words
from refinery.text.edits import apply_edits
from schemas.errors import SettingsError

TERMS = "# a comment\n\nbad\nbad apple\nПлохо\n坏蛋\nc++\n坏x\n"


@pytest.fixture
def terms(tmp_path: Path) -> str:
    (tmp_path / "terms.txt").write_text(TERMS, "utf-8")
    return str(tmp_path / "terms.txt")


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("A BAD day, not a badge or a forbad", "A * day, not a badge or a forbad"),
        ("bad\n  apple and bad apples", "* and * apples"),
        ("Это плохо, но неплохо", "Это *, но неплохо"),
        ("大坏蛋们", "大*们"),
        ("我bad你", "我*你"),  # Han beside it is no part of the word
        ("坏x 坏xy", "* 坏xy"),
        ("İ said c++ and c++11", "İ said * and *11"),
        ("a comment", "a comment"),
    ],
)
def test_terms_match_whole_words_and_han_anywhere(terms: str, text: str, masked: str) -> None:
    config = WordListConfig(uri=terms, action="mask", mask="*")

    counts, edits = find_words(text, {"x": config})

    assert apply_edits(text, [one.edit for one in edits]) == masked
    assert counts.get("words:x", 0) == len(edits)


def test_the_tree_finds_what_plain_alternatives_find(tmp_path: Path) -> None:
    generator = random.Random(2)
    listed = {
        "".join(generator.choices("abc ", k=generator.randint(1, 5))).strip() for _ in range(40)
    }
    listed = {" ".join(term.split()) for term in listed} - {""}
    (tmp_path / "t").write_text("\n".join(listed))
    text = "".join(generator.choices("abc  .", k=4000))
    longest = sorted(listed, key=lambda term: (-len(term), term))
    plain = "|".join(re.escape(term).replace(r"\ ", r"\s+") for term in longest)
    expected = [found.span() for found in re.finditer(rf"\b(?:{plain})\b", text)]

    _, edits = find_words(text, {"x": WordListConfig(uri=str(tmp_path / "t"), action="mask")})

    assert len(expected) > 50
    assert [(one.edit.start, one.edit.end) for one in edits] == expected


def test_categories_mark_mask_and_drop(tmp_path: Path) -> None:
    lists = {}
    for name, more in (
        ("soft", {}),
        ("mild", {"action": "mask"}),
        ("hard", {"action": "drop", "min_count": 2}),
    ):
        (tmp_path / name).write_text(f"{name}word\n")
        lists[name] = {"uri": str(tmp_path / name), **more}
    config = CleanConfig.model_validate(
        {"language": {"min_score": None}, "rules": {"enabled": False, "word_lists": lists}}
    )
    pages = ["one softword, mildword and hardword", "hardword hardword", "nothing"]
    payloads = [Payload(text.encode(), "text/plain", None) for text in pages]

    with Cleaner(config, {}) as cleaner:
        first, second, third = cleaner.clean(payloads)

    assert isinstance(first, CleanDocument)
    assert isinstance(second, CleanDocument)
    assert isinstance(third, CleanDocument)
    assert first.page.counters == {"words:soft": 1, "words:mild": 1, "words:hard": 1}
    assert [(one.edit.replacement, one.reason) for one in first.edits] == [
        ("<MASKED>", "words:mild")
    ]
    assert (first.reasons, second.reasons, third.reasons) == ([], ["words:hard"], [])
    assert third.page.counters == {}


def test_a_list_without_terms_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("# nothing\n")

    with pytest.raises(SettingsError, match="holds no term"):
        find_words("x", {"x": WordListConfig(uri=str(tmp_path / "empty"))})
