"""What a tokenizer folder is: its hash, its size and its special tokens."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from refinery.tokenizers.special_tokens import guard_special_tokens
from schemas.errors import ContractError, SettingsError
from schemas.fingerprints import sha256_files
from schemas.manifest import SpecialIds, TokenizerIdentity

_EOS_NAMES = ("eos_token", "sep_token")
_SENTINEL = "<extra_id_{}>"


def load_tokenizer(folder: Path) -> Tokenizer:
    """Load `tokenizer.json` for plain text: special tokens written in it stay text.

    Raises:
        SettingsError: The folder has no `tokenizer.json` that loads.
    """
    path = folder / "tokenizer.json"
    if not path.is_file():
        names = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else "no such folder"
        raise SettingsError(f"{folder}: no tokenizer.json ({names})")
    definition = guard_special_tokens(json.loads(path.read_text("utf-8")))
    tokenizer = Tokenizer.from_str(json.dumps(definition))
    tokenizer.encode_special_tokens = True
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


@functools.cache
def cached_tokenizer(folder: Path) -> Tokenizer:
    return load_tokenizer(folder)


def identify_tokenizer(folder: Path, *, relative_path: str) -> TokenizerIdentity:
    """Hash, size and special ids of a folder.

    Raises:
        ContractError: The folder names no end mark; documents in a row could not be told apart.
    """
    tokenizer = load_tokenizer(folder)
    config = _config(folder)

    def id_of(key: str) -> int | None:
        token = config.get(key)
        text = token.get("content") if isinstance(token, dict) else token
        return tokenizer.token_to_id(text) if isinstance(text, str) else None

    eos = next((number for name in _EOS_NAMES if (number := id_of(name)) is not None), None)
    if eos is None:
        raise ContractError(f"{folder}: names no eos_token or sep_token that is in the vocabulary")
    pad = id_of("pad_token")
    return TokenizerIdentity(
        path=relative_path,
        sha256=sha256_files((p for p in folder.rglob("*") if p.is_file()), base=folder),
        vocab_size=max(tokenizer.get_vocab(with_added_tokens=True).values()) + 1,
        special_ids=SpecialIds(
            pad=eos if pad is None else pad,
            eos=eos,
            bos=id_of("bos_token"),
            cls=id_of("cls_token"),
            sep=id_of("sep_token"),
            mask=id_of("mask_token"),
            sentinels=_sentinels(tokenizer),
        ),
    )


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "tokenizer_config.json"
    if not path.is_file():
        return {"eos_token": "<eos>", "pad_token": "<pad>"}
    config: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return config


def _sentinels(tokenizer: Tokenizer) -> tuple[int, ...]:
    ids: list[int] = []
    while (number := tokenizer.token_to_id(_SENTINEL.format(len(ids)))) is not None:
        ids.append(number)
    return tuple(ids)
