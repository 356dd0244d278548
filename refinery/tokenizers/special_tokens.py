"""Special tokens of a `tokenizer.json`, and how plain text is kept from becoming one.

Encoding plain text splits on no special token (`encode_special_tokens`). That is not enough where
a special token is also an ordinary entry of a Unigram model, as T5's sentinels are: there the model
itself would find it. A split inside its spelling keeps it apart, at an offset where the pieces of the
text break anyway. The same holds for the byte pieces of a Unigram model: SentencePiece never takes
"<0x41>" in a text for one, tokenizers does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from tokenizers import Tokenizer

_BYTE = re.compile("<0x[0-9A-F]{2}>")


def special_token_texts(definition: Mapping[str, Any]) -> list[str]:
    """Texts of the special tokens, by id."""
    added = sorted(definition.get("added_tokens") or (), key=lambda token: token["id"])
    return [token["content"] for token in added if token.get("special", True)]


def guard_special_tokens(definition: dict[str, Any]) -> dict[str, Any]:
    """The contents of a `tokenizer.json` with a split in each special token that plain text would become."""
    reached = _reached_by_text(definition)
    if not reached:
        return definition
    patterns = sorted(set(map(_split_pattern, reached)))
    splits = [
        {
            "type": "Split",
            "pattern": {"Regex": pattern},
            "behavior": "Isolated",
            "invert": False,
        }
        for pattern in patterns
    ]
    before = definition.get("pre_tokenizer")
    steps = before["pretokenizers"] if before and before["type"] == "Sequence" else [before]
    steps = [step for step in steps if step] + splits
    return {**definition, "pre_tokenizer": {"type": "Sequence", "pretokenizers": steps}}


def guarding_splits(definition: Mapping[str, Any]) -> dict[str, str]:
    """Every pattern that may guard a special token or byte piece, with what a text that it splits has in it."""
    texts = [*special_token_texts(definition), *_byte_pieces(definition)]
    return {_split_pattern(text): _shared_part(text) for text in texts if text}


def _shared_part(text: str) -> str:
    """What all spellings that a split guards have in common."""
    if _BYTE.fullmatch(text):
        return "<0x"
    return "<extra_id_" if re.fullmatch(r"<extra_id_\d+>", text) else text


def _reached_by_text(definition: Mapping[str, Any]) -> list[str]:
    texts = [*special_token_texts(definition), *_byte_pieces(definition)]
    if not texts:
        return []
    tokenizer = Tokenizer.from_str(json.dumps(definition))
    tokenizer.encode_special_tokens = True
    tokenizer.no_truncation()
    unknown = definition["model"].get("unk_token")
    ids = {text: tokenizer.token_to_id(text) for text in texts if text != unknown}
    unk_id = definition["model"].get("unk_id")
    return [
        text
        for text, token_id in ids.items()
        if token_id != unk_id
        and token_id in tokenizer.encode(f"a {text} a{text}", add_special_tokens=False).ids
    ]


def _byte_pieces(definition: Mapping[str, Any]) -> list[str]:
    """Pieces such as <0x41>, of a Unigram model alone: it could find them in a text."""
    vocab = definition["model"]["vocab"]
    if isinstance(vocab, Mapping):
        return []  # no merge of a BPE gives a byte piece
    return [text for text, _ in vocab if _BYTE.fullmatch(text)]


def _split_pattern(text: str) -> str:
    """A regex for one character inside the token: `_` of `<extra_id_7>`, else its second."""
    if _BYTE.fullmatch(text):
        return r"(?<=<)(?=0x[0-9A-F]{2}>)"
    numbered = re.fullmatch(r"(<extra)_(id_)\d+>", text)
    if numbered:
        return r"(?<=<extra)_(?=id_\d+>)"
    return f"(?<={re.escape(text[:1])}){re.escape(text[1:2])}(?={re.escape(text[2:])})"
