"""The text that token ids spell, and where each token lies in it.

For ids that no library call made, so that there are no offsets: copies under noise and BPE-dropout.
"""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from refinery.tokenizers.byte_characters import piece_bytes

_BYTE_PIECE = re.compile(r"<0x([0-9A-F]{2})>")
_CONTINUATION = 0x80  # the two highest bits of a UTF-8 byte that begins no character are 10


@dataclass(frozen=True)
class TextWithOffsets:
    """A text and its tokens.

    Attributes:
        text: What the ids spell.
        offsets: [T, 2] first and one past the last code point of each token; of tokens inside one
            character, the first holds it and the others are empty.
    """

    text: str
    offsets: npt.NDArray[np.int64]


def spell(tokenizer: Tokenizer, input_ids: npt.NDArray[np.int32]) -> TextWithOffsets:
    """Spell ids: WordPiece with a space before each word, SentencePiece with its leading one."""
    pieces = _pieces(tokenizer)
    spelled = [pieces[token] for token in input_ids.tolist()]
    data = b"".join(spelled)
    text = data.decode("utf-8", "replace")
    ends = np.cumsum([len(piece) for piece in spelled], dtype=np.int64)
    begins_char = (np.frombuffer(data, np.uint8) & 0xC0) != _CONTINUATION
    # Code points that begin before each byte.
    before = np.concatenate(([0], np.cumsum(begins_char)))
    last = before[ends] if len(ends) else np.zeros(0, np.int64)
    return TextWithOffsets(text, np.stack([np.concatenate(([0], last))[:-1], last], axis=1))


@functools.lru_cache(maxsize=4)
def _pieces(tokenizer: Tokenizer) -> list[bytes]:
    """The bytes that each id of the vocabulary spells, by id."""
    definition = json.loads(tokenizer.to_str())
    names = [tokenizer.id_to_token(i) or "" for i in range(tokenizer.get_vocab_size())]
    if definition["model"]["type"] == "WordPiece":
        inner = definition["model"]["continuing_subword_prefix"]
        return [
            name.removeprefix(inner).encode() if name.startswith(inner) else f" {name}".encode()
            for name in names
        ]
    if '"ByteLevel"' in json.dumps(definition["decoder"]):
        special_tokens = {token["content"] for token in definition["added_tokens"]}
        # Special tokens are spelt in plain characters.
        return [
            name.encode() if name in special_tokens else piece_bytes(name) or name.encode()
            for name in names
        ]
    return [_sentencepiece_bytes(name) for name in names]


def _sentencepiece_bytes(name: str) -> bytes:
    byte = _BYTE_PIECE.fullmatch(name)
    return bytes.fromhex(byte[1]) if byte else name.replace("\u2581", " ").encode()
