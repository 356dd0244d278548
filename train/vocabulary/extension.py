"""What an extended tokenizer says of its new tokens."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.errors import ContractError
from train.vocabulary.rows import NewToken

NAME = "vocabulary.json"


@dataclass(frozen=True, kw_only=True)
class Extension:
    """New tokens of a tokenizer.

    Attributes:
        path: The file that says so.
        base_size: Ids of the base, all kept; new ones start here.
        size: Ids in all.
        tokens: The new ones, by id.
        unk_id: Of the base's [UNK]; its row stands for no text.
        never_mean: Other rows of the base that stand for none: spare ones, sentinels.
    """

    path: Path
    base_size: int
    size: int
    tokens: tuple[NewToken, ...]
    unk_id: int | None
    never_mean: tuple[int, ...]

    @property
    def without_text(self) -> frozenset[int]:
        """Rows of the base that enter no mean."""
        unknown = () if self.unk_id is None else (self.unk_id,)
        return frozenset((*self.never_mean, *unknown))


def read_extension(path: Path) -> Extension:
    """Read and check a `vocabulary.json`.

    Raises:
        ContractError: Not readable, or ids with gaps, or pieces that the base does not have.
    """
    try:
        described: Any = json.loads(path.read_text(encoding="utf-8"))
        base_size, size = int(described["base"]["size"]), int(described["size"])
        tokens = tuple(
            NewToken(
                id=int(token["id"]),
                text=str(token["text"]),
                origin=str(token["origin"]),
                base_ids=tuple(int(piece) for piece in token["base_ids"]),
            )
            for token in described["tokens"]
        )
        extension = Extension(
            path=path,
            base_size=base_size,
            size=size,
            tokens=tuple(sorted(tokens, key=lambda token: token.id)),
            unk_id=described.get("unk_id"),
            never_mean=tuple(described.get("never_mean") or ()),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ContractError(f"{path}: no extended vocabulary can be read: {error!r}") from error
    _check(extension)
    return extension


def _check(extension: Extension) -> None:
    expected = range(extension.base_size, extension.size)
    found = [token.id for token in extension.tokens]
    if found != list(expected):
        wrong = next((a for a, b in zip(found, expected, strict=False) if a != b), None)
        raise ContractError(
            f"{extension.path}: {len(found)} new tokens, the first out of place {wrong}; expected "
            f"{len(expected)} with the ids {extension.base_size} to {extension.size - 1}"
        )
    for token in extension.tokens:
        beyond = [piece for piece in token.base_ids if not 0 <= piece < extension.base_size]
        if beyond:
            raise ContractError(
                f"{extension.path}: token {token.id} {token.text!r} has the base piece "
                f"{beyond[0]}, the base has ids 0 to {extension.base_size - 1}"
            )
