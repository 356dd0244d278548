"""Write symbols in plain characters: list marks, arrows, ticks, stars, boxes, styled letters, icons."""

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
# Boxes and shades become a blank: in running text they draw nothing.
_BOXES = re.compile("[\u2500-\u259f]+")
# Private characters, mostly of icon fonts: only the page's own font knows what they show.
_PRIVATE = re.compile("[\ue000-\uf8ff\U000f0000-\U000ffffd\U00100000-\U0010fffd]")


def replace_symbols(text: str) -> tuple[str, int]:
    """Text without symbols that plain text has a sign for, and how many were changed."""
    text, num_symbols = _SYMBOLS.subn(lambda match: SYMBOL_WORDS[match[0]], text)
    text, num_styled = _STYLED.subn(_plain, text)
    text, num_boxes = _BOXES.subn(" ", text)
    text, num_private = _PRIVATE.subn("", text)
    return text, num_symbols + num_styled + num_boxes + num_private


def _plain(match: re.Match[str]) -> str:
    plain = unicodedata.normalize("NFKC", match[0])
    # Squared letters have no compatibility form: 🄰 is "SQUARED LATIN CAPITAL LETTER A".
    return plain if plain != match[0] else unicodedata.name(match[0], match[0])[-1]
