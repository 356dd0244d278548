"""Contents of a `tokenizer.json` made from the files that tokenizers were published in."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from typing import Any

from refinery.tokenizers.sentencepiece_file import (
    BPE,
    BYTE,
    CONTROL,
    NORMAL,
    UNKNOWN,
    UNUSED,
    USER_DEFINED,
    SentencePieceModel,
)
from schemas.errors import ContractError
from schemas.vocabulary import Kind

SPACE = "▁"
_WORDPIECE_SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def kind_of(definition: Mapping[str, Any], where: str) -> Kind:
    """The kind of a tokenizer by the contents of its `tokenizer.json`.

    Raises:
        ContractError: A model that none of the four kinds describes.
    """
    model = definition["model"]
    if model.get("type") == "Unigram" or "unk_id" in model:
        return "sentencepiece_unigram"
    if model.get("type") == "WordPiece" or "max_input_chars_per_word" in model:
        return "wordpiece"
    if "merges" in model:
        parts = json.dumps([definition.get("pre_tokenizer"), definition.get("decoder")])
        return "byte_level_bpe" if '"ByteLevel"' in parts else "sentencepiece_bpe"
    raise ContractError(
        f"{where}: model of type {model.get('type')}; expected BPE, Unigram or WordPiece"
    )


def with_listed_merges(definition: dict[str, Any]) -> dict[str, Any]:
    """Merges as pairs: older files have them as one string with a space."""
    model = definition["model"]
    merges = model.get("merges")
    if merges and isinstance(merges[0], str):
        model["merges"] = [merge.split(" ", 1) for merge in merges]
    return definition


def from_sentencepiece(model: SentencePieceModel) -> dict[str, Any]:
    """The contents of a `tokenizer.json` that encodes as the SentencePiece library does."""
    is_bpe = model.model_type == BPE
    special = [
        added_token(number, piece.text)
        for number, piece in enumerate(model.pieces)
        if piece.type in (UNKNOWN, CONTROL)
    ]
    special += [
        added_token(number, piece.text, special=False)
        for number, piece in enumerate(model.pieces)
        if piece.type == USER_DEFINED
    ]
    steps: list[dict[str, Any]] = []
    if model.charsmap:
        charsmap = base64.b64encode(model.charsmap).decode()
        steps.append({"type": "Precompiled", "precompiled_charsmap": charsmap})
    if model.remove_extra_whitespaces:
        steps.append({"type": "Strip", "strip_left": True, "strip_right": True})
        steps.append({"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "})
    if model.add_dummy_prefix:
        steps.append({"type": "Prepend", "prepend": SPACE})
    steps.append({"type": "Replace", "pattern": {"String": " "}, "content": SPACE})
    unknown = next((n for n, p in enumerate(model.pieces) if p.type == UNKNOWN), 0)
    body = _bpe_model(model, unknown) if is_bpe else _unigram_model(model, unknown)
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": sorted(special, key=lambda token: token["id"]),
        "normalizer": {"type": "Sequence", "normalizers": steps},
        "pre_tokenizer": None,
        "post_processor": None,
        "decoder": _decoder(model),
        "model": body,
    }


def _decoder(model: SentencePieceModel) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [
        {"type": "Replace", "pattern": {"String": SPACE}, "content": " "},
        {"type": "ByteFallback"},
        {"type": "Fuse"},
    ]
    if model.add_dummy_prefix:
        steps.append({"type": "Strip", "content": " ", "start": 1, "stop": 0})
    return {"type": "Sequence", "decoders": steps}


def _bpe_model(model: SentencePieceModel, unknown: int) -> dict[str, Any]:
    return {
        "type": "BPE",
        "dropout": None,
        "unk_token": model.pieces[unknown].text,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": True,
        "byte_fallback": model.byte_fallback,
        "ignore_merges": False,
        "vocab": {piece.text: number for number, piece in enumerate(model.pieces)},
        "merges": merges_of_scores(
            (p.text, p.score) for p in model.pieces if p.type in (NORMAL, USER_DEFINED, UNUSED)
        ),
    }


def _unigram_model(model: SentencePieceModel, unknown: int) -> dict[str, Any]:
    return {
        "type": "Unigram",
        "unk_id": unknown,
        "vocab": [[piece.text, piece.score] for piece in model.pieces],
        "byte_fallback": any(piece.type == BYTE for piece in model.pieces),
    }


def merges_of_scores(pieces: Iterable[tuple[str, float]]) -> list[list[str]]:
    """Merges for all pairs whose join is a piece, best score first: SentencePiece knows no others."""
    scores = dict(pieces)
    ids = {text: number for number, text in enumerate(scores)}
    ranked = sorted(scores, key=lambda text: -scores[text])
    merges: list[list[str]] = []
    for text in ranked:
        splits = [(text[:cut], text[cut:]) for cut in range(1, len(text))]
        known = [(a, b) for a, b in splits if a in ids and b in ids]
        merges += [[a, b] for a, b in sorted(known, key=lambda p: (ids[p[0]], ids[p[1]]))]
    return merges


def from_byte_level(vocab: dict[str, int], merge_lines: list[str]) -> dict[str, Any]:
    """The contents of a `tokenizer.json` from GPT-2's two files, of OpenAI or of Hugging Face."""
    lines = (
        merge_lines[1:]
        if merge_lines[:1] and merge_lines[0].startswith("#version")
        else merge_lines
    )
    byte_level = {"add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            added_token(number, text)
            for text, number in vocab.items()
            if text.startswith("<|") and text.endswith("|>")
        ],
        "normalizer": None,
        "pre_tokenizer": {"type": "ByteLevel", **byte_level},
        "post_processor": None,
        "decoder": {"type": "ByteLevel", **byte_level},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "",
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": vocab,
            "merges": [line.split(" ") for line in lines if line.strip()],
        },
    }


def from_wordpiece(text: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """The contents of a `tokenizer.json` from BERT's vocab.txt, one entry in each line."""
    lines = text.split("\n")
    entries = [line.rstrip("\r") for line in lines if line.strip()]
    vocab = {entry: number for number, entry in enumerate(entries)}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [added_token(vocab[t], t) for t in _WORDPIECE_SPECIAL_TOKENS if t in vocab],
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": True,
            "strip_accents": None,
            "lowercase": bool(config.get("do_lower_case", True)),
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": None,
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": vocab,
        },
    }


def added_token(number: int, text: str, *, special: bool = True) -> dict[str, Any]:
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    return {"id": number, "content": text, **flags, "special": special}


def usual_names(kind: Kind, special_tokens: Mapping[str, int]) -> dict[str, str]:
    """Which special token plays which part, where no configuration says so."""
    if kind == "wordpiece":
        parts = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
    elif kind == "byte_level_bpe":
        end = "<|endoftext|>"
        parts = {"eos": end, "bos": end, "unk": end}
    else:
        parts = {"bos": "<s>", "eos": "</s>", "unk": "<unk>", "pad": "<pad>"}
    return {f"{part}_token": text for part, text in parts.items() if text in special_tokens}
