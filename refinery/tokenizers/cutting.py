"""Cut texts into pieces as the pre-tokenizers of GPT-2, LLaMA 3 and Qwen do, over the kinds of characters.

The patterns, as the tokenizers' files write them, are in `PATTERNS`. They read nothing of a character but
whether it is a letter, a number, a space or another, and whether it ends a line.

Legend: B bytes of a document; the bytes of a character all have its kind.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from refinery.compiled import Filled, inner_kernel
from refinery.text.utf8 import Bytes

Kinds = NDArray[np.uint8]
UNKNOWN, LETTER, NUMBER, SPACE, OTHER = 0, 1, 2, 3, 4

# The pre-tokenizer of GPT-2 (Radford et al. 2019), those of LLaMA 3 and Qwen as their tokenizers write them.
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_LATER = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{numbers}"
    r"| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
LLAMA3, QWEN = _LATER.format(numbers="{1,3}"), _LATER.format(numbers="")
# The longest number of each pattern, in characters; 0 for GPT-2's, which is another pattern.
PATTERNS = {GPT2: 0, LLAMA3: 3, QWEN: 1}

_LINE_FEED, _RETURN, _BLANK, _APOSTROPHE = 10, 13, 32, 39
_S, _T, _R, _E, _V, _M, _L, _D = (ord(letter) for letter in "strevmld")
# The long s, which is an s where case does not count: U+017F.
_LONG_S = (0xC5, 0xBF)


@inner_kernel
def code_at(own_B: Bytes, offset: int) -> int:
    """The code point at an offset, times 8, plus how many bytes it has; a broken one is U+FFFD, of one byte."""
    first = int(own_B[offset])
    left = len(own_B) - offset
    if first < 0x80:
        return first << 3 | 1
    if 0xC0 <= first < 0xE0 and left >= 2:
        return ((first & 0x1F) << 6 | (int(own_B[offset + 1]) & 0x3F)) << 3 | 2
    if 0xE0 <= first < 0xF0 and left >= 3:
        second, third = int(own_B[offset + 1]) & 0x3F, int(own_B[offset + 2]) & 0x3F
        return ((first & 0xF) << 12 | second << 6 | third) << 3 | 3
    if 0xF0 <= first < 0xF5 and left >= 4:
        second, third = int(own_B[offset + 1]) & 0x3F, int(own_B[offset + 2]) & 0x3F
        code = (first & 7) << 18 | second << 12 | third << 6 | (int(own_B[offset + 3]) & 0x3F)
        if code < 0x110000:
            return code << 3 | 4
    return 0xFFFD << 3 | 1


@inner_kernel
def mark_kinds(own_B: Bytes, kinds_C: Kinds, kinds_B: Filled[Kinds]) -> bool:
    """Write the kind of each byte's character; False at the first character of unknown kind."""
    offset = 0
    while offset < len(own_B):
        if own_B[offset] < 0x80:
            kinds_B[offset] = kinds_C[own_B[offset]]
            offset += 1
            continue
        code = code_at(own_B, offset)
        kind = kinds_C[code >> 3]
        if kind == UNKNOWN:
            return False
        for _ in range(code & 7):
            kinds_B[offset] = kind
            offset += 1
    return True


@inner_kernel
def _run_end(kinds_B: Kinds, offset: int, size: int, kind: int) -> int:
    while offset < size and kinds_B[offset] == kind:
        offset += 1
    return offset


@inner_kernel
def _contraction(own_B: Bytes, offset: int, lower: int) -> int:
    """How many bytes of 's, 't, 're, 've, 'm, 'll or 'd begin here; `lower` is the bit of small letters, or 0."""
    left = len(own_B) - offset
    if left < 2 or own_B[offset] != _APOSTROPHE:
        return 0
    first = int(own_B[offset + 1]) | lower
    if first == _S or first == _T or first == _M or first == _D:
        return 2
    if left < 3:
        return 0
    second = int(own_B[offset + 2]) | lower
    if ((first == _R or first == _V) and second == _E) or (first == _L and second == _L):
        return 3
    if lower and own_B[offset + 1] == _LONG_S[0] and own_B[offset + 2] == _LONG_S[1]:
        return 3
    return 0


@inner_kernel
def _spaces_end(own_B: Bytes, kinds_B: Kinds, start: int) -> int:
    r"""The end of `\s+(?!\S)|\s+`: all spaces but the last one before something else."""
    # At least one byte, so that no table of kinds makes the caller's loop endless.
    end = max(_run_end(kinds_B, start, len(own_B), SPACE), start + 1)
    if end == len(own_B):
        return end
    last = end - 1
    while last > start and own_B[last] & 0xC0 == 0x80:
        last -= 1
    return last if last > start else end


@inner_kernel
def piece_end(own_B: Bytes, kinds_B: Kinds, start: int, numbers: int) -> int:
    """One past the last byte of the piece that begins at `start`; `numbers` are the values of `PATTERNS`."""
    if numbers == 0:
        return _end_gpt2(own_B, kinds_B, start)
    return _end_later(own_B, kinds_B, start, numbers)


@inner_kernel
def _end_gpt2(own_B: Bytes, kinds_B: Kinds, start: int) -> int:
    size = len(own_B)
    contracted = _contraction(own_B, start, 0)
    if contracted:
        return start + contracted
    first = start + 1 if own_B[start] == _BLANK and start + 1 < size else start
    if kinds_B[first] != SPACE:
        return _run_end(kinds_B, first, size, kinds_B[first])
    return _spaces_end(own_B, kinds_B, start)


@inner_kernel
def _end_later(own_B: Bytes, kinds_B: Kinds, start: int, numbers: int) -> int:
    size, kind = len(own_B), kinds_B[start]
    contracted = _contraction(own_B, start, 32)
    if contracted:
        return start + contracted
    if kind == LETTER:
        return _run_end(kinds_B, start, size, LETTER)
    if kind == NUMBER:
        offset = start
        for _ in range(numbers):
            if offset < size and kinds_B[offset] == NUMBER:
                offset += code_at(own_B, offset) & 7
        return min(offset, size)
    behind = start + (code_at(own_B, start) & 7)
    ends_line = own_B[start] == _LINE_FEED or own_B[start] == _RETURN
    if not ends_line and behind < size and kinds_B[behind] == LETTER:
        return _run_end(kinds_B, behind, size, LETTER)
    first = behind if own_B[start] == _BLANK else start
    if first < size and kinds_B[first] == OTHER:
        end = _run_end(kinds_B, first, size, OTHER)
        while end < size and (own_B[end] == _LINE_FEED or own_B[end] == _RETURN):
            end += 1
        return end
    end = _run_end(kinds_B, start, size, SPACE)
    for last in range(end - 1, start - 1, -1):
        if own_B[last] == _LINE_FEED or own_B[last] == _RETURN:
            return last + 1
    return _spaces_end(own_B, kinds_B, start)
