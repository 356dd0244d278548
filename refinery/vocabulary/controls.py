"""Control tokens of a `tokenizer.json`, and how they stay out of reach of plain text.

Encoding plain text splits on no control token (`encode_special_tokens`). That is not enough where
a control token is also an ordinary entry of a Unigram model, as T5's sentinels are: there the model
itself would find it. A split inside its spelling keeps it apart, at a place where the pieces of the
text break anyway.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from tokenizers import Tokenizer


def control_texts(document: Mapping[str, Any]) -> list[str]:
    """Texts of the special tokens, by id."""
    added = sorted(document.get("added_tokens") or (), key=lambda token: token["id"])
    return [token["content"] for token in added if token.get("special", True)]


def guard_controls(document: dict[str, Any]) -> dict[str, Any]:
    """The document with a split in each control token that plain text would become."""
    reached = _reached_by_text(document)
    if not reached:
        return document
    patterns = sorted({_split_pattern(text) for text in reached})
    splits = [
        {
            "type": "Split",
            "pattern": {"Regex": pattern},
            "behavior": "Isolated",
            "invert": False,
        }
        for pattern in patterns
    ]
    before = document.get("pre_tokenizer")
    steps = before["pretokenizers"] if before and before["type"] == "Sequence" else [before]
    steps = [step for step in steps if step] + splits
    return {**document, "pre_tokenizer": {"type": "Sequence", "pretokenizers": steps}}


def _reached_by_text(document: Mapping[str, Any]) -> list[str]:
    controls = control_texts(document)
    if not controls:
        return []
    tokenizer = Tokenizer.from_str(json.dumps(document))
    tokenizer.encode_special_tokens = True
    tokenizer.no_truncation()
    unknown = document["model"].get("unk_token")
    ids = {text: tokenizer.token_to_id(text) for text in controls if text != unknown}
    unk_id = document["model"].get("unk_id")
    return [
        text
        for text, token_id in ids.items()
        if token_id != unk_id
        and token_id in tokenizer.encode(f"a {text} a{text}", add_special_tokens=False).ids
    ]


def _split_pattern(text: str) -> str:
    """A regex for one character inside the token: `_` of `<extra_id_7>`, else its second."""
    numbered = re.fullmatch(r"(<extra)_(id_)\d+>", text)
    if numbered:
        return r"(?<=<extra)_(?=id_\d+>)"
    return f"(?<={re.escape(text[:1])}){re.escape(text[1:2])}(?={re.escape(text[2:])})"
