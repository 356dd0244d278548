"""Fertility: how many tokens a text costs, and how much of it the vocabulary does not know."""

from __future__ import annotations

from collections.abc import Sequence

import regex
from tokenizers import Tokenizer

# A word is a run between spaces; every ideograph and kana counts as one, having no spaces around it.
_WORD = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}]|[^\s\p{Han}\p{Hiragana}\p{Katakana}]+")
_BYTE = regex.compile(r"<0x[0-9A-F]{2}>")
BATCH_LINES = 500


def measure_fertility(
    tokenizer: Tokenizer, lines: Sequence[str], *, unk_id: int | None
) -> dict[str, float]:
    """Tokens per character and per word, bytes per token, and the share of unknown characters.

    A character is unknown where [UNK] or byte fallback stands for it: counted in characters, since
    some models fuse a run of unknowns into one token.
    """
    tokens = characters = words = size = unknown = 0
    bytes_ids = {i for text, i in tokenizer.get_vocab().items() if _BYTE.fullmatch(text)}
    outside = bytes_ids | ({unk_id} if unk_id is not None else set())
    for start in range(0, len(lines), BATCH_LINES):
        batch = list(lines[start : start + BATCH_LINES])
        for line, encoding in zip(
            batch, tokenizer.encode_batch(batch, add_special_tokens=False), strict=True
        ):
            ids = encoding.ids
            tokens += len(ids)
            characters += len(line)
            words += sum(1 for _ in _WORD.finditer(line))
            size += len(line.encode())
            if not outside.isdisjoint(ids):
                spans = {
                    span for i, span in zip(ids, encoding.offsets, strict=True) if i in outside
                }
                unknown += sum(end - begin for begin, end in spans)
    return {
        "lines": float(len(lines)),
        "characters": float(characters),
        "tokens": float(tokens),
        "tokens_per_character": tokens / max(1, characters),
        "tokens_per_word": tokens / max(1, words),
        "bytes_per_token": size / max(1, tokens),
        "unknown_fraction": unknown / max(1, characters),
    }
