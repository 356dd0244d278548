"""The numbers of the report's vocabulary section."""

from __future__ import annotations

from pydantic import Field

from schemas.settings import Settings


class TokenBox(Settings):
    """One token of a sample text."""

    id: int
    text: str
    bytes_hex: str
    origin: str


class ProofLine(Settings):
    """One proof of an extension."""

    name: str
    holds: bool
    allowed: bool
    checked: int
    failures: int
    detail: str


class VocabularyNumbers(Settings):
    """The tokenizer's kind, its extension if it is one, and sample texts in boxes."""

    kind: str
    size: int
    base_name: str | None = None
    base_size: int | None = None
    counts: dict[str, int] = Field(default_factory=dict)
    proofs: tuple[ProofLine, ...] = ()
    texts: tuple[tuple[TokenBox, ...], ...] = ()
