"""Texts for the proofs that no file gives: other scripts, any Unicode, lines of the base's own pieces."""

from __future__ import annotations

import random
import sys
import unicodedata

from refinery.tokenizers.byte_characters import piece_bytes
from refinery.tokenizers.folder import TokenizerFolder
from refinery.tokenizers.tokenizer_json import SPACE
from refinery.vocabulary.extend.scripts import NewCharacters

SEED = 6
_EMOJI = "😀😂🥰👍🏽👩‍👩‍👧‍👦🏳️‍🌈🇩🇪🇨🇳🧑🏿‍🚀❤️‍🔥✅☎️♥️⌚️1️⃣🫠🪿🐍🚀📈"
_BLOCKS = (
    (0x20, 0x7E), (0xA0, 0x24F), (0x370, 0x3FF), (0x400, 0x52F), (0x531, 0x58A), (0x5D0, 0x5EA),
    (0x600, 0x6FF), (0x900, 0x97F), (0x980, 0x9FF), (0xB80, 0xBFF), (0xE00, 0xE7F), (0x10A0, 0x10FF),
    (0x1200, 0x137F), (0x13A0, 0x13FF), (0x1E00, 0x1FFF), (0x2000, 0x206F), (0x20A0, 0x20BF),
    (0x2100, 0x214F), (0x2190, 0x23FF), (0x2500, 0x27BF), (0x3040, 0x30FF), (0xAC00, 0xD7A3),
    (0x4DC0, 0x4DFF), (0xA000, 0xA48F), (0x1F300, 0x1F64F), (0x1D400, 0x1D7FF), (0x10330, 0x1034F),
    (0xE000, 0xE0FF), (0xFE00, 0xFE0F), (0xFB50, 0xFDFF),
)  # fmt: skip


def other_scripts(new: NewCharacters, *, lines: int) -> list[str]:
    """Random lines of every script but the new ones, emoji among them; none where all are new."""
    chance = random.Random(SEED)
    alphabets = []
    for first, last in _BLOCKS:
        letters = [
            chr(code)
            for code in range(first, last + 1)
            if unicodedata.category(chr(code)) != "Cn" and chr(code) not in new.characters
        ]
        if letters:
            alphabets.append(letters)
    if emoji := [c for c in _EMOJI if c not in new.characters]:
        alphabets.append(emoji)
    if not alphabets:
        return []
    made = []
    for _ in range(lines):
        words = []
        for _ in range(chance.randint(1, 12)):
            letters = chance.choice(alphabets)
            words.append("".join(chance.choice(letters) for _ in range(chance.randint(1, 9))))
        made.append(chance.choice((" ", "", "  ", "-", "\n")).join(words))
    return [line for line in made if line.strip()]


def any_unicode(new: NewCharacters, *, lines: int) -> list[str]:
    """Random Unicode, every second character of the new scripts."""
    chance = random.Random(SEED + 1)
    ours = sorted(new.characters)
    made = []
    for _ in range(lines):
        characters = []
        for _ in range(chance.randint(1, 40)):
            code = chance.choice(
                (chance.randint(0x20, 0x2FFF), chance.randint(0x20, sys.maxunicode))
            )
            letter = chr(code)
            is_text = unicodedata.category(letter) not in ("Cn", "Cs", "Co", "Cc")
            characters.append(letter if is_text and chance.random() < 0.5 else chance.choice(ours))
        made.append("".join(characters))
    return made


def own_pieces(base: TokenizerFolder, new: NewCharacters, *, lines: int) -> list[str]:
    """Lines made of the base's own pieces, where no sample of its language is given."""
    chance = random.Random(SEED + 2)
    texts = []
    for piece in sorted(base.vocab):
        if piece in base.special_tokens or (piece.startswith("<0x") and len(piece) == 6):
            continue
        if base.kind == "byte_level_bpe":
            text = (piece_bytes(piece) or b"").decode("utf-8", "ignore")
        elif base.kind == "wordpiece":
            text = piece.removeprefix("##") if piece.startswith("##") else f" {piece}"
        else:
            text = piece.replace(SPACE, " ")
        if text and not new.held_by(text):
            texts.append(text)
    if not texts:
        return []
    return ["".join(chance.choices(texts, k=chance.randint(1, 25))).strip() for _ in range(lines)]


def donor_lines(texts: list[str], *, lines: int) -> list[str]:
    """Lines made of the new tokens' texts, where no sample of the new language is given."""
    if not texts:
        return []
    chance = random.Random(SEED + 3)
    return ["".join(chance.choices(texts, k=chance.randint(1, 25))) for _ in range(lines)]
