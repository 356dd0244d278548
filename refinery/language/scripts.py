"""Writing systems: which one a text is written in, line by line, and which languages write it.

A language model guesses among all of its labels; a text in Thai letters is no Turkish, and one in
Han characters without any kana is no Japanese. Systems are those of ISO 15924, except that `Jpan` and
`Hani` are one here (`Hani`), which `japanese_share` divides.

Legend: C code points, D documents, S systems.
"""

from __future__ import annotations

import functools
import itertools
import unicodedata

import numpy as np
from numpy.typing import NDArray

from refinery.compiled import Matrix, kernel
from refinery.text.batch import Codes, Indices

# First and last code points of the letters of each system; marks on them belong to it.
_RANGES: dict[str, tuple[tuple[int, int], ...]] = {
    "Latn": (
        (0x41, 0x24F), (0x250, 0x2AF), (0x1D00, 0x1DBF), (0x1E00, 0x1EFF), (0x2C60, 0x2C7F),
        (0xA720, 0xA7FF), (0xAB30, 0xAB6F), (0xFF21, 0xFF5A), (0x1D400, 0x1D6A5),
    ),
    "Cyrl": ((0x400, 0x52F), (0x1C80, 0x1C8F), (0x2DE0, 0x2DFF), (0xA640, 0xA69F)),
    "Grek": ((0x370, 0x3FF), (0x1F00, 0x1FFF)),
    "Armn": ((0x531, 0x58F),),
    "Geor": ((0x10A0, 0x10FF), (0x1C90, 0x1CBF), (0x2D00, 0x2D2F)),
    "Hebr": ((0x591, 0x5FF), (0xFB1D, 0xFB4F)),
    "Arab": ((0x610, 0x6FF), (0x750, 0x77F), (0x870, 0x8FF), (0xFB50, 0xFDFF), (0xFE70, 0xFEFC)),
    "Syrc": ((0x700, 0x74F),),
    "Thaa": ((0x780, 0x7BF),),
    "Deva": ((0x900, 0x97F), (0xA8E0, 0xA8FF)),
    "Beng": ((0x980, 0x9FF),),
    "Guru": ((0xA00, 0xA7F),),
    "Gujr": ((0xA80, 0xAFF),),
    "Orya": ((0xB00, 0xB7F),),
    "Taml": ((0xB80, 0xBFF),),
    "Telu": ((0xC00, 0xC7F),),
    "Knda": ((0xC80, 0xCFF),),
    "Mlym": ((0xD00, 0xD7F),),
    "Sinh": ((0xD80, 0xDFF),),
    "Thai": ((0xE00, 0xE7F),),
    "Laoo": ((0xE80, 0xEFF),),
    "Tibt": ((0xF00, 0xFFF),),
    "Mymr": ((0x1000, 0x109F), (0xA9E0, 0xA9FF), (0xAA60, 0xAA7F)),
    "Ethi": ((0x1200, 0x139F), (0x2D80, 0x2DDF)),
    "Cher": ((0x13A0, 0x13FF), (0xAB70, 0xABBF)),
    "Khmr": ((0x1780, 0x17FF),),
    "Mong": ((0x1800, 0x18AF),),
    "Hang": ((0x1100, 0x11FF), (0x3131, 0x318E), (0xA960, 0xA97F), (0xAC00, 0xD7FB)),
    "Kana": ((0x3041, 0x309F), (0x30A1, 0x30FF), (0x31F0, 0x31FF), (0xFF66, 0xFF9D)),
    "Hani": (
        (0x3005, 0x3007), (0x3105, 0x312F), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF),
        (0x20000, 0x323AF),
    ),
}  # fmt: skip
SYSTEMS = ("Zzzz", *_RANGES)  # Zzzz: what is no letter of any system
_NUMBER = {name: number for number, name in enumerate(SYSTEMS)}
_HANG, _KANA, _HANI = (_NUMBER[name] for name in ("Hang", "Kana", "Hani"))
# Letters that say as much as one of these: a Han character is about half a word.
_WEIGHTS = np.ones(len(SYSTEMS))
_WEIGHTS[[_HANI, _KANA, _HANG]] = 4, 2, 2
# Hangul among Han characters, even if less of it, makes a line Korean.
_HANGUL_SHARE = 0.1

# Labels of lid.176 by system. A label that no system names here is written in Latin letters.
_LABELS = {
    "Cyrl": "av az ba be bg bxr ce cv kk krc kv ky lez mhr mk mn mrj myv os ru rue sah sh sr tg tt tyv "
    "uk uz xal",
    "Grek": "el",
    "Armn": "hy",
    "Geor": "ka xmf",
    "Hebr": "he yi",
    "Arab": "ar arz azb ckb fa kk ku ky lrc mzn pnb ps sd ug ur",
    "Thaa": "dv",
    "Deva": "bh dty gom hi mai mr ne new sa sd",
    "Beng": "as bn bpy",
    "Guru": "pa",
    "Gujr": "gu",
    "Orya": "or",
    "Taml": "ta",
    "Telu": "te",
    "Knda": "kn",
    "Mlym": "ml",
    "Sinh": "si",
    "Thai": "th",
    "Laoo": "lo",
    "Tibt": "bo",
    "Mymr": "my",
    "Ethi": "am",
    "Khmr": "km",
    "Mong": "mn",
    "Hang": "ko",
    "Hani": "ja wuu yue zh",
}
LABELS = {system: frozenset(labels.split()) for system, labels in _LABELS.items()}
_LATIN_TOO = frozenset({"az", "gom", "kk", "ku", "sh", "sr", "tt", "uz"})
_NOT_LATIN = frozenset[str]().union(*LABELS.values()) - _LATIN_TOO

# Labels that this table tells anything of: those of other scripts than Latin.
OWN_LABELS = frozenset[str]().union(*LABELS.values())


Weights = NDArray[np.float64]
Table = NDArray[np.uint8]


def writes(label: str, system: str) -> bool:
    """Whether texts with a label may be in a system; a label of an unknown kind always may."""
    if system == "Latn":
        return label not in _NOT_LATIN
    return label in LABELS.get(system, ())


@functools.cache
def _table() -> Table:
    """[0x110000] the number of each code point's system, 0 for what is no letter and no mark."""
    table = np.zeros(0x110000, np.uint8)
    for name, ranges in _RANGES.items():
        for code in itertools.chain(*(range(first, last + 1) for first, last in ranges)):
            if unicodedata.category(chr(code))[0] in "LM":
                table[code] = _NUMBER[name]
    return table


def system_weights(texts: list[str]) -> Weights:
    """[D, S] how much of each text is in each system, in letters that say as much as Latin ones.

    Kana counts as Han, and Han among Hangul counts as Hangul.
    """
    codes = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), np.uint32)
    bounds = np.cumsum([0, *map(len, texts)], dtype=np.int64)
    weights = count_systems(codes, bounds, _table(), len(SYSTEMS)) * _WEIGHTS
    weights[:, 0] = 0
    weights[:, _HANI] += weights[:, _KANA]
    weights[:, _KANA] = 0
    korean = weights[:, _HANG] >= _HANGUL_SHARE * (weights[:, _HANG] + weights[:, _HANI])
    korean &= weights[:, _HANG] > 0
    weights[korean, _HANG] += weights[korean, _HANI]
    weights[korean, _HANI] = 0
    return weights


@kernel
def count_systems(
    codes_C: Codes, bounds_D: Indices, table: Table, num_systems: int
) -> Matrix[Indices]:
    """[D, S] code points of each system in each document."""
    counts_D = np.zeros((len(bounds_D) - 1, num_systems), np.int64)
    for document in range(len(bounds_D) - 1):
        own_C = codes_C[bounds_D[document] : bounds_D[document + 1]]
        for char in range(len(own_C)):
            code = own_C[char]
            if code < len(table):
                counts_D[document, table[code]] += 1
    return counts_D


def lines_by_system(text: str) -> dict[str, list[str]]:
    """The lines of a text by the system that most of each is in; one without letters goes with the line before."""
    lines = [line for line in text.split("\n") if line.strip()]
    weights = system_weights(lines)
    by_system: dict[str, list[str]] = {}
    before: str | None = None
    leading: list[str] = []
    for line, best, total in zip(lines, weights.argmax(axis=1), weights.sum(axis=1), strict=True):
        system = SYSTEMS[int(best)] if total else before
        if system is None:
            leading.append(line)
            continue
        by_system.setdefault(system, []).extend([*leading, line])
        before, leading = system, []
    return by_system


def japanese_share(text: str) -> float:
    """The share of kana and of kanji that only Japan writes, among Han characters and kana.

    A kanji is only Japanese where JIS X 0208 has it and neither GB 2312 nor Big5; a single one may be a
    variant in an old Chinese text, so two different ones are asked for.
    """
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    systems = _table().take(codes)
    num_kana = int((systems == _KANA).sum())
    han = codes[systems == _HANI]
    own = han[_japanese_only().take(han)]
    num_own = len(own) if len(np.unique(own)) > 1 else 0
    return (num_kana + num_own) / max(1, num_kana + len(han))


@functools.cache
def _japanese_only() -> NDArray[np.bool_]:
    """[0x110000] whether a code point is a kanji that is only Japanese."""
    table = np.zeros(0x110000, np.bool_)
    for point in range(0x4E00, 0xA000):
        char = chr(point)
        table[point] = (
            encodes(char, "shift_jis") and not encodes(char, "gb2312") and not encodes(char, "big5")
        )
    return table


def encodes(char: str, codec: str) -> bool:
    """Whether a character set has the character."""
    try:
        char.encode(codec)
    except UnicodeEncodeError:
        return False
    return True
