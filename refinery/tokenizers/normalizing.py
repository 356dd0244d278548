"""Normalise texts as a tokenizer's normaliser does: single characters by a table, all others by the library.

A text of characters that stand alone (no marks, no joiners) becomes what its characters become one by one;
the library is asked once for each. Where characters may change each other, it normalises the text.

Legend: B bytes, C code points, D documents, O bytes of the normalised texts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from refinery.compiled import Filled, inner_kernel, kernel
from refinery.text.utf8 import Bytes, Offsets, Texts
from refinery.tokenizers.characters import (
    FIRST_TEXT,
    ITSELF,
    JOINS,
    NOT_ASKED,
    CharacterMap,
    CharacterTexts,
)
from refinery.tokenizers.cutting import code_at
from refinery.tokenizers.piece_table import Ids

MARK = "\u2581"
# How a text begins: as it is, with a mark, or with a mark where it has none.
BEGINS_AS_IS, BEGINS_WITH_MARK, BEGINS_WITH_ONE_MARK = 0, 1, 2
_BLANK = 32
# What is known of the text that is being written: its first byte, one past its last, one past its last that
# is no space, and whether the last character was a blank.
_BEGIN, _END, _VISIBLE, _WAS_BLANK = 0, 1, 2, 3
_MARK_CODE, _MARK_BYTES = 0x2581, (0xE2, 0x96, 0x81)
Flags = NDArray[np.bool_]


class SpaceRules(NamedTuple):
    """What a SentencePiece tokenizer does with spaces, after its characters are mapped."""

    strips_left: bool = False
    strips_right: bool = False
    joins_blanks: bool = False
    marks_blanks: bool = False
    beginning: int = BEGINS_AS_IS


@inner_kernel
def _is_white(code: int) -> bool:
    """White_Space of the Unicode Character Database, which is what the library strips."""
    if code < 0x80:
        return code == _BLANK or 9 <= code <= 13
    if code < 0x2000:
        return code == 0x85 or code == 0xA0 or code == 0x1680
    if code <= 0x200A or code == 0x2028 or code == 0x2029:
        return True
    return code == 0x202F or code == 0x205F or code == 0x3000


@inner_kernel
def _write_characters(
    source_B: Bytes, first: int, last: int, spaces: SpaceRules, out_O: Filled[Bytes],
    progress: Filled[Offsets],
) -> None:  # fmt: skip
    """Write the characters of source_B[first:last] as the rules of spaces say."""
    while first < last:
        code = code_at(source_B, first)
        character, size = code >> 3, code & 7
        is_white, is_blank = _is_white(character), character == _BLANK
        is_at_begin = progress[_VISIBLE] == progress[_BEGIN]
        is_skipped = is_white and spaces.strips_left and is_at_begin
        if not is_skipped and not (is_blank and spaces.joins_blanks and progress[_WAS_BLANK]):
            end = progress[_END]
            if end == progress[_BEGIN] and _needs_mark(character, spaces.beginning):
                end = _write_mark(out_O, end)
            if is_blank and spaces.marks_blanks:
                end = _write_mark(out_O, end)
            else:
                for index in range(first, first + size):
                    out_O[end] = source_B[index]
                    end += 1
            progress[_END] = end
            if not is_white:
                progress[_VISIBLE] = end
        progress[_WAS_BLANK] = is_blank
        first += size


@kernel
def normalize(
    data_B: Bytes, bounds_D: Offsets, characters: CharacterTexts, spaces: SpaceRules, states_D: Filled[Ids]
) -> tuple[Bytes, Offsets]:  # fmt: skip
    """Bytes of the normalised texts and where each begins.

    `states_D` is ITSELF for a text that was written; one with a character that joins its neighbours, or that
    nobody asked for (JOINS, NOT_ASKED), is empty.
    """
    longest = 3
    for text in range(len(characters.bounds) - 1):
        longest = max(longest, characters.bounds[text + 1] - characters.bounds[text])
    # A blank becomes a mark of three bytes, and another may stand before the text.
    most = longest * 3 + 6
    out_O = np.empty(len(data_B) + len(data_B) // 4 + most, np.uint8)
    out_bounds_D = np.zeros(len(bounds_D), np.int64)
    progress = np.zeros(4, np.int64)
    for document in range(len(bounds_D) - 1):
        own_B = data_B[bounds_D[document] : bounds_D[document + 1]]
        begin = out_bounds_D[document]
        progress[_BEGIN] = progress[_END] = progress[_VISIBLE] = begin
        progress[_WAS_BLANK] = 0
        states_D[document] = ITSELF
        offset = 0
        while offset < len(own_B) and states_D[document] == ITSELF:
            if len(out_O) - progress[_END] < most:
                grown_O = np.empty(2 * len(out_O) + most, np.uint8)
                grown_O[: progress[_END]] = out_O[: progress[_END]]
                out_O = grown_O
            if progress[_END] > begin:
                offset += _copy_plain(own_B, offset, characters.mapped_C, out_O, progress)
            if offset < len(own_B) and len(out_O) - progress[_END] >= most:
                code = code_at(own_B, offset)
                mapped = int(characters.mapped_C[code >> 3])
                if mapped == ITSELF:
                    _write_characters(own_B, offset, offset + (code & 7), spaces, out_O, progress)
                elif mapped < FIRST_TEXT:
                    states_D[document] = mapped
                else:
                    start = characters.bounds[mapped - FIRST_TEXT]
                    end = characters.bounds[mapped - FIRST_TEXT + 1]
                    _write_characters(characters.texts, start, end, spaces, out_O, progress)
                offset += code & 7
        if states_D[document] != ITSELF:
            progress[_END] = begin
        elif spaces.strips_right:
            progress[_END] = progress[_VISIBLE]
        out_bounds_D[document + 1] = progress[_END]
    return out_O[: progress[_END]].copy(), out_bounds_D


@inner_kernel
def _copy_plain(
    own_B: Bytes, offset: int, mapped_C: Ids, out_O: Filled[Bytes], progress: Filled[Offsets]
) -> int:
    """Copy characters that stay as they are and are no spaces, as far as there is room; returns their bytes."""
    end = progress[_END]
    size = min(len(own_B) - offset, len(out_O) - end)
    copied = 0
    while copied < size:
        byte = own_B[offset + copied]
        if byte < 0x80:
            if byte <= _BLANK or mapped_C[byte] != ITSELF:
                break
            out_O[end + copied] = byte
            copied += 1
            continue
        code = code_at(own_B, offset + copied)
        width = code & 7
        if copied + width > size or mapped_C[code >> 3] != ITSELF or _is_white(code >> 3):
            break
        for index in range(copied, copied + width):
            out_O[end + index] = own_B[offset + index]
        copied += width
    if copied > 0:
        progress[_END] = progress[_VISIBLE] = end + copied
        progress[_WAS_BLANK] = 0
    return copied


@inner_kernel
def _needs_mark(character: int, beginning: int) -> bool:
    """Whether a mark is written before the first character of a text."""
    if beginning == BEGINS_WITH_ONE_MARK:
        return character != _MARK_CODE and character != _BLANK
    return beginning == BEGINS_WITH_MARK


@inner_kernel
def _write_mark(out_O: Filled[Bytes], end: int) -> int:
    """Write the mark; returns one past it."""
    for byte in _MARK_BYTES:
        out_O[end] = byte
        end += 1
    return end


class TextNormalizer:
    """The normaliser of a tokenizer, with what its pre-tokenizer does to spaces.

    Args:
        characters: What becomes of single characters.
        spaces: What is done with spaces.
        whole: Normalises a text in the library, spaces included.
    """

    def __init__(
        self, characters: CharacterMap, spaces: SpaceRules, whole: Callable[[str], str]
    ) -> None:
        self.characters, self._spaces, self._whole = characters, spaces, whole

    def apply(self, texts: Texts) -> Texts:
        """Normalise each text; the library is asked first for characters of which nothing is known."""
        found, states_D = self._by_table(texts)
        unknown = np.flatnonzero(states_D == NOT_ASKED)
        while len(unknown):
            self.characters.learn(set().union(*(texts.text(int(index)) for index in unknown)))
            found, states_D = self._by_table(texts)
            unknown = np.flatnonzero(states_D == NOT_ASKED)
        joined = np.flatnonzero(states_D == JOINS)
        if not len(joined):
            return found
        rows = [found.data_B[a:b] for a, b in zip(found.bounds_D, found.bounds_D[1:], strict=False)]
        for index in joined.tolist():
            rows[index] = np.frombuffer(self._whole(texts.text(index)).encode(), np.uint8)
        return Texts(np.concatenate(rows), np.cumsum([0, *map(len, rows)]).astype(np.int64))

    def _by_table(self, texts: Texts) -> tuple[Texts, Ids]:
        states_D = np.empty(len(texts.bounds_D) - 1, np.int32)
        data_O, bounds_D = normalize(*texts, self.characters.arrays(), self._spaces, states_D)
        return Texts(data_O, bounds_D), states_D
