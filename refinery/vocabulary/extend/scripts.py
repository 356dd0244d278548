"""The characters of the new scripts: what a new token must hold so that other text stays as it was.

Closed under compatibility folding: a character whose NFKC form holds one of them (a squared ideograph)
belongs to them too, since a normaliser may bring it out.
"""

from __future__ import annotations

import functools
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import regex

from schemas.errors import SettingsError

EAST_ASIAN = frozenset({"han", "hani", "hiragana", "hira", "katakana", "kana", "hangul", "hang"})
# CJK symbols and punctuation, vertical and compatibility forms, half- and full-width forms: Script
# and, for many of them, Script_Extensions say "Common".
EAST_ASIAN_FORMS = r"\u3000-\u303f\ufe10-\ufe1f\ufe30-\ufe4f\uff00-\uffef"
_UTF8_LENGTHS = ((0x80, 1), (0xC0, 0), (0xE0, 2), (0xF0, 3), (0xF8, 4), (0x100, 0))


@dataclass(frozen=True)
class NewCharacters:
    """A closed set of characters, and the UTF-8 prefixes that only they have."""

    names: tuple[str, ...]
    characters: frozenset[str]

    def held_by(self, text: str) -> bool:
        """Whether the text holds one of them."""
        return not self.characters.isdisjoint(text)

    @functools.cached_property
    def own_prefixes(self) -> frozenset[bytes]:
        """Incomplete UTF-8 sequences that continue to a character of the set and to no other."""
        ours: set[bytes] = set()
        shared: set[bytes] = set()
        for code in range(0x80, sys.maxunicode + 1):
            character = chr(code)
            if unicodedata.category(character) in ("Cn", "Cs"):
                continue
            encoded = character.encode()
            target = ours if character in self.characters else shared
            target.update(encoded[:length] for length in range(1, len(encoded)))
        return frozenset(ours - shared)

    def held_by_bytes(self, data: bytes) -> bool:
        """Whether text without these characters can never contain the bytes.

        True when they hold a whole character of the set, or end in a prefix that only such
        characters have.
        """
        for start, lead in enumerate(data):
            length = utf8_length(lead)
            if length < 2:
                if length == 1 and chr(lead) in self.characters:
                    return True
                continue
            sequence = data[start : start + length]
            if len(sequence) < length:
                if sequence in self.own_prefixes:
                    return True
            elif sequence.decode("utf-8", "ignore") in self.characters:
                return True
        return False


def utf8_length(lead: int) -> int:
    """Bytes of the sequence a lead byte opens; 0 for a continuation byte."""
    return next(length for border, length in _UTF8_LENGTHS if lead < border)


@functools.lru_cache(maxsize=4)
def new_characters(scripts: Sequence[str], extra: str = "") -> NewCharacters:
    """Characters by Script_Extensions, East Asian forms with an East Asian script.

    Args:
        scripts: Unicode script names or codes: Han, Cyrillic, Arab ...; "all" is every character.
        extra: The inside of a regex class, such as `\\u2460-\\u24ff`.

    Raises:
        SettingsError: An unknown script, a class that is no regex, or no character at all.
    """
    names = tuple(scripts)
    inside = "".join(rf"\p{{scx={name}}}" for name in names if name != "all")
    if any(name.lower() in EAST_ASIAN for name in names):
        inside += EAST_ASIAN_FORMS
    if "all" in names:
        inside = r"\x00-\U0010ffff"
    try:
        pattern = regex.compile(f"[{inside}{extra}]")
    except regex.error as error:
        raise SettingsError(
            f"scripts {', '.join(names)} {extra}: {error}; expected Unicode script names such as "
            "Han, Cyrillic, Arabic"
        ) from error
    everything = (chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000)
    return NewCharacters(names, frozenset(_close(pattern, everything)))


def _close(pattern: regex.Pattern[str], everything: Iterable[str]) -> Iterable[str]:
    for character in everything:
        if pattern.match(character) or (
            unicodedata.decomposition(character)
            and pattern.search(unicodedata.normalize("NFKC", character))
        ):
            yield character
