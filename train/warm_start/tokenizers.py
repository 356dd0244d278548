"""The tokenizer that a model was trained with against the one of the manifest."""

from __future__ import annotations

import json
import logging
from pathlib import Path

from schemas.errors import ContractError
from schemas.manifest import Manifest
from schemas.vocabulary import VOCABULARY_FILE, ExtendedVocabulary
from train.warm_start.source import Source

logger = logging.getLogger(__name__)

FILE = "tokenizer.json"
# Ids that a model may have beyond an unknown tokenizer: tables are padded to multiples of 128.
_SPARE = 128


def vocabulary_grows(
    source: Source, manifest: Manifest, folder: Path | None, extension: ExtendedVocabulary | None
) -> bool:
    """Whether the source lacks the rows of an extension's new tokens.

    Raises:
        ContractError: The manifest's ids are not those that the source was trained with.
    """
    ids, rows = manifest.tokenizer.vocab_size, source.config.vocab_size
    if source.tokenizer_sha256 == manifest.tokenizer.sha256:
        return False
    theirs = _texts_by_id(source.tokenizer) if source.tokenizer is not None else None
    ours = _texts_by_id(folder) if folder is not None else None
    if extension is not None and extension.size != ids:
        raise ContractError(
            f"{VOCABULARY_FILE}: {extension.size:,} ids, the manifest's tokenizer has {ids:,}"
        )
    same = ids if theirs is None else max(theirs, default=-1) + 1
    grows = False
    if extension is not None and theirs is None:
        # An own run of another tokenizer, or tables that end where the base does.
        is_other = source.tokenizer_sha256 is not None
        grows = is_other or rows < ids or rows - extension.base.size < _SPARE
    elif extension is not None:
        grows = same == extension.base.size
    bound = extension.base.size if extension is not None and grows else ids
    if bound > rows or (not grows and theirs is None and rows - ids >= _SPARE):
        raise ContractError(_sizes(source, rows, ids, extension))
    if theirs is not None and ours is not None:
        if not grows and same != ids:
            raise ContractError(
                f"{source.tokenizer}: its tokenizer has {same:,} ids, the manifest's {ids:,}; "
                + _remedy(extension)
            )
        different = _first_difference(theirs, ours, below=bound)
        if different is not None:
            number, loaded, expected = different
            raise ContractError(
                f"{source.tokenizer}: id {number} is {loaded!r} in the tokenizer of the weights, "
                f"{expected!r} in the manifest's; ids must not move. " + _remedy(extension)
            )
    elif theirs is None:
        logger.warning(
            "%s has no tokenizer.json: only sizes were compared with the manifest's", source.path
        )
    return grows


def _sizes(source: Source, rows: int, ids: int, extension: ExtendedVocabulary | None) -> str:
    text = f"{source.path}: its vocabulary has {rows:,} rows, the manifest's tokenizer {ids:,} ids"
    if extension is not None:
        text += f", extended from {extension.base.size:,} ({VOCABULARY_FILE})"
    return f"{text}; {_remedy(extension)}"


def _remedy(extension: ExtendedVocabulary | None) -> str:
    if extension is not None:
        return "expected the base that this tokenizer extends"
    return (
        "tokenise the data with the model's own tokenizer, or extend it: "
        "refinery vocabulary extend --base DIR"
    )


def _texts_by_id(folder: Path) -> dict[int, str] | None:
    """The text of each id, special tokens included; None where there is no `tokenizer.json`.

    Raises:
        ContractError: The file is damaged.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
        pieces = described["model"]["vocab"]
        if isinstance(pieces, list):  # Unigram: (piece, score), numbered in their order
            texts = {number: str(piece[0]) for number, piece in enumerate(pieces)}
        else:
            texts = {int(number): str(text) for text, number in pieces.items()}
        texts |= {int(t["id"]): str(t["content"]) for t in described.get("added_tokens") or ()}
    except (ValueError, KeyError, TypeError) as error:
        raise ContractError(f"{path}: no tokenizer can be read from it: {error!r}") from error
    return texts


def _first_difference(
    base: dict[int, str], other: dict[int, str], *, below: int
) -> tuple[int, str | None, str | None] | None:
    """The first id below a bound whose texts differ, with both texts; None where all agree."""
    for number in range(below):
        pair = base.get(number), other.get(number)
        if pair[0] != pair[1]:
            return number, *pair
    return None
