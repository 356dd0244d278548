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
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

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


@dataclass(frozen=True, kw_only=True)
class _Counts:
    """What several families of values are made from.

    Attributes:
        words: [D, ...] counts over words.
        chars: [D, ...] counts over code points.
    """

    lines: Lines
    words: Indices
    chars: Indices

    @classmethod
    def of(cls, batch: TextBatch) -> _Counts:
        words = counting.count_words(
            batch.classes,
            batch.token_starts,
            batch.token_ends,
            batch.token_hashes,
            batch.token_bounds,
            *_word_hashes(("lorem", "ipsum")),
        )
        chars = counting.count_chars(batch.codes, batch.classes, batch.starts)
        return cls(lines=batch.lines(), words=words, chars=chars)


def compute_values(batch: TextBatch) -> dict[str, Floats]:
    """All values [D] by name."""
    counts = _Counts.of(batch)
    return {name: column for family in FAMILIES for name, column in family(batch, counts).items()}


def seconds_by_family(texts: list[str]) -> list[tuple[float, frozenset[str]]]:
    """CPU seconds for the values that are computed together, and their names, on one batch of texts.

    What all of them are made from (words, lines, counts) is not in any.
    """
    batch = TextBatch.of(texts)
    counts = _Counts.of(batch)
    found = []
    for family in FAMILIES:
        began = time.process_time()
        names = frozenset(family(batch, counts))
        found.append((time.process_time() - began, names))
    return found


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


def _word_values(batch: TextBatch, both: _Counts) -> dict[str, Floats]:
    counts, chars = both.words, both.chars
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


def _line_values(batch: TextBatch, both: _Counts) -> dict[str, Floats]:
    lines, newlines = both.lines, both.chars[:, counting.NEWLINES]
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


def _sign_values(batch: TextBatch, both: _Counts) -> dict[str, Floats]:
    """Signs of code and of filler text, and long lines."""
    lines = both.lines
    is_long = lines.ends - lines.starts >= LONG_LINE_CHARS
    return {
        "curly_brackets": both.chars[:, counting.CURLY_BRACKETS].astype(np.float64),
        "lorem_ipsum": both.words[:, counting.LOREM_IPSUM].astype(np.float64),
        "long_lines": _count(lines.doc[is_long], batch.num_texts),
    }


def _sentence_values(batch: TextBatch, both: _Counts) -> dict[str, Floats]:
    return {"sentences": count_sentences(batch, both.lines)}


def _repetition_values(batch: TextBatch, both: _Counts) -> dict[str, Floats]:
    """Shares of characters inside n-grams that repeat within their document."""
    chars = both.words[:, counting.CHARS]
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


# Values that one pass gives; the order is that of the ledger.
FAMILIES: tuple[Callable[[TextBatch, _Counts], dict[str, Floats]], ...] = (
    _word_values,
    _line_values,
    _sign_values,
    _sentence_values,
    _repetition_values,
)
