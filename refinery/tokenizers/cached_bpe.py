"""Byte-level BPE, each distinct piece merged once: the tokenizer's ids at a multiple of its speed.

GPT-2's pre-tokenizer cuts a text into pieces (words with their space, numbers, signs), and merges
never cross them. Words repeat, so nearly all pieces are found in a table, and what is left of the work is
one pattern over the text. Texts where that would not hold go to the library: those with characters
whose class depends on the version of Unicode, and those of long pieces, which rarely repeat.
"""

from __future__ import annotations

import functools
import itertools
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from refinery.tokenizers.byte_characters import byte_characters
from refinery.tokenizers.identity import cached_tokenizer

# Ranges in which no letter, number or space was assigned since Unicode 6: every library agrees on them.
STABLE = (
    (0x0000, 0x0377), (0x037A, 0x037E), (0x0384, 0x038A), (0x038C, 0x038C), (0x038E, 0x03A1),
    (0x03A3, 0x0525), (0x0531, 0x0556), (0x0561, 0x0587), (0x0591, 0x05C7), (0x05D0, 0x05EA),
    (0x0621, 0x06FF), (0x0901, 0x0939), (0x0E01, 0x0E3A), (0x0E3F, 0x0E5B), (0x10D0, 0x10FA),
    (0x1E00, 0x1F15), (0x2000, 0x2064), (0x2070, 0x2071), (0x2074, 0x208E), (0x2090, 0x2094),
    (0x20A0, 0x2189), (0x2190, 0x2BFF), (0x3000, 0x303F), (0x3041, 0x3096), (0x3099, 0x30FF),
    (0x3105, 0x312C), (0x3131, 0x318E), (0x3190, 0x319F), (0x31C0, 0x31E3), (0x31F0, 0x321E),
    (0x3220, 0x33FF), (0x3400, 0x4DB5), (0x4E00, 0x9FA5), (0xAC00, 0xD7A3), (0xE000, 0xF8FF),
    (0xFB00, 0xFB06), (0xFE00, 0xFE0F), (0xFE30, 0xFE52), (0xFE54, 0xFE66), (0xFEFF, 0xFEFF),
    (0xFF01, 0xFFBE), (0xFFE0, 0xFFE6), (0xFFF9, 0xFFFD), (0x1F300, 0x1F6FF), (0x1F900, 0x1FAFF),
)  # fmt: skip
# White_Space of the Unicode Character Database.
SPACES = (
    (0x09, 0x0D), (0x20, 0x20), (0x85, 0x85), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A),
    (0x2028, 0x2029), (0x202F, 0x202F), (0x205F, 0x205F), (0x3000, 0x3000),
)  # fmt: skip
# The pre-tokenizer of GPT-2 (Radford et al. 2019), those of LLaMA 3 and Qwen as their tokenizers write them.
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_LATER = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{numbers}"
    r"| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
LLAMA3, QWEN = _LATER.format(numbers="{1,3}"), _LATER.format(numbers="")
KNOWN = (GPT2, LLAMA3, QWEN)
# A whole clause of Chinese is one piece: beyond this mean length pieces rarely repeat.
MOST_CHARS_PER_PIECE = 7
LONGEST_KEPT = 64
# The table of pieces is emptied at this size, about 40 MB.
MOST_KEPT = 1 << 17
Ints = NDArray[np.int32]
Offsets = NDArray[np.int64]


def _characters(ranges: Iterable[tuple[int, int]]) -> str:
    """The ranges as they stand inside the brackets of a pattern's class."""
    return "".join(
        f"\\U{first:08x}" + (f"-\\U{last:08x}" if last > first else "") for first, last in ranges
    )


def _runs(codes: Iterable[int]) -> Iterator[tuple[int, int]]:
    for _, group in itertools.groupby(enumerate(codes), key=lambda pair: pair[1] - pair[0]):
        run = [code for _, code in group]
        yield run[0], run[-1]


def _with_category(first_letter: str) -> str:
    codes = (code for first, last in STABLE for code in range(first, last + 1))
    return _characters(_runs(c for c in codes if unicodedata.category(chr(c))[0] == first_letter))


@functools.cache
def compiled(pattern: str) -> re.Pattern[str]:
    """One of `KNOWN` with \\p{L}, \\p{N}, \\s and \\S as Python's `re` reads them, for stable texts."""
    inside = {
        r"\p{L}": _with_category("L"),
        r"\p{N}": _with_category("N"),
        r"\s": _characters(SPACES),
    }

    def write(match: re.Match[str]) -> str:
        part = match[0]
        if part == r"\S":
            return f"[^{inside[chr(92) + 's']}]"
        if part in inside:
            return f"[{inside[part]}]"
        for name, characters in inside.items():
            part = part.replace(name, characters)
        return part

    return re.compile(re.sub(r"\[[^]]*\]|\\p\{[LN]\}|\\[sS]", write, pattern))


_UNSTABLE = re.compile(f"[^{_characters(STABLE)}]")


def is_stable(text: str) -> bool:
    """Whether every version of Unicode cuts the text alike."""
    return _UNSTABLE.search(text) is None


# GPT-2's visible character for each byte, by the Latin-1 character of the byte.
_VISIBLE = str.maketrans({chr(byte): visible for byte, visible in byte_characters().items()})


def _known_pattern(definition: Mapping[str, Any]) -> str | None:
    """The pattern of a `tokenizer.json` that is a plain byte-level BPE; None for all others."""
    model = definition["model"]
    # Each of these settings makes the ids of a piece depend on more than the piece.
    beyond = ("dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix")
    if model.get("type") != "BPE" or any(model.get(name) for name in (*beyond, "byte_fallback")):
        return None
    if (definition.get("normalizer") or {"type": "NFC"}) != {"type": "NFC"}:
        return None
    match definition.get("pre_tokenizer"):
        case {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}:
            return GPT2
        case {
            "type": "Sequence",
            "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False},
                {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False},
            ],
        } if pattern in KNOWN:  # fmt: skip
            return str(pattern)
    return None


def _num_bytes(tokenizer: Tokenizer, added: Iterable[Mapping[str, Any]]) -> Offsets:
    """[V] bytes that each token of a byte-level BPE spells."""
    vocabulary = tokenizer.get_vocab()
    sizes = np.zeros(1 + max(vocabulary.values()), np.int64)
    for name, token in vocabulary.items():
        sizes[token] = len(name)
    for token_entry in added:
        sizes[token_entry["id"]] = len(token_entry["content"].encode())
    return sizes


def _ends(encoding: Encoding) -> Offsets:
    # An array of a list of tuples would take twice the time.
    flat = itertools.chain.from_iterable(encoding.offsets)
    return np.fromiter(flat, np.int64, 2 * len(encoding))[1::2]


class PieceEncoder:
    """Ids of texts, exactly those of a tokenizer.

    Args:
        tokenizer: As `load_tokenizer` gives it; special tokens written in a text are text.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        definition = json.loads(tokenizer.to_str())
        pattern = _known_pattern(definition) if tokenizer.encode_special_tokens else None
        self.tokenizer = tokenizer
        self._pattern = None if pattern is None else compiled(pattern)
        self._is_nfc = definition.get("normalizer") is not None
        added = definition.get("added_tokens") or ()
        # The library finds added tokens that are not special in the text before it cuts it into pieces.
        self._found_first = [token["content"] for token in added if not token.get("special")]
        self._ids: dict[str, tuple[int, ...]] = {}
        self._num_bytes = _num_bytes(tokenizer, added) if self._pattern else None

    def encode(self, texts: Sequence[str]) -> list[Ints]:
        """One array of ids per text, without special tokens."""
        pieces = [self._pieces(text) for text in texts]
        unknown = [index for index, cut in enumerate(pieces) if cut is None]
        encodings = self.tokenizer.encode_batch_fast(
            [texts[index] for index in unknown], add_special_tokens=False
        )
        by_index = {
            index: np.asarray(encoding.ids, np.int32)
            for index, encoding in zip(unknown, encodings, strict=True)
        }
        return [
            by_index[index] if cut is None else self._look_up(cut)
            for index, cut in enumerate(pieces)
        ]

    def encode_with_ends(self, texts: Sequence[str]) -> list[tuple[Ints, Offsets]]:
        """Ids, and [T] one past the last code point of each token, of each text."""
        if self._num_bytes is None:
            encodings = self.tokenizer.encode_batch(texts, add_special_tokens=False)
            return [(np.asarray(encoding.ids, np.int32), _ends(encoding)) for encoding in encodings]
        ids = self.encode(texts)
        return [(row, self._spelled_ends(text, row)) for text, row in zip(texts, ids, strict=True)]

    def _spelled_ends(self, text: str, ids: Ints) -> Offsets:
        assert self._num_bytes is not None
        data = np.frombuffer(text.encode(), np.uint8)
        ends = np.cumsum(self._num_bytes[ids])
        # The bytes of the ids add up to those of the text, unless the tokenizer normalised it.
        if not len(ids) or ends[-1] != len(data):
            return _ends(self.tokenizer.encode(text, add_special_tokens=False))
        begins_char = (data & 0xC0) != 0x80
        return np.cumsum(begins_char)[ends - 1]

    def _pieces(self, text: str) -> list[str] | None:
        """The pieces of a text; None where the library must encode it."""
        if self._pattern is None or not is_stable(text):
            return None
        if self._is_nfc and not unicodedata.is_normalized("NFC", text):
            return None
        if any(content in text for content in self._found_first):
            return None
        pieces: list[str] = self._pattern.findall(text)
        return pieces if len(text) <= MOST_CHARS_PER_PIECE * len(pieces) else None

    def _look_up(self, pieces: list[str]) -> Ints:
        try:
            return self._from_table(pieces)
        except KeyError:
            pass
        if len(self._ids) > MOST_KEPT:
            self._ids.clear()
        new = set(pieces).difference(self._ids)
        self._ids.update((piece, self._merge(piece)) for piece in new)
        ids = self._from_table(pieces)
        for piece in new:
            if len(piece) > LONGEST_KEPT:
                del self._ids[piece]
        return ids

    def _from_table(self, pieces: list[str]) -> Ints:
        ids = itertools.chain.from_iterable(map(self._ids.__getitem__, pieces))
        return np.fromiter(ids, np.int32)

    def _merge(self, piece: str) -> tuple[int, ...]:
        visible = piece.encode().decode("latin-1").translate(_VISIBLE)
        return tuple(token.id for token in self.tokenizer.model.tokenize(visible))


@functools.cache
def cached_encoder(folder: Path) -> PieceEncoder:
    """Load once per process; its table grows with what it sees."""
    return PieceEncoder(cached_tokenizer(folder))
