"""Line rules of a batch against each line judged by itself, in plain Python."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refinery.filters.citations import citations, indexes
from refinery.filters.config import LineRules
from refinery.filters.lines import TRIMS, line_edits, removed_word_fractions, sentences_left
from refinery.filters.values import compute_values
from refinery.text.batch import TextBatch
from refinery.text.edits import apply_edits

WORD = re.compile("[\u4e00-\u9fff]|[a-zA-Z0-9]+")
COUNTER = re.compile(r"\W*\d[\d,.]* ?(likes?|views|条评论)\W*", re.IGNORECASE)


def verdict(line: str, rules: LineRules) -> str | None:
    """Why a line is dropped, by the words of the rules."""
    words, lower = WORD.findall(line), line.lower()
    if rules == "c4" and (line[-1] not in ".?!\"'。？！…”’」』；" or line.endswith("...")):
        return "c4:no_terminal_mark"
    if rules != "refinedweb":
        if "javascript" in lower:
            return "c4:javascript"
        if "privacy policy" in lower or "隐私政策" in lower:
            return "c4:policy"
        if len(words) < 3 and len(line.split()) < 3:
            return "c4:few_words"
        return None
    if sum(map(str.isupper, line)) / len(line) > 0.5:
        return "refinedweb:upper_case"
    if all(map(str.isdigit, line)):
        return "refinedweb:digits"
    if COUNTER.fullmatch(line):
        return "refinedweb:counter"
    return "refinedweb:one_word" if len(words) < 2 else None


def trims(line: str, rules: LineRules, *, is_prose: bool) -> str:
    """A line that stays, without what is cut inside of it."""
    if rules != "refinedweb":
        if not is_prose:
            return line
        # Which brackets are citations is for test_citations.py to say, one line at a time.
        for match in reversed(list(citations(line))):
            line = line[: match.start()] + line[match.end() :]
        return line
    if len(WORD.findall(line)) > 10:
        return line
    line = re.sub(r"(read more|查看更多)\W{0,20}$", "", line, count=1, flags=re.IGNORECASE)
    return re.sub(r"^\W{0,20}sign in", "", line, count=1, flags=re.IGNORECASE)


def by_hand(text: str, rules: LineRules) -> tuple[str, list[str]]:
    """The text after the rules, and the reasons of dropped lines."""
    kept, reasons = [], []
    is_prose = not indexes(text)
    for raw in text.split("\n"):
        line = raw.strip()
        reason = verdict(line, rules) if line else None
        if reason is not None:
            reasons.append(reason)
            continue
        kept.append(raw.replace(line, trims(line, rules, is_prose=is_prose)) if line else raw)
    return "\n".join(kept), reasons


PIECES = st.sampled_from(
    ["a", "It", "NOW", "7", "42", "天", "好。", ".", "...", "?", "[12]", "[12][", "[", "JavaScript", "likes",
     "privacy policy", "隐私政策", "条评论", "Sign in", "Read more", "查看更多", "-", "，", "  ", "\t"]
)  # fmt: skip
LINES = st.lists(PIECES, max_size=13).flatmap(
    lambda pieces: st.sampled_from([" ".join(pieces), "".join(pieces)])
)
TEXTS = st.lists(
    st.lists(LINES, max_size=5).map("\n".join).map(lambda text: text.rstrip("\n")),
    min_size=1, max_size=4,
)  # fmt: skip


@pytest.mark.parametrize("rules", ["c4", "c4_without_marks", "refinedweb"])
@settings(max_examples=250, deadline=None)
@given(texts=TEXTS)
def test_a_batch_gives_what_each_line_gives_by_itself(rules: LineRules, texts: list[str]) -> None:
    cut = line_edits(TextBatch.of(texts), (rules,))

    for text, found, counts in zip(texts, cut.edits, cut.counts, strict=True):
        rest, reasons = by_hand(text, rules)
        # The last line's end has nothing to take with it.
        assert apply_edits(text, [one.edit for one in found]).rstrip("\n") == rest.rstrip("\n")
        dropped = {name: n for name, n in counts.items() if name not in TRIMS}
        assert dropped == Counter(reasons)


@settings(max_examples=150, deadline=None)
@given(texts=TEXTS)
def test_sentences_and_words_left_are_those_of_the_edited_text(texts: list[str]) -> None:
    batch = TextBatch.of(texts)
    edits = line_edits(batch, ("c4_without_marks",)).edits
    after = [apply_edits(t, [e.edit for e in found]) for t, found in zip(texts, edits, strict=True)]

    assert (
        sentences_left(batch, edits).tolist()
        == compute_values(TextBatch.of(after))["sentences"].tolist()
    )

    dropped = [[e for e in found if e.reason != "c4:citation"] for found in edits]
    fractions = removed_word_fractions(batch, dropped).tolist()
    for text, found, fraction in zip(texts, dropped, fractions, strict=True):
        total = len(WORD.findall(text))
        rest = len(WORD.findall(apply_edits(text, [e.edit for e in found])))
        assert fraction == pytest.approx((total - rest) / total if total else 0)
