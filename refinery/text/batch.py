"""A batch of texts as one array of code points, with tokens, lines and hashes computed once.

Rules, shingles and n-grams read this instead of walking over words in Python. A token is a maximal
run of letters, marks and digits, or one CJK character (Han, kana, bopomofo), or one letter of another
script without blanks between words (Thai, Lao, Khmer, Burmese ...) with the marks behind it; so none of
these needs a segmenter and no text is split at whitespace alone. Hangul syllables form words.

Legend: B bytes of the batch, C code points, D documents, K tokens, L lines.
"""

from __future__ import annotations

import functools
import itertools
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from refinery.compiled import copied_kernel, kernel
from refinery.text.hashing import GOLDEN, mix
from refinery.text.utf8 import Bytes, Offsets, Texts

TEXT_BATCH_VERSION = 4

# A batch of so many code points is computed twice as fast as one of twice as many: allocators hand out
# its arrays again, and the processor's cache holds the most of them.
GROUP_CHARS = 150_000

NUM_CODE_POINTS = 0x110000
OTHER, WORD, CJK, SPACE = 0, 1, 2, 3
# KIND masks the kind in a character's class; the others are bits beside it. Rules read classes, which
# are one byte, instead of code points, which are four.
KIND, LETTER, SENTENCE_MARK, CJK_SENTENCE_MARK, SMALL, UPPER = 3, 4, 8, 16, 32, 64
# A letter of an unspaced script: it begins a token, as if a blank stood before it.
UNSPACED = 128

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
_LINE_FEED = np.uint32(10)
_REPLACEMENT = np.uint32(0xFFFD)
_SIX, _LOW_SIX = np.uint32(6), np.uint32(0x3F)
# Of an entry of `character_table`: the folded character, and above it the class.
_FOLDED, _CLASS_SHIFT, _KIND = np.uint32(0x1FFFFF), np.uint32(24), np.uint32(KIND)
_ZERO = np.uint64(0)

Codes = NDArray[np.uint32]
Classes = NDArray[np.uint8]
Indices = NDArray[np.int64]
Hashes = NDArray[np.uint64]


@functools.cache
def _assigned() -> tuple[Indices, str]:
    """Code points below 0x40000 and tag characters, without surrogates, as numbers and as a text.

    The planes between and behind are unassigned or private: no letters, no case. Every process
    fills its tables once, and three of four steps are saved.
    """
    ranges = ((0, 0xD800), (0xE000, 0x40000), (0xE0000, 0xE0200))
    codes = np.concatenate([np.arange(first, end) for first, end in ranges])
    return codes, codes.astype("<u4").tobytes().decode("utf-32-le")


def _of_each(function: Callable[[str], bool]) -> NDArray[np.bool_]:
    """[NUM_CODE_POINTS] what a function says of each character."""
    codes, characters = _assigned()
    answers = np.zeros(NUM_CODE_POINTS, np.bool_)
    answers[codes] = np.fromiter(map(function, characters), np.bool_, len(codes))
    return answers


@functools.cache
def kind_table() -> NDArray[np.uint8]:
    """[NUM_CODE_POINTS] the kind of each: OTHER, WORD, CJK or SPACE."""
    codes, characters = _assigned()
    categories = np.frombuffer("".join(map(unicodedata.category, characters)).encode(), "S1")[::2]
    kinds = np.zeros(NUM_CODE_POINTS, np.uint8)
    kinds[codes[np.isin(categories, [b"L", b"M", b"N"])]] = WORD
    kinds[codes[categories == b"Z"]] = SPACE
    kinds[[9, 10, 11, 12, 13, 0x85]] = SPACE
    for first, last in CJK_RANGES:
        kinds[first : last + 1] = CJK
    return kinds


@functools.cache
def class_table() -> NDArray[np.uint8]:
    """[NUM_CODE_POINTS] the class of each: its kind, and the bits beside it."""
    classes = kind_table().copy()
    classes[_of_each(str.isalpha)] |= LETTER
    classes[_of_each(str.islower)] |= SMALL
    classes[_of_each(str.isupper)] |= UPPER
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
    codes, characters = _assigned()
    wide = [*range(0xFF01, 0xFF5F), 0x3000]
    narrow = characters.translate({code: unicodedata.normalize("NFKC", chr(code)) for code in wide})
    folded = [*map(str.lower, narrow)]
    for several in np.flatnonzero(np.fromiter(map(len, folded), np.int8, len(folded)) > 1).tolist():
        folded[several] = narrow[several]
    table = np.arange(NUM_CODE_POINTS, dtype=np.uint32)
    table[codes] = np.frombuffer("".join(folded).encode("utf-32-le"), "<u4")
    return table


@functools.cache
def character_table() -> Codes:
    """[NUM_CODE_POINTS] the class and the folded form of each in one number: one access to memory for both."""
    return fold_table() | class_table().astype(np.uint32) << _CLASS_SHIFT


class TokenHashes(NamedTuple):
    """The tokens of D texts as hashes alone: all that shingles and n-grams need.

    Attributes:
        hashes_K: [K] those of `TextBatch.token_hashes`.
        bounds_D: [D + 1] first token of each text.
        line_firsts_L: The number of tokens before each line feed.
    """

    hashes_K: Hashes
    bounds_D: Indices
    line_firsts_L: Indices

    @classmethod
    def of(cls, texts: Texts) -> TokenHashes:
        """Hash the tokens; bytes that are no UTF-8 read as some character."""
        return cls(*hash_tokens(*texts, character_table()))


@dataclass(frozen=True)
class TextBatch:
    """Texts of one batch.

    Attributes:
        texts: The D texts that the arrays were computed from.
        codes: [C] code points of all texts, one after the other.
        classes: [C] their kinds and bits.
        starts: [D + 1] first code point of each text in `codes`.
        token_starts, token_ends: [K] bounds of tokens in `codes`.
        token_hashes: [K] 64-bit hashes of the folded tokens.
        token_bounds: [D + 1] first token of each text.
    """

    texts: Sequence[str]
    codes: Codes
    classes: Classes
    starts: Indices
    token_starts: Indices
    token_ends: Indices
    token_hashes: Hashes
    token_bounds: Indices

    @classmethod
    def of(cls, texts: Sequence[str]) -> TextBatch:
        """Compute all arrays; texts must be valid (no lone surrogates)."""
        codes = np.frombuffer("".join(texts).encode("utf-32-le"), dtype=np.uint32)
        starts = offsets_of([len(text) for text in texts])
        classes, firsts, lasts, hashes, bounds = scan_text(codes, starts, character_table())
        return cls(texts, codes, classes, starts, firsts, lasts, hashes, bounds)

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

    @functools.cached_property
    def token_doc(self) -> Indices:
        """[K] text of each token."""
        return np.repeat(np.arange(self.num_texts), self.num_tokens)

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
        hashes: [L] 64-bit hashes of their characters.
    """

    starts: Indices
    ends: Indices
    doc: Indices
    hashes: Hashes

    @classmethod
    def of(cls, batch: TextBatch) -> Lines:
        return cls(*scan_lines(batch.codes, batch.classes, batch.starts))

    def subset(self, members: NDArray[np.bool_]) -> Lines:
        """The lines for which the mask is true."""
        return Lines(
            self.starts[members], self.ends[members], self.doc[members], self.hashes[members]
        )


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


@copied_kernel
def _read_character(data_B: Bytes, byte: int, last: int) -> tuple[np.uint32, int]:
    """The character that begins at a byte, and the byte behind it; never reads at `last` or behind.

    Bytes that are no UTF-8 give some character, in the range of code points.
    """
    first = np.uint32(data_B[byte])
    if first < 0x80:
        return first, byte + 1
    size = 2 + int(first >= 0xE0) + int(first >= 0xF0)
    if byte + size > last:
        return _REPLACEMENT, last
    code = first << _SIX | np.uint32(data_B[byte + 1]) & _LOW_SIX
    if size == 2:
        return code & np.uint32(0x7FF), byte + 2
    code = code << _SIX | np.uint32(data_B[byte + 2]) & _LOW_SIX
    if size == 3:
        return code & np.uint32(0xFFFF), byte + 3
    code = code << _SIX | np.uint32(data_B[byte + 3]) & _LOW_SIX
    return min(code & np.uint32(0x1FFFFF), np.uint32(NUM_CODE_POINTS - 1)), byte + 4


@copied_kernel
def _read_token(
    entry: np.uint32, was_word: np.uint64, product: np.uint64
) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64]:
    """Whether a character is of a token, begins one, and is of a word; and the token's product up to it.

    The product is of GOLDEN and the product before xor the folded character; `mix` of it is the hash. Where a
    token ends is a coin toss for the processor, so nothing branches on it: loops write what they know of
    the latest token into its slot with each character.

    Args:
        entry: Of the character in `character_table`.
        was_word: Whether the character before it is of a word.
        product: That of the character before it.
    """
    kind = entry >> _CLASS_SHIFT & _KIND
    is_word = np.uint64(kind == WORD)
    is_token = is_word | np.uint64(kind == CJK)
    goes_on = is_word & was_word & np.uint64(entry >> _CLASS_SHIFT < UNSPACED)
    before = product & (_ZERO - goes_on)
    grown = (before ^ np.uint64(entry & _FOLDED)) * GOLDEN
    product ^= (product ^ grown) & (_ZERO - is_token)
    return is_token, is_token ^ goes_on, is_word, product


@kernel
def scan_text(
    codes_C: Codes, starts_D: Indices, table: Codes
) -> tuple[Classes, Indices, Indices, Hashes, Indices]:
    """[C] classes; [K] start, end and hash of each token; [D + 1] the first token of each text."""
    classes_C = np.empty(len(codes_C), np.uint8)
    # A token starts in the slot that the characters before it wrote to; it ends, and has its hash, in the next.
    num_slots = len(codes_C) + 1
    starts_K, ends_K = np.empty(num_slots, np.int64), np.empty(num_slots, np.int64)
    hashes_K = np.empty(num_slots, np.uint64)
    bounds_D = np.zeros(len(starts_D), np.int64)
    token = end = 0
    product = _ZERO
    for document in range(len(starts_D) - 1):
        was_word = _ZERO
        for char in range(starts_D[document], starts_D[document + 1]):
            entry = table[codes_C[char]]
            classes_C[char] = np.uint8(entry >> _CLASS_SHIFT)
            is_token, begins, was_word, product = _read_token(entry, was_word, product)
            starts_K[token] = char
            token += int(begins)
            end += (char + 1 - end) * int(is_token)
            ends_K[token], hashes_K[token] = end, product
        bounds_D[document + 1] = token
    for slot in range(1, token + 1):
        hashes_K[slot] = mix(hashes_K[slot])
    behind = token + 1
    return classes_C, starts_K[:token], ends_K[1:behind], hashes_K[1:behind], bounds_D


@kernel
def hash_tokens(data_B: Bytes, bounds_D: Offsets, table: Codes) -> tuple[Hashes, Indices, Indices]:
    """The arrays of `TokenHashes` of the texts whose UTF-8 is given, with the first byte of each."""
    num_lines = 0
    for byte in range(len(data_B)):
        num_lines += data_B[byte] == _LINE_FEED
    hashes_K, lines_L = np.empty(len(data_B) + 1, np.uint64), np.empty(num_lines, np.int64)
    tokens_D = np.zeros(len(bounds_D), np.int64)
    token = line = 0
    product = _ZERO
    for document in range(len(bounds_D) - 1):
        byte, last = bounds_D[document], bounds_D[document + 1]
        was_word = _ZERO
        while byte < last:
            code, byte = _read_character(data_B, byte, last)
            _, begins, was_word, product = _read_token(table[code], was_word, product)
            token += int(begins)
            hashes_K[token] = product
            if code == _LINE_FEED:
                lines_L[line] = token
                line += 1
        tokens_D[document + 1] = token
    for slot in range(1, token + 1):
        hashes_K[slot] = mix(hashes_K[slot])
    return hashes_K[1 : token + 1], tokens_D, lines_L


@kernel
def _hash_chars(codes_C: Codes) -> np.uint64:
    """Hash characters in their order, two at a time."""
    value = np.uint64(len(codes_C))
    for pair in range(len(codes_C) // 2):
        both = np.uint64(codes_C[2 * pair]) << np.uint64(32) | np.uint64(codes_C[2 * pair + 1])
        value = (value ^ both) * GOLDEN
        value ^= value >> np.uint64(32)
    if len(codes_C) % 2:
        value = (value ^ np.uint64(codes_C[len(codes_C) - 1])) * GOLDEN
    return mix(value)


@kernel
def scan_lines(
    codes_C: Codes, classes_C: Classes, starts_D: Indices
) -> tuple[Indices, Indices, Indices, Hashes]:
    """[L] start, end, text and hash of each line that is not blank, without white space around it."""
    most = len(starts_D)
    for char in range(len(codes_C)):
        most += codes_C[char] == _LINE_FEED
    starts_L, ends_L = np.empty(most, np.int64), np.empty(most, np.int64)
    documents_L, hashes_L = np.empty(most, np.int64), np.empty(most, np.uint64)
    line = 0
    for document in range(len(starts_D) - 1):
        char, last = starts_D[document], starts_D[document + 1]
        while char < last:
            # White space before a line, and whole blank lines.
            if classes_C[char] & KIND == SPACE:
                char += 1
                continue
            start = char
            while char < last and codes_C[char] != _LINE_FEED:
                char += 1
            end = char
            while classes_C[end - 1] & KIND == SPACE:
                end -= 1
            hashes_L[line] = _hash_chars(codes_C[start:end])
            starts_L[line], ends_L[line], documents_L[line] = start, end, document
            line += 1
    return (
        starts_L[:line].copy(),
        ends_L[:line].copy(),
        documents_L[:line].copy(),
        hashes_L[:line].copy(),
    )
