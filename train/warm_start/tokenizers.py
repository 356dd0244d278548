"""The tokenizer that a model was trained with against the one of the manifest."""

from __future__ import annotations

import json
from pathlib import Path

from schemas.errors import ContractError

FILE = "tokenizer.json"


def texts_by_id(folder: Path) -> dict[int, str] | None:
    """The text of each id, control tokens included; None where there is no `tokenizer.json`.

    Raises:
        ContractError: The file is damaged.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
        pieces = described["model"]["vocab"]
        if isinstance(pieces, list):  # Unigram: (piece, score), numbered by place
            texts = {number: str(piece[0]) for number, piece in enumerate(pieces)}
        else:
            texts = {int(number): str(text) for text, number in pieces.items()}
        texts |= {int(t["id"]): str(t["content"]) for t in described.get("added_tokens") or ()}
    except (ValueError, KeyError, TypeError) as error:
        raise ContractError(f"{path}: no tokenizer can be read from it: {error!r}") from error
    return texts


def first_difference(
    base: dict[int, str], other: dict[int, str], *, below: int
) -> tuple[int, str | None, str | None] | None:
    """The first id below a bound whose texts differ, with both texts; None where all agree."""
    for number in range(below):
        pair = base.get(number), other.get(number)
        if pair[0] != pair[1]:
            return number, *pair
    return None
