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
import itertools
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from refinery.text.batch import (
    CJK,
    CJK_SENTENCE_MARK,
    KIND,
    LETTER,
    SENTENCE_MARK,
    SMALL,
    SPACE,
    Hashes,
    Indices,
    Lines,
    TextBatch,
    hash_spans,
    mix,
)
from refinery.text.equal_keys import first_equals

VALUES_VERSION = 3

TOP_NGRAMS = (2, 3, 4)
DUPLICATE_NGRAMS = (5, 6, 7, 8, 9, 10)
SHORT_LINE_CHARS = 30
LONG_LINE_CHARS = 200
SLOT_BITS = 16
BULLETS = "•●-*‣◦○■□▪·"
# The last row: Arabic, Urdu, Hindi, Burmese, Khmer, Tibetan, Amharic, Armenian. Thai and Lao have none.
LINE_END_MARKS = ".?!\"'。？！…”’」』；;：:)）؟۔।॥။៕។།።։"
# Values of a document in several writing systems that are those of its whole text.
WHOLE_DOCUMENT = frozenset(
    {"words", "lines", "long_lines", "sentences", "curly_brackets", "lorem_ipsum"}
)
STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")
STOP_CHARS = tuple("的年在月是和日了於为有被人中為他與後也而由")

_STEP = np.uint64(0x9E3779B97F4A7C15)

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


def compute_values(batch: TextBatch) -> dict[str, Floats]:
    """All values [D] by name."""
    lines, chars_before = batch.lines(), _chars_before(batch)
    return {
        **_quality_values(batch, lines, chars_before),
        **_line_values(batch, lines),
        **_page_values(batch, lines),
        **_repetition_values(batch, chars_before),
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


def _chars_before(batch: TextBatch) -> Indices:
    """[K + 1] characters of all tokens before each one."""
    sums = np.zeros(len(batch.token_starts) + 1, np.int64)
    np.cumsum(batch.token_ends - batch.token_starts, out=sums[1:])
    return sums


def share(part: Floats | Indices, whole: Floats | Indices) -> Floats:
    """part / whole, 0 where the whole is 0."""
    quotient = np.zeros(len(whole))
    np.divide(part, whole, out=quotient, where=whole > 0)
    return quotient


def _count(docs: Indices, num_texts: int, weights: NDArray[np.generic] | None = None) -> Floats:
    return np.bincount(docs, weights=weights, minlength=num_texts).astype(np.float64)


def _count_within(mask: Mask, bounds: Indices) -> Floats:
    """How often the mask is true from each bound to the next; numpy counts bytes faster than it adds."""
    pairs = itertools.pairwise(bounds.tolist())
    return np.array([np.count_nonzero(mask[start:end]) for start, end in pairs], np.float64)


def _have_letters(batch: TextBatch) -> Mask:
    """[K] whether a token has a letter; nearly all begin with one, so only the rest is read whole."""
    is_letter = batch.classes & LETTER != 0
    have = is_letter[batch.token_starts]
    lengths = batch.token_ends - batch.token_starts
    others = np.flatnonzero(~have & (lengths > 1))
    if len(others):
        sizes = lengths[others]
        firsts = np.cumsum(sizes) - sizes
        inside = np.repeat(batch.token_starts[others] - firsts, sizes) + np.arange(sizes.sum())
        have[others] = np.logical_or.reduceat(is_letter[inside], firsts)
    return np.asarray(have)


def _doc_of(batch: TextBatch, offsets: Indices) -> Indices:
    return np.searchsorted(batch.starts, offsets, side="right") - 1


def _quality_values(batch: TextBatch, lines: Lines, chars_before: Indices) -> dict[str, Floats]:
    size, words = batch.num_texts, batch.num_tokens.astype(np.float64)
    visible = _count_within(batch.classes & KIND != SPACE, batch.starts)
    chars = np.diff(chars_before[batch.token_bounds]).astype(np.float64)
    ellipses = _ellipsis_offsets(batch)
    stop_words, stop_chars = _distinct_hits(batch, (STOP_WORDS, STOP_CHARS))
    return {
        "words": words,
        "mean_word_chars": share(chars, words),
        "word_char_fraction": share(chars, visible),
        "hash_ratio": share(
            _count(_doc_of(batch, np.flatnonzero(batch.codes == 0x23)), size), words
        ),
        "ellipsis_ratio": share(_count(_doc_of(batch, ellipses), size), words),
        "alpha_word_fraction": share(
            _count_within(_have_letters(batch), batch.token_bounds), words
        ),
        "stop_words": stop_words,
        "stop_chars": stop_chars,
        "lines": _count(lines.doc, size),
    }


def _ellipsis_offsets(batch: TextBatch) -> Indices:
    """First code points of "..." and "…" (a longer run counts once)."""
    dots = np.flatnonzero(batch.codes == 0x2E)
    apart = np.diff(dots, prepend=-2) != 1
    first = np.flatnonzero(apart)
    runs = dots[first[np.diff(np.append(first, len(dots))) >= 3]]
    return np.concatenate((runs, np.flatnonzero(batch.codes == 0x2026)))


@functools.cache
def _word_hashes(words: tuple[str, ...]) -> Hashes:
    return TextBatch.of(list(words)).token_hashes


@functools.cache
def _word_slots(words: tuple[str, ...]) -> tuple[Hashes, NDArray[np.uint8]]:
    """Hashes of the words, and a table: the top bits of a hash give the number of its word, or 0."""
    hashes = _word_hashes(words)
    slots = np.zeros(1 << SLOT_BITS, np.uint8)
    numbers = (hashes >> np.uint64(64 - SLOT_BITS)).astype(np.int64)
    assert len(set(numbers.tolist())) == len(words), "two words share a slot; take more bits"
    slots[numbers] = np.arange(1, len(words) + 1)
    return hashes, slots


def _distinct_hits(batch: TextBatch, lists: tuple[tuple[str, ...], ...]) -> list[Floats]:
    """[D] how many of a list's words occur in each document, for each list; tokens are read once."""
    words = tuple(itertools.chain(*lists))
    hashes, slots = _word_slots(words)
    number = slots.take((batch.token_hashes >> np.uint64(64 - SLOT_BITS)).astype(np.int64))
    hits = np.flatnonzero(number)
    word = number[hits].astype(np.int64) - 1
    real = batch.token_hashes[hits] == hashes[word]
    seen = np.zeros((batch.num_texts, len(words)), bool)
    seen[batch.token_doc[hits[real]], word[real]] = True
    borders = np.cumsum([0, *map(len, lists)])
    return [
        seen[:, start:end].sum(axis=1).astype(np.float64)
        for start, end in itertools.pairwise(borders.tolist())
    ]


def _line_values(batch: TextBatch, lines: Lines) -> dict[str, Floats]:
    size, count = batch.num_texts, _count(lines.doc, batch.num_texts)
    chars = (lines.ends - lines.starts).astype(np.float64)
    total_chars = _count(lines.doc, size, chars)
    first, last = batch.codes[lines.starts], batch.codes[lines.ends - 1]
    ellipsis_end = (last == 0x2026) | ends_with_dots(batch, lines)
    repeated = _later_copies(lines.hashes, lines.doc)
    newlines = _count(_doc_of(batch, np.flatnonzero(batch.codes == 10)), size)

    def of_lines(mask: Mask) -> Floats:
        return share(_count(lines.doc[mask], size), count)

    paragraphs = _paragraphs(batch, lines)
    paragraph_repeats = _later_copies(paragraphs.hashes, paragraphs.doc)
    paragraph_chars = (paragraphs.ends - paragraphs.starts).astype(np.float64)
    return {
        "bullet_line_fraction": of_lines(np.isin(first, code_points(BULLETS))),
        "ellipsis_line_fraction": of_lines(ellipsis_end),
        "punctuated_line_fraction": of_lines(np.isin(last, code_points(LINE_END_MARKS))),
        "short_line_fraction": of_lines(chars + _wide_chars(batch, lines) <= SHORT_LINE_CHARS),
        "newline_ratio": share(newlines, batch.num_tokens),
        "dup_line_fraction": of_lines(repeated),
        "dup_line_chars": share(_count(lines.doc[repeated], size, chars[repeated]), total_chars),
        "dup_paragraph_fraction": share(
            _count(paragraphs.doc[paragraph_repeats], size), _count(paragraphs.doc, size)
        ),
        "dup_paragraph_chars": share(
            _count(paragraphs.doc[paragraph_repeats], size, paragraph_chars[paragraph_repeats]),
            _count(paragraphs.doc, size, paragraph_chars),
        ),
    }


def _wide_chars(batch: TextBatch, lines: Lines) -> Indices:
    """[L] CJK characters of each line, which take two columns: fifteen of them are as long as thirty letters."""
    is_wide = batch.classes & KIND == CJK
    if not is_wide.any():
        return np.zeros(len(lines.starts), np.int64)
    before = np.concatenate(([0], np.cumsum(is_wide)))
    return np.asarray(before[lines.ends] - before[lines.starts])


def _page_values(batch: TextBatch, lines: Lines) -> dict[str, Floats]:
    """Values for the rules of C4 and mC4 on whole pages."""
    size = batch.num_texts
    curly = np.flatnonzero(batch.codes == 0x7B)
    return {
        "curly_brackets": _count(_doc_of(batch, curly), size),
        "lorem_ipsum": _count(batch.token_doc[_word_pairs(batch, "lorem", "ipsum")], size),
        "long_lines": _count(lines.doc[lines.ends - lines.starts >= LONG_LINE_CHARS], size),
        "sentences": count_sentences(batch, lines),
    }


def _word_pairs(batch: TextBatch, first: str, second: str) -> Indices:
    """Tokens that are `first` with `second` after them in the same text."""
    one, two = (_word_hashes((word,))[0] for word in (first, second))
    hits = np.flatnonzero(batch.token_hashes == one)
    hits = hits[hits + 1 < len(batch.token_hashes)]
    same = batch.token_doc[hits] == batch.token_doc[hits + 1]
    return np.asarray(hits[same & (batch.token_hashes[hits + 1] == two)])


def count_sentences(batch: TextBatch, lines: Lines) -> Floats:
    """[D] sentences: each line has one, and one more for each end of a sentence inside of it.

    A sentence ends inside a line at a CJK mark, or at a mark with a blank behind it and no
    small letter after that.
    """
    codes, size = batch.codes, len(batch.codes)
    marks = np.flatnonzero(batch.classes & (SENTENCE_MARK | CJK_SENTENCE_MARK))
    line = np.searchsorted(lines.starts, marks, side="right") - 1
    # Of a run of marks the last one counts; one at the end of its line is the line's own.
    inside = (line >= 0) & (marks + 1 < size)
    marks, line = marks[inside], line[inside]
    following = codes[marks + 1]
    is_cjk = batch.classes[marks] & CJK_SENTENCE_MARK != 0
    after = batch.classes[np.minimum(marks + 2, size - 1)]
    ends = (following == 0x20) & (after & SMALL == 0)
    ends[is_cjk] = ~np.isin(following[is_cjk], code_points("。？！”’」』）"))
    ends &= marks + 2 < lines.ends[line]
    breaks = _count(lines.doc[line[ends]], batch.num_texts)
    return np.asarray(breaks + _count(lines.doc, batch.num_texts))


@functools.cache
def code_points(text: str) -> NDArray[np.uint32]:
    """Code points of a set of characters; cached, not to be written to."""
    return np.array([ord(char) for char in text], np.uint32)


def ends_with_dots(batch: TextBatch, lines: Lines) -> Mask:
    """[L] whether a line ends in three dots."""
    dots = lines.ends - lines.starts >= 3
    for back in (1, 2, 3):
        dots &= batch.codes[np.maximum(lines.ends - back, 0)] == 0x2E
    return np.asarray(dots)


def _paragraphs(batch: TextBatch, lines: Lines) -> Lines:
    """Runs of lines between empty lines, hashed by their lines' hashes."""
    if len(lines.starts) == 0:
        return lines
    newlines = np.flatnonzero(batch.codes == 10)
    gap = np.searchsorted(newlines, lines.starts[1:]) - np.searchsorted(newlines, lines.ends[:-1])
    opens = np.concatenate(([True], (gap > 1) | (lines.doc[1:] != lines.doc[:-1])))
    closes = np.concatenate((opens[1:], [True]))
    starts, ends = lines.starts[opens], lines.ends[closes]
    first = np.flatnonzero(opens)
    hashes = hash_spans(lines.hashes, first, np.append(first[1:], len(opens)))
    return Lines(starts, ends, lines.doc[opens], hashes)


def _later_copies(hashes: Hashes, docs: Indices) -> Mask:
    """Whether an equal hash stands earlier in the same document."""
    keyed = mix(hashes + docs.astype(np.uint64))
    return np.asarray(first_equals(keyed) != np.arange(len(keyed)))


def _repetition_values(batch: TextBatch, chars_before: Indices) -> dict[str, Floats]:
    """Shares of characters inside n-grams that repeat within their document.

    An n-gram can repeat only where the (n - 1)-gram at its start does. So each length looks only at
    the starts that the one before left: beyond pairs of words they are few in ordinary text.
    """
    total = np.diff(chars_before[batch.token_bounds]).astype(np.float64)
    own = mix(np.arange(1, batch.num_texts + 1, dtype=np.uint64))
    words = batch.token_hashes ^ own.take(batch.token_doc)
    values: dict[str, Floats] = {}
    starts = np.flatnonzero(batch.token_doc[1:] == batch.token_doc[:-1])
    grams = (words[:-1] * _STEP + words[1:]).take(starts)
    for n in range(2, max(DUPLICATE_NGRAMS) + 1):
        if n > 2:
            ends = batch.token_bounds[1:].take(batch.token_doc.take(starts))
            inside = np.flatnonzero(starts + n <= ends)
            starts = starts.take(inside)
            grams = grams.take(inside) * _STEP + words.take(starts + (n - 1))
        firsts = first_equals(grams)
        times = np.bincount(firsts, minlength=len(grams))
        if n in TOP_NGRAMS:
            heads = np.flatnonzero(times > 1)
            top = _top(batch, starts.take(heads), times.take(heads), n, chars_before)
            values[f"top_{n}gram_chars"] = share(top, total)
        again = np.flatnonzero(times.take(firsts) > 1)
        starts, grams = starts.take(again), grams.take(again)
        if n in DUPLICATE_NGRAMS:
            covered = _covered_chars(batch, starts, n, chars_before)
            values[f"dup_{n}gram_chars"] = share(covered, total)
    return values


def _top(
    batch: TextBatch, starts: Indices, times: Indices, n: int, chars_before: Indices
) -> Floats:
    """[D] characters inside the repeating n-gram that covers most of each document.

    `starts` are the first tokens of each n-gram's first occurrence, in order, so those of a document
    stand together.
    """
    best = np.zeros(batch.num_texts)
    if len(starts):
        chars = (chars_before.take(starts + n) - chars_before.take(starts)) * times
        docs = batch.token_doc.take(starts)
        opens = np.flatnonzero(np.diff(docs, prepend=-1))
        best[docs[opens]] = np.maximum.reduceat(chars, opens)
    return best


def _covered_chars(batch: TextBatch, starts: Indices, n: int, chars_before: Indices) -> Floats:
    """[D] characters of the tokens inside any of the n-grams that begin at these tokens, in order."""
    # Each n-gram counts up to the next one's start, so what both cover counts once.
    ends = np.minimum(starts + n, np.append(starts[1:], len(chars_before)))
    chars = chars_before.take(ends) - chars_before.take(starts)
    return _count(batch.token_doc.take(starts), batch.num_texts, chars)
