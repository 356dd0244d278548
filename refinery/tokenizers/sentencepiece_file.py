"""SentencePiece's model file, as far as extending needs it: pieces and a few settings.

A protobuf message read field by field (sentencepiece_model.proto of the SentencePiece project), so
that the rest of the file stays byte for byte what it was. Pieces are a repeated field: appended
bytes are appended pieces.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from schemas.errors import ContractError

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6
UNIGRAM, BPE = 1, 2
_PIECES, _TRAINER, _NORMALIZER = 1, 2, 3
_MODEL_TYPE, _BYTE_FALLBACK = 3, 35
_CHARSMAP, _DUMMY_PREFIX, _REMOVE_SPACES = 2, 3, 4
_LAST_PATH = 2  # fields 1 and 2 of the trainer's settings: its input and output


class Piece(NamedTuple):
    """One entry of the vocabulary; its id is its index."""

    text: str
    score: float
    type: int = NORMAL


@dataclass(frozen=True)
class SentencePieceModel:
    """A parsed model and the bytes it was read from."""

    raw: bytes
    pieces: tuple[Piece, ...]
    model_type: int
    byte_fallback: bool
    charsmap: bytes
    add_dummy_prefix: bool
    remove_extra_whitespaces: bool

    def with_pieces(self, pieces: Iterable[Piece]) -> bytes:
        """The bytes of the file with pieces appended behind all others."""
        return self.raw + b"".join(_encode_piece(piece) for piece in pieces)


def parse_model(raw: bytes, where: str) -> SentencePieceModel:
    """Read a model file.

    Raises:
        ContractError: The bytes are no such message, or hold no piece.
    """
    try:
        fields = list(_fields(raw))
        pieces = tuple(_decode_piece(value) for number, value in fields if number == _PIECES)
        trainer = dict(_fields(_last(fields, _TRAINER)))
        normalizer = dict(_fields(_last(fields, _NORMALIZER)))
    except (IndexError, ValueError, struct.error, TypeError) as error:
        raise ContractError(f"{where}: not a SentencePiece model ({error})") from error
    if not pieces:
        raise ContractError(f"{where}: not a SentencePiece model (no pieces)")
    charsmap = normalizer.get(_CHARSMAP, b"")
    return SentencePieceModel(
        raw=raw,
        pieces=pieces,
        model_type=int(trainer.get(_MODEL_TYPE, UNIGRAM)),
        byte_fallback=bool(trainer.get(_BYTE_FALLBACK, 0)),
        charsmap=charsmap if isinstance(charsmap, bytes) else b"",
        add_dummy_prefix=bool(normalizer.get(_DUMMY_PREFIX, 1)),
        remove_extra_whitespaces=bool(normalizer.get(_REMOVE_SPACES, 1)),
    )


def finished_model(raw: bytes, *, removes_spaces: bool) -> bytes:
    """Take the trainer's paths out of a freshly trained file: they differ from run to run.

    Args:
        raw: The file as trained.
        removes_spaces: Whether encoding strips the text and joins runs of spaces.
    """
    out = bytearray()
    for number, (wire, value) in _raw_fields(raw):
        if number == _TRAINER and isinstance(value, bytes):
            value = b"".join(_encode_field(n, v) for n, v in _raw_fields(value) if n > _LAST_PATH)
        elif number == _NORMALIZER and isinstance(value, bytes):
            kept = [(n, v) for n, v in _raw_fields(value) if n != _REMOVE_SPACES]
            fields = sorted([*kept, (_REMOVE_SPACES, (0, int(removes_spaces)))])
            value = b"".join(_encode_field(n, v) for n, v in fields)
        out += _encode_field(number, (wire, value))
    return bytes(out)


def _raw_fields(data: bytes) -> Iterator[tuple[int, tuple[int, int | bytes]]]:
    """Fields with their wire types, so that they can be written again."""
    offset = 0
    while offset < len(data):
        wire = _varint(data, offset)[0] & 7
        number, value = next(_fields(data[offset:]))
        yield number, (wire, value)
        offset += len(_encode_field(number, (wire, value)))


def _encode_field(number: int, typed: tuple[int, int | bytes]) -> bytes:
    wire, value = typed
    key = _encode_varint(number << 3 | wire)
    if isinstance(value, int):
        return key + _encode_varint(value)
    return key + (_encode_varint(len(value)) if wire == 2 else b"") + value


def _last(fields: list[tuple[int, int | bytes]], number: int) -> bytes:
    values = [value for key, value in fields if key == number and isinstance(value, bytes)]
    return values[-1] if values else b""


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    offset = 0
    while offset < len(data):
        key, offset = _varint(data, offset)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, offset = _varint(data, offset)
            yield number, value
            continue
        if wire == 2:
            size, offset = _varint(data, offset)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise ValueError(f"wire type {wire} at byte {offset}")
        if number == 0 or offset + size > len(data):
            raise ValueError(f"field {number} runs over the end at byte {offset}")
        yield number, data[offset : offset + size]
        offset += size


def _varint(data: bytes, offset: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[offset]
        offset += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, offset
        shift += 7


def _decode_piece(value: int | bytes) -> Piece:
    if not isinstance(value, bytes):
        raise ValueError("a piece that is no message")
    text, score, kind = "", 0.0, NORMAL
    for number, part in _fields(value):
        if number == 1 and isinstance(part, bytes):
            text = part.decode()
        elif number == 2 and isinstance(part, bytes):
            score = struct.unpack("<f", part)[0]
        elif number == 3 and isinstance(part, int):
            kind = part
    return Piece(text, score, kind)


def _encode_varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _encode_piece(piece: Piece) -> bytes:
    text = piece.text.encode()
    body = b"\x0a" + _encode_varint(len(text)) + text + b"\x15" + struct.pack("<f", piece.score)
    if piece.type != NORMAL:
        body += b"\x18" + _encode_varint(piece.type)
    return b"\x0a" + _encode_varint(len(body)) + body
