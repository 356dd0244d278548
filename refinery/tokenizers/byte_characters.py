"""GPT-2's characters for bytes: how byte-level vocabularies write their entries."""

from __future__ import annotations

import functools


@functools.cache
def byte_characters() -> dict[int, str]:
    """GPT-2's characters for bytes: printable ones are themselves, the rest follow at U+0100."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    table = {byte: chr(byte) for byte in printable}
    others = (byte for byte in range(256) if byte not in table)
    return {**table, **{byte: chr(256 + rank) for rank, byte in enumerate(others)}}


@functools.cache
def character_bytes() -> dict[str, int]:
    return {character: byte for byte, character in byte_characters().items()}


def to_byte_piece(text: str) -> str:
    """A text as an entry of a byte-level vocabulary."""
    table = byte_characters()
    return "".join(table[byte] for byte in text.encode())


def piece_bytes(piece: str) -> bytes | None:
    """The bytes of a byte-level entry; None for an entry that is not made of byte characters."""
    table = character_bytes()
    if any(character not in table for character in piece):
        return None
    return bytes(table[character] for character in piece)
