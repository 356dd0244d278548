"""Tell which steps can change a text: one table lookup per code point instead of one search per step.

Each step of normalisation asks for a group of characters and is skipped where a text has none of
them. The gate is safe, not exact: it lets through every text that a step would change, and some
that it would not.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from enum import IntFlag

import numpy as np
from numpy.typing import NDArray

NUM_CODE_POINTS = 0x110000


class CharGroup(IntFlag):
    """Groups of characters, a bit for each group; a step that finds none of its group is skipped."""

    MOJIBAKE = 1  # lead characters of UTF-8 that was read as a legacy encoding
    EMOJI = 2
    SYMBOL = 4
    LOOKALIKE = 8  # Greek and Cyrillic
    WIDE = 16
    CONTROL = 32
    BLANK = 64  # line ends and blanks of other kinds
    FACE = 128  # rare characters that kaomoji are made of
    EYES = 256  # first of the two characters by which an emoticon is noticed, as in ":)"
    MOUTH = 512  # second of the two
    LETTER_EYES = 1024  # the same for emoticons of letters, as in "XD"
    LETTER_MOUTH = 2048


EMOJI_RANGES = (
    (0xA9, 0xA9), (0xAE, 0xAE), (0x203C, 0x203C), (0x2049, 0x2049), (0x20E3, 0x20E3),
    (0x2122, 0x2122), (0x2139, 0x2139), (0x2194, 0x21AA), (0x231A, 0x23FF), (0x24C2, 0x24C2),
    (0x25AA, 0x25FE), (0x2600, 0x27BF), (0x2934, 0x2935), (0x2B05, 0x2B55), (0x3030, 0x3030),
    (0x303D, 0x303D), (0x3297, 0x3297), (0x3299, 0x3299), (0x1F004, 0x1FAFF),
)  # fmt: skip
SYMBOL_RANGES = (
    (0x2022, 0x2043), (0x2190, 0x21FF), (0x2219, 0x2219), (0x24B6, 0x24E9), (0x2500, 0x27FF),
    (0x2B05, 0x2B05), (0xE000, 0xF8FF), (0x1D400, 0x1D7FF), (0x1F130, 0x1F149),
    (0xF0000, 0x10FFFD),
)  # fmt: skip
CONTROL_RANGES = (
    (0x00, 0x08), (0x0B, 0x0C), (0x0E, 0x1F), (0x7F, 0x84), (0x86, 0x9F), (0xAD, 0xAD),
    (0x180E, 0x180E), (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x2064), (0x2066, 0x206F),
    (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0xFFF9, 0xFFFB), (0xE0000, 0xE01EF),
)  # fmt: skip
BLANK_RANGES = (
    (0x0D, 0x0D), (0x85, 0x85), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A),
    (0x2028, 0x2029), (0x202F, 0x202F), (0x205F, 0x205F),
)  # fmt: skip
WIDE_RANGES = ((0xFF10, 0xFF19), (0xFF21, 0xFF3A), (0xFF41, 0xFF5A))
EYES_CHARS, MOUTH_CHARS = ":;=^-(<>&_→←", ")(-DPpO|[]':_3/^g*oT."
LETTER_EYES_CHARS, LETTER_MOUTH_CHARS = "xXQwrTR.", "DAQzZT"
FACE_CHARS = "╯╮┑ツ▽∇ﾟωಥ┬Д﹏皿⊙οಠʖง•ᕦε￣￣ー▔ᴥᵕ⌒°＾¬′Σ゜ʕ´д"

_RANGES = {
    CharGroup.MOJIBAKE: ((0xC2, 0xF4),),
    CharGroup.EMOJI: EMOJI_RANGES,
    CharGroup.SYMBOL: SYMBOL_RANGES,
    CharGroup.LOOKALIKE: ((0x370, 0x52F), (0xA640, 0xA66D)),
    CharGroup.WIDE: WIDE_RANGES,
    CharGroup.CONTROL: CONTROL_RANGES,
    CharGroup.BLANK: BLANK_RANGES,
    CharGroup.FACE: tuple((ord(char), ord(char)) for char in FACE_CHARS),
    CharGroup.EYES: tuple((ord(char), ord(char)) for char in EYES_CHARS),
    CharGroup.MOUTH: tuple((ord(char), ord(char)) for char in MOUTH_CHARS),
    CharGroup.LETTER_EYES: tuple((ord(char), ord(char)) for char in LETTER_EYES_CHARS),
    CharGroup.LETTER_MOUTH: tuple((ord(char), ord(char)) for char in LETTER_MOUTH_CHARS),
}


def char_class(ranges: tuple[tuple[int, int], ...]) -> str:
    """The inside of a regular expression's character class."""
    return "".join(f"{_escaped(first)}-{_escaped(last)}" for first, last in ranges)


def _escaped(code: int) -> str:
    return f"\\U{code:08x}"


@functools.cache
def _table() -> NDArray[np.uint16]:
    table = np.zeros(NUM_CODE_POINTS, np.uint16)
    for group, ranges in _RANGES.items():
        for first, last in ranges:
            table[first : last + 1] |= np.uint16(group)
    return table


@dataclass(frozen=True)
class Scan:
    """What a text holds.

    Attributes:
        groups: The groups that it has characters of.
        pairs: Offsets of the pairs that typed faces may hold.
        emoji, symbols: The different characters of these groups.
    """

    groups: CharGroup
    pairs: list[int]
    emoji: str
    symbols: str


def scan(text: str) -> Scan:
    """Look at each character of a text once; texts must be valid (no lone surrogates)."""
    if text.isascii():
        codes: NDArray[np.integer] = np.frombuffer(text.encode("ascii"), np.uint8)
    else:
        codes = np.frombuffer(text.encode("utf-32-le"), np.uint32)
    bits = _table().take(codes)
    groups = CharGroup(int(np.bitwise_or.reduce(bits, initial=np.uint16(0))))

    def different(group: CharGroup) -> str:
        found = codes[bits & np.uint16(group) != 0] if group in groups else codes[:0]
        return "".join(map(chr, np.unique(found).tolist()))

    pairs: list[int] = []
    if _PAIR in groups or _LETTER_PAIR in groups:
        # The bit of each mouth is twice that of its eyes: shifted by one, eyes meet the mouth behind.
        meets = (bits[:-1] << np.uint16(1)) & bits[1:] & np.uint16(_MOUTHS)
        pairs = np.flatnonzero(meets).tolist()
    return Scan(groups, pairs, different(CharGroup.EMOJI), different(CharGroup.SYMBOL))


_PAIR = CharGroup.EYES | CharGroup.MOUTH
_LETTER_PAIR = CharGroup.LETTER_EYES | CharGroup.LETTER_MOUTH
_MOUTHS = CharGroup.MOUTH | CharGroup.LETTER_MOUTH


def is_pair(pair: str) -> bool:
    """Whether `scan` names this pair of characters where it occurs."""
    return (pair[0] in EYES_CHARS and pair[1] in MOUTH_CHARS) or (
        pair[0] in LETTER_EYES_CHARS and pair[1] in LETTER_MOUTH_CHARS
    )
