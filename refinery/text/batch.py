"""A batch of texts as one array of code points, with tokens, lines and hashes computed once.

Rules, shingles and n-grams read this instead of walking over words in Python. A token is a maximal
run of letters, marks and digits, or one CJK character (Han, kana, bopomofo), or one letter of another
script without blanks between words (Thai, Lao, Khmer, Burmese ...) with the marks behind it; so none of
these needs a segmenter and no text is split at whitespace alone. Hangul syllables form words.

Legend: C code points of the batch, D documents, K tokens, L lines.
"""

from __future__ import annotations

import functools
import itertools
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from refinery.text.equal_keys import repeated

TEXT_BATCH_VERSION = 3

NUM_CODE_POINTS = 0x110000
OTHER, WORD, CJK, SPACE = 0, 1, 2, 3
# KIND masks the kind in a character's class; the others are bits beside it. Rules read classes, which
# are one byte, instead of code points, which are four.
KIND, LETTER, SENTENCE_MARK, CJK_SENTENCE_MARK, SMALL, UPPER = 3, 4, 8, 16, 32, 64
# A letter of an unspaced script: it begins a token, as if a blank stood before it.
UNSPACED = 128

SHORT_CHARS, BASIC_PLANE = 16, 0x10000

CJK_RANGES = (
    (0x2E80, 0x2FDF),  # radicals
    (0x3005, 0x3007),  # iteration mark, closing mark, zero
    (0x3021, 0x3029),
    (0x3041, 0x3096),  # hiragana
    (0x309D, 0x309F),
    (0x30A1, 0x30FA),  # katakana
    (0x30FC, 0x30FF),
    (0x3105, 0x312F),  # bopomofo
    (0x31A0, 0x31BF),
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x323AF),
)
# Scripts that write no blanks between words, beside CJK.
UNSPACED_RANGES = (
    (0x0E01, 0x0E4F),  # Thai
    (0x0E81, 0x0ECF),  # Lao
    (0x0EDC, 0x0EDF),
    (0x1000, 0x103F),  # Burmese
    (0x1050, 0x108F),
    (0x1780, 0x17D3),  # Khmer
    (0x1950, 0x19DF),  # Tai Le, New Tai Lue
    (0x1A20, 0x1A7F),  # Tai Tham
    (0x1B05, 0x1B4C),  # Balinese
    (0xA980, 0xA9C0),  # Javanese
    (0xA9E0, 0xA9EF),  # more of Burmese
    (0xAA60, 0xAA7F),
)
_MIX = np.uint64(0x9E3779B97F4A7C15)
_MIX_2 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_3 = np.uint64(0x94D049BB133111EB)

Codes = NDArray[np.uint32]
Indices = NDArray[np.int64]
Hashes = NDArray[np.uint64]


def _assigned() -> Iterator[int]:
    """Code points below 0x40000 and tag characters, without surrogates.

    The planes between and behind are unassigned or private: no letters, no case. Every process
    fills its tables once, and three of four steps are saved.
    """
    return itertools.chain(range(0xD800), range(0xE000, 0x40000), range(0xE0000, 0xE0200))


@functools.cache
def kind_table() -> NDArray[np.uint8]:
    """[NUM_CODE_POINTS] the kind of each: OTHER, WORD, CJK or SPACE."""
    kinds = np.zeros(NUM_CODE_POINTS, np.uint8)
    for code in _assigned():
        category = unicodedata.category(chr(code))
        if category[0] in "LMN":
            kinds[code] = WORD
        elif category[0] == "Z" or code in (9, 10, 11, 12, 13, 0x85):
            kinds[code] = SPACE
    for first, last in CJK_RANGES:
        kinds[first : last + 1] = CJK
    return kinds


@functools.cache
def class_table() -> NDArray[np.uint8]:
    """[NUM_CODE_POINTS] the class of each: its kind, and the bits beside it."""
    classes = kind_table().copy()
    for code in _assigned():
        char = chr(code)
        if char.isalpha():
            classes[code] |= LETTER
        if char.islower():
            classes[code] |= SMALL
        elif char.isupper():
            classes[code] |= UPPER
    for code in itertools.chain(*(range(first, last + 1) for first, last in UNSPACED_RANGES)):
        if unicodedata.category(chr(code))[0] == "L":
            classes[code] |= UNSPACED
    for mark in ".?!…":
        classes[ord(mark)] |= SENTENCE_MARK
    for mark in "。？！":
        classes[ord(mark)] |= CJK_SENTENCE_MARK
    return classes


@functools.cache
def fold_table() -> Codes:
    """Case and width folding that maps one code point to one, so offsets never move."""
    table = np.arange(NUM_CODE_POINTS, dtype=np.uint32)
    for code in _assigned():
        folded = chr(code)
        if 0xFF01 <= code <= 0xFF5E or code == 0x3000:
            folded = unicodedata.normalize("NFKC", folded)
        lower = folded.lower()
        table[code] = ord(lower) if len(lower) == 1 else ord(folded[0])
    return table


def mix(values: Hashes) -> Hashes:
    """Finalise 64-bit hashes (the splitmix64 finaliser, Steele et al. 2014)."""
    mixed = (values ^ (values >> np.uint64(30))) * _MIX_2
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _MIX_3
    return np.asarray(mixed ^ (mixed >> np.uint64(31)), dtype=np.uint64)


@dataclass(frozen=True)
class TextBatch:
    """Texts of one batch.

    Attributes:
        texts: The D texts that the arrays were computed from.
        codes: [C] code points of all texts, one after the other.
        classes: [C] their kinds and bits.
        folded: [C] the same, case and width folded.
        starts: [D + 1] first code point of each text in `codes`.
        token_starts, token_ends: [K] bounds of tokens in `codes`.
        token_doc: [K] text of each token.
        token_hashes: [K] 64-bit hashes of the folded tokens.
        token_bounds: [D + 1] first token of each text.
    """

    texts: Sequence[str]
    codes: Codes
    classes: NDArray[np.uint8]
    folded: Codes
    starts: Indices
    token_starts: Indices
    token_ends: Indices
    token_doc: Indices
    token_hashes: Hashes
    token_bounds: Indices

    @classmethod
    def of(cls, texts: Sequence[str]) -> TextBatch:
        """Compute all arrays; texts must be valid (no lone surrogates)."""
        codes = np.frombuffer("".join(texts).encode("utf-32-le"), dtype=np.uint32)
        starts = offsets_of([len(text) for text in texts])
        classes = class_table().take(codes)
        token_starts, token_ends = _token_bounds(classes, starts)
        folded = fold_table().take(codes)
        bounds = np.searchsorted(token_starts, starts).astype(np.int64)
        return cls(
            texts=texts,
            codes=codes,
            classes=classes,
            folded=folded,
            starts=starts,
            token_starts=token_starts,
            token_ends=token_ends,
            token_doc=np.repeat(np.arange(len(texts)), np.diff(bounds)),
            token_hashes=hash_spans(folded, token_starts, token_ends),
            token_bounds=bounds,
        )

    @property
    def num_texts(self) -> int:
        return len(self.starts) - 1

    @property
    def num_chars(self) -> Indices:
        """[D] code points of each text."""
        return np.diff(self.starts)

    @property
    def num_tokens(self) -> Indices:
        """[D] tokens of each text."""
        return np.diff(self.token_bounds)

    def lines(self) -> Lines:
        r"""Lines cut at "\n"; empty ones are left out."""
        return self._lines

    @functools.cached_property
    def _lines(self) -> Lines:
        return Lines.of(self)


@dataclass(frozen=True)
class Lines:
    """Non-blank lines of a batch, without the white space around them.

    Attributes:
        starts, ends: [L] bounds in `codes`.
        doc: [L] text of each line.
        hashes: [L] 64-bit hashes, equal where the characters are; comparable within one text.
    """

    starts: Indices
    ends: Indices
    doc: Indices
    hashes: Hashes

    @classmethod
    def of(cls, batch: TextBatch) -> Lines:
        cuts = np.flatnonzero(batch.codes == 10)
        starts = np.concatenate((batch.starts[:-1], cuts + 1))
        ends = np.concatenate((batch.starts[1:], cuts))
        starts.sort()
        ends.sort()
        starts, ends = _without_blanks(batch, starts, ends)
        doc = np.searchsorted(batch.starts, starts, side="right") - 1
        return cls(starts, ends, doc, _hash_lines(batch.codes, starts, ends, doc))

    def subset(self, members: NDArray[np.bool_]) -> Lines:
        """The lines for which the mask is true."""
        return Lines(
            self.starts[members], self.ends[members], self.doc[members], self.hashes[members]
        )


def _without_blanks(batch: TextBatch, starts: Indices, ends: Indices) -> tuple[Indices, Indices]:
    """Cut the white space around spans; spans of white space alone are left out."""
    kept = starts < ends
    starts, ends = starts[kept], ends[kept]
    kinds = batch.classes & KIND
    if not ((kinds[starts] == SPACE) | (kinds[ends - 1] == SPACE)).any():
        return starts, ends
    visible = np.flatnonzero(kinds != SPACE)
    if len(visible) == 0:
        return starts[:0], ends[:0]
    first = np.searchsorted(visible, starts)
    last = np.searchsorted(visible, ends) - 1
    kept = first <= last
    return visible[first[kept]], visible[last[kept]] + 1


def _hash_lines(codes: Codes, starts: Indices, ends: Indices, doc: Indices) -> Hashes:
    """[L] hashes that are equal for equal lines of one text.

    Only lines that agree with another one in length and in four characters are read whole.
    """
    if len(starts) == 0:
        return np.zeros(0, np.uint64)
    lengths = ends - starts
    keys = (doc.astype(np.uint64) << np.uint64(32)) + lengths.astype(np.uint64)
    for offsets in (starts, starts + lengths // 3, starts + lengths // 2, ends - 1):
        keys = mix(keys * _MIX + codes[offsets])
    alike = np.flatnonzero(repeated(keys))
    keys[alike] = hash_spans(codes, starts[alike], ends[alike])
    return keys


def spans_of_groups(texts: Sequence[str], most: int) -> Iterator[slice]:
    """Consecutive texts of together at most `most` code points; a longer text stands alone.

    The arrays of a small group stay in the processor's cache, and memory does not follow the batch.
    """
    start = size = 0
    for index, text in enumerate(texts):
        if index > start and size + len(text) > most:
            yield slice(start, index)
            start, size = index, 0
        size += len(text)
    if start < len(texts):
        yield slice(start, len(texts))


def offsets_of(lengths: Sequence[int] | NDArray[np.int64]) -> Indices:
    """[n + 1] sums of the lengths before each of n pieces, and of all."""
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def _token_bounds(classes: NDArray[np.uint8], starts: Indices) -> tuple[Indices, Indices]:
    """Bounds of word runs and of single CJK characters; runs break at text borders.

    A letter of an unspaced script begins a run, too.
    """
    kinds = classes & np.uint8(KIND)
    size = len(kinds)
    if size == 0:
        none = np.zeros(0, np.int64)
        return none, none
    is_word = kinds == WORD
    inside = is_word | (kinds == CJK)
    same_word = np.zeros(size, bool)
    np.logical_and(is_word[1:], is_word[:-1], out=same_word[1:])
    same_word &= classes < UNSPACED
    borders = starts[1:-1]
    same_word[borders[borders < size]] = False
    token_starts = np.flatnonzero(inside & ~same_word)
    continues = np.zeros(size, bool)
    continues[:-1] = same_word[1:]
    token_ends = np.flatnonzero(inside & ~continues) + 1
    return token_starts.astype(np.int64), token_ends.astype(np.int64)


def hash_spans(codes: Codes | Hashes, starts: Indices, ends: Indices) -> Hashes:
    """Hash each span of at least one character by its characters and their order.

    The hash is mix(length + sum over the span of mix(code, index)), where the index counts from the
    span's start; arithmetic wraps modulo 2**64 by design. Short spans, nearly all of a batch's
    tokens, are summed by index: all first characters, then all second ones, each by one look-up.
    """
    lengths = ends - starts
    is_long = lengths > SHORT_CHARS
    if not is_long.any():
        return mix(_sum_short(codes, starts, lengths) + lengths.astype(np.uint64))
    sums = np.empty(len(starts), np.uint64)
    sums[is_long] = _sum_long(codes, starts[is_long], lengths[is_long])
    short = np.flatnonzero(~is_long)
    sums[short] = _sum_short(codes, starts[short], lengths[short])
    return mix(sums + lengths.astype(np.uint64))


def _hash_chars(codes: NDArray[np.integer], indices: NDArray[np.integer]) -> Hashes:
    """Hashes of characters by code and by index in their span."""
    return mix(
        codes.astype(np.uint64) * _MIX + (indices.astype(np.uint64) << np.uint64(32)) + np.uint64(1)
    )


@functools.cache
def _short_table() -> Hashes:
    """[SHORT_CHARS, 65,536] hashes by index in the span and code point of the basic plane; 8 MB."""
    return _hash_chars(np.arange(BASIC_PLANE)[None, :], np.arange(SHORT_CHARS)[:, None])


def _sum_short(codes: Codes | Hashes, starts: Indices, lengths: Indices) -> Hashes:
    """Sums of spans of 1 to SHORT_CHARS characters.

    Behind their first character the spans are sorted, longest first: those that have a character at
    the next index are always the first ones of the order.
    """
    is_basic = len(codes) == 0 or bool(codes.max() < BASIC_PLANE)
    sums = _values_at(0, codes.take(starts), is_basic=is_basic)
    longer = np.flatnonzero(lengths > 1)
    if len(longer) == 0:
        return sums
    sizes = lengths.take(longer)
    order = longer.take(np.argsort(SHORT_CHARS - sizes.astype(np.uint8), kind="stable"))  # radix
    num_longer = len(longer) - np.cumsum(np.bincount(sizes, minlength=SHORT_CHARS + 1))
    first = starts.take(order)
    rest = np.zeros(len(order), np.uint64)
    for index in range(1, SHORT_CHARS):
        count = num_longer[index]
        if count == 0:
            break
        chars = codes.take(first[:count] + index)
        rest[:count] += _values_at(index, chars, is_basic=is_basic)
    sums[order] += rest
    return sums


def _values_at(index: int, chars: NDArray[np.integer], *, is_basic: bool) -> Hashes:
    """Hashes of characters that have one index in their spans; `is_basic`: all in the basic plane."""
    if is_basic:
        return np.asarray(_short_table()[index].take(chars))
    values = _short_table()[index].take(chars, mode="clip")
    beyond = np.flatnonzero(chars >= BASIC_PLANE)
    values[beyond] = _hash_chars(chars[beyond], np.array([index]))
    return np.asarray(values)


def _sum_long(codes: Codes | Hashes, starts: Indices, lengths: Indices) -> Hashes:
    firsts = np.cumsum(lengths) - lengths
    index = np.arange(int(lengths.sum())) - np.repeat(firsts, lengths)
    values = codes[index + np.repeat(starts, lengths)]
    return np.asarray(np.add.reduceat(_hash_chars(values, index), firsts), np.uint64)


def ngram_hashes(token_hashes: Hashes, n: int) -> Hashes:
    """Hash every run of `n` consecutive tokens; the hash at index i covers tokens i to i + n - 1.

    Runs over a text's border are included; callers leave them out with the token bounds.
    """
    count = len(token_hashes) - n + 1
    if count <= 0:
        return np.zeros(0, np.uint64)
    value = np.zeros(count, np.uint64)
    for first in range(n):
        value = value * _MIX + token_hashes[first : first + count]
    return mix(value)
