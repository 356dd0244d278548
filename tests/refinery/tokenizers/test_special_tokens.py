"""Special tokens that stand in a plain text stay text."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tokenizers import Tokenizer

from refinery.tokenizers.special_tokens import guard_special_tokens, special_token_texts


def unigram(*pieces: str) -> dict[str, Any]:
    """A `tokenizer.json` whose special tokens are entries of the model, as T5's sentinels are."""
    letters = [[letter, -9.0] for letter in "abcdeghilnorstx_0123456789<>A "]
    special = ("<unk>", "<extra_id_7>", "</s>")
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [
            {"id": n, "content": text, "special": True, "single_word": False, "lstrip": False,
             "rstrip": False, "normalized": False}
            for n, text in enumerate(special)
        ],
        "normalizer": None, "pre_tokenizer": None, "post_processor": None, "decoder": None,
        "model": {
            "type": "Unigram", "unk_id": 0, "byte_fallback": False,
            "vocab": [*([text, -1.0] for text in special), *([p, -1.0] for p in pieces), *letters],
        },
    }  # fmt: skip


def ids(definition: dict[str, Any], text: str) -> list[int]:
    tokenizer = Tokenizer.from_str(json.dumps(definition))
    tokenizer.encode_special_tokens = True
    found: list[int] = tokenizer.encode(text, add_special_tokens=False).ids
    return found


def test_special_tokens_are_listed_by_id() -> None:
    assert special_token_texts(unigram()) == ["<unk>", "<extra_id_7>", "</s>"]


@pytest.mark.parametrize("text", ["an <extra_id_7> a", "x<extra_id_7>"])
def test_a_sentinel_in_a_text_is_cut(text: str) -> None:
    plain = unigram()
    assert 1 in ids(plain, text), "without the guard the model finds it"

    assert 1 not in ids(guard_special_tokens(plain), text)


def test_a_byte_piece_in_a_text_is_cut() -> None:
    plain = unigram("<0x41>")
    assert 3 in ids(plain, "a <0x41> x")

    assert 3 not in ids(guard_special_tokens(plain), "a <0x41> x")


def test_other_text_is_cut_as_before() -> None:
    plain = unigram()

    assert ids(guard_special_tokens(plain), "no sentinels here") == ids(plain, "no sentinels here")


def test_where_none_is_reached_nothing_changes() -> None:
    plain = unigram()
    plain["added_tokens"] = []

    assert guard_special_tokens(plain) is plain
