"""Counts and repetition of random and hostile texts against plain Python."""

from __future__ import annotations

import itertools
import random
import re
from collections import Counter

import numpy as np
import pytest

from refinery.filters.counting import count_words, is_in
from refinery.filters.repetition import DUPLICATE_NGRAMS, TOP_NGRAMS, repeated_chars
from refinery.filters.values import compute_values, count_sentences
from refinery.text.batch import TextBatch

WORDS = (
    "a",
    "bb",
    "ccc",
    "lorem",
    "ipsum",
    "the",
    "的",
    "年",
    "12",
    "_",
    "•",
    "...",
    "…",
    "{",
    "#",
)
ENDS = (" ", " ", " ", "\n", "\n\n", ". ", "! B", "。", "？”")


def random_texts(seed: int) -> list[str]:
    source = random.Random(seed)
    return [
        "".join(
            source.choice(WORDS) + source.choice(ENDS)
            for _ in range(source.choice((0, 1, 4, 40, 150)))
        )
        for _ in range(source.randrange(1, 5))
    ]


def share(part: int, whole: list[str]) -> float:
    return part / len(whole) if whole else 0.0


def tokens_of(text: str) -> list[str]:
    batch = TextBatch.of([text])
    spans = zip(batch.token_starts.tolist(), batch.token_ends.tolist(), strict=True)
    return [text[start:end].lower() for start, end in spans]


@pytest.mark.parametrize("seed", range(15))
def test_repeated_ngrams_are_those_of_a_counter(seed: int) -> None:
    texts = random_texts(seed)

    top, inside = repeated_chars(TextBatch.of(texts))

    for document, text in enumerate(texts):
        tokens = tokens_of(text)
        for n in range(2, 11):
            starts = range(max(0, len(tokens) - n + 1))
            counts = Counter(tuple(tokens[i : i + n]) for i in starts)
            if n in TOP_NGRAMS:
                most = max(
                    (len("".join(g)) * times for g, times in counts.items() if times > 1),
                    default=0,
                )
                assert top[document, TOP_NGRAMS.index(n)] == most
            if n in DUPLICATE_NGRAMS:
                covered = {
                    token
                    for i in starts
                    if counts[tuple(tokens[i : i + n])] > 1
                    for token in range(i, i + n)
                }
                chars = sum(len(tokens[token]) for token in covered)
                assert inside[document, DUPLICATE_NGRAMS.index(n)] == chars


@pytest.mark.parametrize("seed", range(15))
def test_values_are_those_of_plain_python(seed: int) -> None:
    texts = random_texts(seed)

    found = compute_values(TextBatch.of(texts))

    for document, text in enumerate(texts):
        words = tokens_of(text)
        lines = [line.strip() for line in text.split("\n") if line.strip()]
        paragraphs = [p.strip() for p in re.split(r"\n[^\S\n]*\n\s*", text.strip()) if p.strip()]
        expected = {
            "words": len(words),
            "stop_words": len({"the"} & set(words)),
            "stop_chars": len({"的", "年"} & set(words)),
            "hash_ratio": share(text.count("#"), words),
            "ellipsis_ratio": share(len(re.findall(r"\.{3,}|…", text)), words),
            "curly_brackets": text.count("{"),
            "newline_ratio": share(text.count("\n"), words),
            "lines": len(lines),
            "lorem_ipsum": sum(pair == ("lorem", "ipsum") for pair in itertools.pairwise(words)),
            "dup_line_fraction": share(len(lines) - len(set(lines)), lines),
            "dup_paragraph_fraction": share(len(paragraphs) - len(set(paragraphs)), paragraphs),
            "bullet_line_fraction": share(sum(line[0] == "•" for line in lines), lines),
            "alpha_word_fraction": share(sum(any(map(str.isalpha, word)) for word in words), words),
        }
        assert {name: found[name][document] for name in expected} == expected


def test_dots_at_the_end_of_one_text_and_the_begin_of_the_next_are_no_ellipsis() -> None:
    found = compute_values(TextBatch.of(["a..", ".b", "c..."]))

    assert found["ellipsis_ratio"].tolist() == [0, 0, 1]


def test_sentences_end_before_a_blank_and_no_small_letter_or_at_a_chinese_mark() -> None:
    texts = ["A b. C d? e.F", "好。是！”对", "x. ", "a...", ""]
    batch = TextBatch.of(texts)

    assert count_sentences(batch, batch.lines()).tolist() == [2, 2, 1, 1, 0]


def test_no_text_and_empty_texts_have_no_counts() -> None:
    empty = np.zeros(0, np.int64)
    none = np.zeros((0, 3), np.int64)
    arguments = (np.zeros(0, np.uint8), empty, empty, np.zeros(0, np.uint64))

    assert (
        count_words(*arguments, np.zeros(1, np.int64), np.uint64(0), np.uint64(1)).shape
        == none.shape
    )
    assert all(len(column) == 0 for column in compute_values(TextBatch.of([])).values())
    assert all(
        column.tolist() == [0, 0] for column in compute_values(TextBatch.of(["", ""])).values()
    )
    assert not is_in(np.uint32(7), np.zeros(0, np.uint32))
