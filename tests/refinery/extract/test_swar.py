"""Each function on words against a plain loop over bytes."""

import numpy as np
import pytest
from numpy.typing import NDArray

from refinery.extract.swar import (
    LOW_BYTES,
    flag_above_space,
    flag_bytes,
    flag_zero_bytes,
    keep_below_flags,
    overlapping_words,
)

# Neighbours of the values that the arithmetic turns on, in every combination of three.
EDGES = (0x00, 0x01, 0x1F, 0x20, 0x21, 0x3E, 0x7F, 0x80, 0x81, 0xA1, 0xFF)


@pytest.fixture(scope="module")
def texts() -> list[bytes]:
    generator = np.random.default_rng(0)
    triples = [bytes((a, b, c)).ljust(8, b"\x41") for a in EDGES for b in EDGES for c in EDGES]
    shuffled = [bytes(generator.permutation(list(text)).tolist()) for text in triples]
    return [*triples, *shuffled]


def words_of(texts: list[bytes]) -> NDArray[np.uint64]:
    return np.frombuffer(b"".join(texts), "<u8")


def lowest_flag(flags: np.uint64) -> int | None:
    """Index of the lowest flagged byte."""
    return next((i for i in range(8) if int(flags) >> (8 * i + 7) & 1), None)


def test_a_word_begins_at_each_byte() -> None:
    data = np.frombuffer(b"abcdefghij", np.uint8)

    words = overlapping_words(data)

    assert [int(word).to_bytes(8, "little") for word in words] == [
        b"abcdefgh", b"bcdefghi", b"cdefghij",
    ]  # fmt: skip
    assert np.shares_memory(words, data)


def test_the_lowest_zero_byte_is_flagged_and_nothing_without_one(texts: list[bytes]) -> None:
    flags = flag_zero_bytes(words_of(texts))

    assert [lowest_flag(flag) for flag in flags] == [
        text.index(0) if 0 in text else None for text in texts
    ]
    assert all(flag == 0 for flag, text in zip(flags, texts, strict=True) if 0 not in text)


def test_a_flag_above_the_lowest_one_may_be_false() -> None:
    flags = flag_zero_bytes(words_of([b"\x00\x01\x05aaaaa"]))

    assert int(flags[0]).to_bytes(8, "little") == b"\x80\x80\0\0\0\0\0\0"


def test_the_first_of_several_values_is_flagged(texts: list[bytes]) -> None:
    flags = flag_bytes(words_of(texts), 0x20, 0x3E)

    assert [lowest_flag(flag) for flag in flags] == [
        next((i for i, byte in enumerate(text) if byte in b" >"), None) for text in texts
    ]


def test_what_stands_before_the_first_value_is_kept(texts: list[bytes]) -> None:
    words = words_of(texts)

    kept = keep_below_flags(words, flag_bytes(words, 0x20))

    assert [int(word).to_bytes(8, "little") for word in kept] == [
        text.split(b" ")[0].ljust(8, b"\0") for text in texts
    ]


def test_a_word_is_flagged_where_a_byte_is_above_a_space(texts: list[bytes]) -> None:
    flags = flag_above_space(words_of(texts))

    assert (flags != 0).tolist() == [max(text) > 0x20 for text in texts]


def test_low_bytes_mask_the_first_bytes_of_a_text() -> None:
    (word,) = words_of([b"abcdefgh"])

    assert int(word & LOW_BYTES[3]).to_bytes(8, "little") == b"abc\0\0\0\0\0"
    assert word & LOW_BYTES[8] == word
    assert LOW_BYTES[0] == 0
