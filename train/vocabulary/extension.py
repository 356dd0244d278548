"""What `vocabulary.json` of an extended tokenizer says of the new tokens."""

from __future__ import annotations

from pathlib import Path

from schemas.errors import ContractError
from schemas.vocabulary import VOCABULARY_FILE, ExtendedVocabulary, read_vocabulary


def read_extension(folder: Path) -> ExtendedVocabulary | None:
    """The `vocabulary.json` of a tokenizer's folder; None where the tokenizer extends no other.

    Raises:
        ContractError: The file has another form, or names pieces that the base does not have.
    """
    extension = read_vocabulary(folder)
    if extension is None:
        return None
    size = extension.base.size
    for token in extension.tokens:
        beyond = [piece for piece in token.base_ids if not 0 <= piece < size]
        if beyond:
            raise ContractError(
                f"{folder / VOCABULARY_FILE}: token {token.id} {token.text!r} has the base piece "
                f"{beyond[0]}, the base has ids 0 to {size - 1}"
            )
    return extension


def without_text(extension: ExtendedVocabulary) -> frozenset[int]:
    """Rows of the base that stand for no text and enter no mean: [UNK], spare ones, sentinels."""
    unknown = () if extension.unk_id is None else (extension.unk_id,)
    return frozenset((*extension.never_mean, *unknown))
