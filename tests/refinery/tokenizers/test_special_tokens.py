from __future__ import annotations

import json
from typing import Any

import pytest
from tokenizers import Tokenizer

from refinery.tokenizers.folder import build_tokenizer
from refinery.tokenizers.special_tokens import guard_special_tokens, special_token_texts
from refinery.tokenizers.tokenizer_json import added_token

SENTINELS = [f"<extra_id_{number}>" for number in range(3)]


def unigram(*extra: str) -> dict[str, Any]:
    """A Unigram model in which special tokens are ordinary entries too, as in T5."""
    letters = sorted(set("<>_0123456789abcdefghijklmnopqrstuvwxyz/ABCDEF ▁"))
    vocab = [["<unk>", 0.0], ["</s>", 0.0], *([text, -1.0] for text in (*SENTINELS, *extra))]
    vocab += [[letter, -3.0] for letter in letters]
    special = [added_token(0, "<unk>"), added_token(1, "</s>")]
    special += [added_token(2 + number, text) for number, text in enumerate(SENTINELS)]
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": special,
        "normalizer": None, "pre_tokenizer": None, "post_processor": None, "decoder": None,
        "model": {"type": "Unigram", "unk_id": 0, "vocab": vocab, "byte_fallback": False},
    }  # fmt: skip


def ids_of(definition: dict[str, Any], text: str) -> list[int]:
    return list(build_tokenizer(definition).encode(text, add_special_tokens=False).ids)


@pytest.mark.parametrize("form", ["{}", "a {} b", "a{}b", "{}{}"])
def test_no_text_becomes_a_special_token(form: str) -> None:
    definition = unigram()
    guarded = guard_special_tokens(definition)
    special = {token["id"] for token in definition["added_tokens"]} - {0}

    for text in ("</s>", *SENTINELS):
        line = form.format(*[text] * form.count("{}"))
        assert special & set(ids_of(definition, line)), "without the guard the model finds it"
        assert not special & set(ids_of(guarded, line))


def test_other_text_keeps_its_ids() -> None:
    definition = unigram("the", "he")
    guarded = guard_special_tokens(definition)

    for text in ("the cat", "extra_id", "<extra>", "id_0>", "a_b"):
        assert ids_of(guarded, text) == ids_of(definition, text)


def test_byte_pieces_of_a_unigram_model_are_guarded_too() -> None:
    definition = unigram("<0x41>")
    number = Tokenizer.from_str(json.dumps(definition)).token_to_id("<0x41>")

    assert number in ids_of(definition, "a <0x41>")
    assert number not in ids_of(guard_special_tokens(definition), "a <0x41>")


def test_a_model_that_text_cannot_trick_stays_as_it_is() -> None:
    definition = {
        **unigram(),
        "model": {"type": "BPE", "vocab": {"<": 0, "/": 1, "s": 2, ">": 3}, "merges": []},
        "added_tokens": [added_token(4, "</s>")],
    }

    assert guard_special_tokens(definition) is definition


def test_special_tokens_come_in_the_order_of_their_ids() -> None:
    tokens = [
        added_token(9, "late"), added_token(3, "plain", special=False), added_token(2, "early"),
    ]  # fmt: skip

    assert special_token_texts({"added_tokens": tokens}) == ["early", "late"]
    assert special_token_texts({}) == []
