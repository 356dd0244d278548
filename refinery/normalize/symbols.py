"""Symbols to plain text: list marks, arrows, ticks, stars, boxes, styled letters, icon glyphs."""

from __future__ import annotations

import re
import unicodedata

SYMBOL_WORDS: dict[str, str] = {
    **dict.fromkeys("•◦‣⁃∙●○■□▪▫◆◇►▶➢➤❖", "-"),
    **dict.fromkeys("→⇒➔➜➡⟶", "->"),
    **dict.fromkeys("←⇐⬅⟵", "<-"),
    **dict.fromkeys("✓✔☑", "[x]"),
    **dict.fromkeys("✗✘☒☐", "[ ]"),
    **dict.fromkeys("★☆✩✪✭✮✯", "*"),
}
_SYMBOLS = re.compile("[" + "".join(map(re.escape, SYMBOL_WORDS)) + "]")
# Mathematical, circled and squared Latin letters that people write words with.
_STYLED = re.compile("[\U0001d400-\U0001d7ff\U0001f130-\U0001f149\u24b6-\u24e9]")
# Boxes and shades draw nothing in plain text.
_BOXES = re.compile("[\u2500-\u259f]+")
# Icon fonts; what a private character means is known only to the page's own font.
_PRIVATE = re.compile("[\ue000-\uf8ff\U000f0000-\U000ffffd\U00100000-\U0010fffd]")


def replace_symbols(text: str) -> tuple[str, int]:
    """Text without symbols that plain text has a sign for, and how many were changed."""
    text, num_symbols = _SYMBOLS.subn(lambda found: SYMBOL_WORDS[found[0]], text)
    text, num_styled = _STYLED.subn(_plain, text)
    text, num_boxes = _BOXES.subn(" ", text)
    text, num_private = _PRIVATE.subn("", text)
    return text, num_symbols + num_styled + num_boxes + num_private


def _plain(found: re.Match[str]) -> str:
    plain = unicodedata.normalize("NFKC", found[0])
    # Squared letters have no compatibility form: 🄰 is "SQUARED LATIN CAPITAL LETTER A".
    return plain if plain != found[0] else unicodedata.name(found[0], found[0])[-1]
