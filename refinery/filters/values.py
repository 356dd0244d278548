"""Compute the values that rules bound, on arrays of a batch's code points and tokens.

Words are tokens of `TextBatch`: for Chinese they are characters, for Thai characters with their marks,
so thresholds differ by language (`bounds.yaml`). No function here loops over words in Python.

Sources: Rae et al. 2021 (Gopher), appendix A.1.1 and table A1; Penedo et al. 2024 (FineWeb),
section 3.6. Where published code disagrees on a formula, the paper's words are followed: characters
inside any repeated n-gram are counted once, over the characters of all words.

Legend: C code points, D documents, K tokens, L lines.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from refinery.filters import counting
from refinery.filters.counting import Mask
from refinery.filters.repetition import DUPLICATE_NGRAMS, TOP_NGRAMS, repeated_chars
from refinery.text.batch import Classes, Hashes, Indices, Lines, TextBatch
from refinery.text.first_equal import SALT

VALUES_VERSION = 3

SLOT_BITS = 16
LONG_LINE_CHARS = 200
ELLIPSIS = 0x2026
BULLETS = "•●-*‣◦○■□▪·"
# The last row: Arabic, Urdu, Hindi, Burmese, Khmer, Tibetan, Amharic, Armenian. Thai and Lao have none.
LINE_END_MARKS = ".?!\"'。？！…”’」』；;：:)）؟۔।॥။៕។།።։"
# Values of a document in several writing systems that are those of its whole text.
WHOLE_DOCUMENT = frozenset(
    {"words", "lines", "long_lines", "sentences", "curly_brackets", "lorem_ipsum"}
)
STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")
STOP_CHARS = tuple("的年在月是和日了於为有被人中為他與後也而由")
INSIDE_SENTENCE = "。？！”’」』）"

Floats = NDArray[np.float64]


def compute_values(batch: TextBatch) -> dict[str, Floats]:
    """All values [D] by name."""
    lines = batch.lines()
    words = counting.count_words(
        batch.classes,
        batch.token_starts,
        batch.token_ends,
        batch.token_hashes,
        batch.token_bounds,
        *_word_hashes(("lorem", "ipsum")),
    )
    is_long = lines.ends - lines.starts >= LONG_LINE_CHARS
    chars = counting.count_chars(batch.codes, batch.classes, batch.starts)
    return {
        **_word_values(batch, words, chars),
        **_line_values(batch, lines, chars[:, counting.NEWLINES]),
        "curly_brackets": chars[:, counting.CURLY_BRACKETS].astype(np.float64),
        "lorem_ipsum": words[:, counting.LOREM_IPSUM].astype(np.float64),
        "long_lines": _count(lines.doc[is_long], batch.num_texts),
        "sentences": count_sentences(batch, lines),
        **_repetition_values(batch, words[:, counting.CHARS]),
    }


def measure_parts(values: dict[str, Floats], parts: Mapping[int, str]) -> None:
    """Put in the values of documents' parts in their own language, where bounds by language judge them.

    The mean length of a word, or the share of repeated n-grams, of a page in English and Chinese says
    nothing by either language's bounds. Sizes and plain signs stay those of the whole document.

    Args:
        values: All values [D] by name; changed in place.
        parts: By document: its lines in the writing system of its first language.
    """
    if not parts:
        return
    docs = np.fromiter(parts, np.int64)
    for name, column in compute_values(TextBatch.of(list(parts.values()))).items():
        if name not in WHOLE_DOCUMENT:
            values[name][docs] = column


def share(part: Floats | Indices, whole: Floats | Indices) -> Floats:
    """part / whole, 0 where the whole is 0."""
    quotient = np.zeros(len(whole))
    np.divide(part, whole, out=quotient, where=whole > 0)
    return quotient


def _word_values(batch: TextBatch, counts: Indices, chars: Indices) -> dict[str, Floats]:
    words = batch.num_tokens.astype(np.float64)
    hashes, slots = _word_slots((*STOP_WORDS, *STOP_CHARS))
    stops = counting.count_distinct(
        batch.token_hashes, batch.token_bounds, hashes, slots, len(STOP_WORDS)
    )
    return {
        "words": words,
        "mean_word_chars": share(counts[:, counting.CHARS], words),
        "word_char_fraction": share(counts[:, counting.CHARS], chars[:, counting.VISIBLE]),
        "hash_ratio": share(chars[:, counting.HASHES], words),
        "ellipsis_ratio": share(chars[:, counting.ELLIPSES], words),
        "alpha_word_fraction": share(counts[:, counting.WITH_LETTER], words),
        "stop_words": stops[:, 0].astype(np.float64),
        "stop_chars": stops[:, 1].astype(np.float64),
    }


@functools.cache
def _word_hashes(words: tuple[str, ...]) -> Hashes:
    return TextBatch.of(list(words)).token_hashes


@functools.cache
def _word_slots(words: tuple[str, ...]) -> tuple[Hashes, Classes]:
    """Hashes of the words, and a table: the top bits of a hash give the number of its word, or 0."""
    hashes = _word_hashes(words)
    slots = np.zeros(1 << SLOT_BITS, np.uint8)
    numbers = (hashes >> np.uint64(64 - SLOT_BITS)).astype(np.int64)
    assert len(set(numbers.tolist())) == len(words), "two words share a slot; take more bits"
    slots[numbers] = np.arange(1, len(words) + 1)
    return hashes, slots


def _line_values(batch: TextBatch, lines: Lines, newlines: Indices) -> dict[str, Floats]:
    size = batch.num_texts
    first, last = batch.codes[lines.starts], batch.codes[lines.ends - 1]
    dotted = counting.end_in_dots(batch.codes, lines.starts, lines.ends)
    short = counting.are_short(batch.classes, lines.starts, lines.ends)
    paragraphs = Lines(
        *counting.join_paragraphs(batch.codes, lines.starts, lines.ends, lines.doc, lines.hashes)
    )
    copies, copied = _copies(lines, size), _copies(paragraphs, size)
    count = copies[:, counting.ALL]

    def of_lines(mask: Mask) -> Floats:
        return share(_count(lines.doc[mask], size), count)

    return {
        "lines": count.astype(np.float64),
        "bullet_line_fraction": of_lines(np.isin(first, code_points(BULLETS))),
        "ellipsis_line_fraction": of_lines(dotted | (last == ELLIPSIS)),
        "punctuated_line_fraction": of_lines(np.isin(last, code_points(LINE_END_MARKS))),
        "short_line_fraction": of_lines(short),
        "newline_ratio": share(newlines, batch.num_tokens),
        "dup_line_fraction": share(copies[:, counting.COPIES], count),
        "dup_line_chars": share(copies[:, counting.COPIED_CHARS], copies[:, counting.ALL_CHARS]),
        "dup_paragraph_fraction": share(copied[:, counting.COPIES], copied[:, counting.ALL]),
        "dup_paragraph_chars": share(
            copied[:, counting.COPIED_CHARS], copied[:, counting.ALL_CHARS]
        ),
    }


def _count(docs: Indices, num_texts: int) -> Floats:
    return np.bincount(docs, minlength=num_texts).astype(np.float64)


def _copies(lines: Lines, size: int) -> Indices:
    return counting.count_copies(lines.starts, lines.ends, lines.doc, lines.hashes, SALT, size)


def count_sentences(batch: TextBatch, lines: Lines) -> Floats:
    """[D] sentences of the lines: one each, and one for each end of a sentence inside of it."""
    inside = code_points(INSIDE_SENTENCE)
    counts = counting.sentences_of_lines(
        batch.codes, batch.classes, lines.starts, lines.ends, lines.doc, inside, batch.num_texts
    )
    return counts.astype(np.float64)


@functools.cache
def code_points(text: str) -> NDArray[np.uint32]:
    """Code points of a set of characters; cached, not to be written to."""
    return np.array([ord(char) for char in text], np.uint32)


def _repetition_values(batch: TextBatch, chars: Indices) -> dict[str, Floats]:
    """Shares of characters inside n-grams that repeat within their document."""
    top, inside = repeated_chars(batch)
    return {
        **{
            f"top_{n}gram_chars": share(column, chars)
            for n, column in zip(TOP_NGRAMS, top.T, strict=True)
        },
        **{
            f"dup_{n}gram_chars": share(column, chars)
            for n, column in zip(DUPLICATE_NGRAMS, inside.T, strict=True)
        },
    }
