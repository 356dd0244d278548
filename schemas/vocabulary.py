"""`vocabulary.json`: what an extended tokenizer folder says about its new ids.

`refinery vocabulary extend` writes it beside the tokenizer's files; a warm start reads it to know
which embedding rows are new and from which base rows each may start. docs/vocabulary.md describes it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from schemas.errors import ContractError

VOCABULARY_FILE = "vocabulary.json"
FORMAT_VERSION = 1

Kind = Literal["sentencepiece_bpe", "sentencepiece_unigram", "byte_level_bpe", "wordpiece"]
Origin = Literal["new", "support", "special"]


class _Closed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BaseTokenizer(_Closed):
    """The tokenizer that was extended; its ids are 0 .. size - 1."""

    name: str
    size: int
    fingerprint: str


class NewToken(_Closed):
    """One id at or above the base's size.

    `text` is what the token decodes to, U+FFFD for bytes that are no whole character; `pieces` is
    the entry of the vocabulary itself. `base_ids` are the ids of its text under the base tokenizer,
    unknown pieces as `unk_id`; for a token of single bytes, the base's ids of those bytes.
    `frequency` counts occurrences in the sample that was measured.
    """

    id: int
    text: str
    piece: str
    origin: Origin
    base_ids: tuple[int, ...]
    frequency: int
    score: float | None = None


class Proof(_Closed):
    """One property that was checked; `allowed` marks a failure accepted by name."""

    name: str
    holds: bool
    allowed: bool = False
    checked: int
    failures: int
    detail: str
    examples: tuple[str, ...] = ()


class ExtendedVocabulary(_Closed):
    """The whole file.

    `never_mean` holds base ids whose embedding rows were never trained on text (spare ids and
    sentinels): they enter no mean.
    """

    format_version: int = FORMAT_VERSION
    kind: Kind
    base: BaseTokenizer
    size: int
    unk_id: int | None
    never_mean: tuple[int, ...]
    tokens: tuple[NewToken, ...]
    proofs: tuple[Proof, ...] = ()
    settings: dict[str, Any] = {}
    counts: dict[str, int] = {}
    refused: dict[str, int] = {}
    fertility: dict[str, dict[str, dict[str, float]]] = {}

    @model_validator(mode="after")
    def _ids_follow_the_base(self) -> Self:
        ids = [token.id for token in self.tokens]
        expected = list(range(self.base.size, self.size))
        if ids != expected:
            raise ValueError(
                f"token ids must be {self.base.size}..{self.size - 1} in order, "
                f"found {len(ids)} ids {ids[:3]}.."
            )
        return self


def read_vocabulary(folder: Path) -> ExtendedVocabulary | None:
    """The folder's `vocabulary.json`; None where the tokenizer is no extended one.

    Raises:
        ContractError: The file is not of this form.
    """
    path = folder / VOCABULARY_FILE
    if not path.is_file():
        return None
    try:
        return ExtendedVocabulary.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise ContractError(f"{path}: not an extended vocabulary: {error}") from error


def write_vocabulary(vocabulary: ExtendedVocabulary, folder: Path) -> None:
    """Write `vocabulary.json`, one token a line."""
    document = vocabulary.model_dump(mode="json")
    tokens = document.pop("tokens")
    head = json.dumps(document, ensure_ascii=False, indent=1)
    lines = ",\n  ".join(json.dumps(token, ensure_ascii=False) for token in tokens)
    (folder / VOCABULARY_FILE).write_text(
        f'{head[:-2]},\n "tokens": [\n  {lines}\n ]\n}}\n', "utf-8"
    )
