"""Tokens, lines and hashes of random and hostile texts against plain Python."""

from __future__ import annotations

import random
import re
import unicodedata

import numpy as np
import pytest

from refinery.text.batch import (
    CJK,
    KIND,
    SPACE,
    UNSPACED,
    WORD,
    TextBatch,
    TokenHashes,
    class_table,
    fold_table,
)
from refinery.text.first_equal import SALT, empty_slots, first_equals
from refinery.text.hashing import mix_all
from refinery.text.utf8 import Texts
from tests.support.hashes import plain_hash, plain_mix

ALPHABET = "aBÀé1_ \n\n.，月か한\u0301\u3000\x85\t\u0e01\u0e49\U0001f600\U00020001\U0010ffff"


def random_texts(seed: int) -> list[str]:
    source = random.Random(seed)
    sizes = [source.choice((0, 1, 2, 20, 90)) for _ in range(source.randrange(7))]
    return ["".join(source.choices(ALPHABET, k=size)) for size in sizes]


def plain_tokens(text: str) -> list[tuple[int, int]]:
    classes = class_table()
    spans: list[tuple[int, int]] = []
    open_word = False
    for index, char in enumerate(text):
        found = int(classes[ord(char)])
        if found & KIND == WORD and open_word and found < UNSPACED:
            spans[-1] = (spans[-1][0], index + 1)
        elif found & KIND in (WORD, CJK):
            spans.append((index, index + 1))
        open_word = found & KIND == WORD
    return spans


def is_blank(char: str) -> bool:
    return unicodedata.category(char)[0] == "Z" or char in "\t\n\x0b\x0c\r\x85"


def plain_lines(text: str) -> list[tuple[int, int]]:
    spans = []
    for match in re.finditer("[^\n]+", text):
        start, end = match.span()
        while start < end and is_blank(text[start]):
            start += 1
        while start < end and is_blank(text[end - 1]):
            end -= 1
        if start < end:
            spans.append((start, end))
    return spans


@pytest.mark.parametrize("seed", range(30))
def test_tokens_and_lines_are_those_of_plain_python(seed: int) -> None:
    texts = random_texts(seed)

    batch = TextBatch.of(texts)

    lines = batch.lines()
    codes = [ord(char) for char in "".join(texts)]
    assert batch.codes.tolist() == codes
    assert (batch.classes == class_table()[codes]).all()
    tokens, expected_lines, start = [], [], 0
    for document, text in enumerate(texts):
        folded = fold_table()[[ord(char) for char in text]].tolist() if text else []
        tokens += [
            (start + a, start + b, document, plain_hash(folded[a:b])) for a, b in plain_tokens(text)
        ]
        expected_lines += [(start + a, start + b, document) for a, b in plain_lines(text)]
        start += len(text)
    columns = batch.token_starts, batch.token_ends, batch.token_doc, batch.token_hashes
    assert list(zip(*(c.tolist() for c in columns), strict=True)) == tokens
    found = zip(lines.starts.tolist(), lines.ends.tolist(), lines.doc.tolist(), strict=True)
    assert list(found) == expected_lines
    assert batch.token_bounds.tolist() == [
        sum(token[2] < document for token in tokens) for document in range(len(texts) + 1)
    ]


@pytest.mark.parametrize("seed", range(30))
def test_hashes_from_bytes_are_those_of_the_batch(seed: int) -> None:
    texts = random_texts(seed)

    alone, batch = TokenHashes.of(Texts.of(texts)), TextBatch.of(texts)

    assert alone.hashes_K.tolist() == batch.token_hashes.tolist()
    assert alone.bounds_D.tolist() == batch.token_bounds.tolist()
    feeds = [index for index, char in enumerate("".join(texts)) if char == "\n"]
    assert alone.line_firsts_L.tolist() == [
        int((batch.token_starts < feed).sum()) for feed in feeds
    ]


def test_every_character_is_read_from_its_bytes() -> None:
    """A word of each code point alone: its hash is that of its folded form, or there is none."""
    codes = [*range(0x3000), *range(0xD700, 0xD800), *range(0xE000, 0x10000), *range(0x1F000, 0x20100), 0x10FFFF]  # fmt: skip

    found = TokenHashes.of(Texts.of([chr(code) for code in codes]))

    kinds, folded = class_table()[codes] & KIND, fold_table()[codes].tolist()
    is_token = (kinds == WORD) | (kinds == CJK)
    assert np.diff(found.bounds_D).tolist() == is_token.astype(int).tolist()
    assert found.hashes_K.tolist() == [
        plain_hash([code]) for code, is_one in zip(folded, is_token, strict=True) if is_one
    ]


@pytest.mark.parametrize("seed", range(20))
def test_bytes_that_are_no_utf8_end_with_their_text(seed: int) -> None:
    """Each text is its own exact array: a byte read behind it is an error where bounds are checked."""
    generator = np.random.default_rng(seed)
    data = generator.choice(np.array([0x41, 0x20, 0x80, 0xC3, 0xE6, 0xF4, 0xFF], np.uint8), 12)

    whole = TokenHashes.of(Texts(data, np.array([0, 5, 12])))

    parts = [TokenHashes.of(Texts(part, np.array([0, len(part)]))) for part in (data[:5], data[5:])]
    assert whole.hashes_K.tolist() == [h for part in parts for h in part.hashes_K.tolist()]


def test_hashes_of_lines_are_equal_where_the_lines_are() -> None:
    lines = ["ab", "a", "abc", "abcd", "abdc", "ab", "ba", "a\x00", "\x00a", "", "abc", "月", "a"]

    hashes = TextBatch.of(["\n".join(lines)]).lines().hashes.tolist()

    texts = [line for line in lines if line]
    assert len(set(hashes)) == len(set(texts))
    assert dict(zip(texts, hashes, strict=True)) == dict(
        zip(reversed(texts), reversed(hashes), strict=True)
    )


def test_white_space_of_every_kind_ends_no_word_of_the_reference() -> None:
    blanks = [code for code in range(0xD800) if class_table()[code] & KIND == SPACE]

    assert blanks == [code for code in range(0xD800) if is_blank(chr(code))]


@pytest.mark.parametrize("seed", range(10))
def test_each_key_finds_its_first_equal_in_every_group(seed: int) -> None:
    """Keys that agree in high or in low bits; the table is never emptied between groups."""
    generator = np.random.default_rng(seed)
    slots, base = empty_slots(40), 0
    for size in (0, 1, 40, 17):
        keys = generator.integers(0, 6, size, dtype=np.uint64) << np.uint64(
            generator.choice((0, 30, 61))
        )

        found = np.empty(size, np.int64)
        first_equals(slots, keys, base, SALT, found)

        assert found.tolist() == [keys.tolist().index(key) for key in keys.tolist()]
        base += size


def test_mixing_an_array_mixes_each_value() -> None:
    values = np.array([0, 1, 2**40, 2**64 - 1], np.uint64)

    assert mix_all(values).tolist() == [plain_mix(int(value)) for value in values]
