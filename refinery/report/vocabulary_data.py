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


class LanguageCost(Settings):
    """Tokens for the characters of one language, in a sample of the kept documents."""

    language: str
    documents: int
    tokens: int
    chars: int


class EmojiCost(Settings):
    """Tokens that the emoji of some sampled pages take, beyond those of the text around them."""

    documents: int
    runs: int
    tokens_kept: int = Field(description="the emoji as they are")
    tokens_as_words: int = Field(description="their names instead")
    style: str = Field(description="what the recipe makes of them")


class VocabularyNumbers(Settings):
    """The tokenizer's kind, its extension if it is one, and sample texts in boxes."""

    kind: str
    size: int
    base_name: str | None = None
    base_size: int | None = None
    counts: dict[str, int] = Field(default_factory=dict)
    proofs: tuple[ProofLine, ...] = ()
    languages: tuple[LanguageCost, ...] = ()
    emoji: EmojiCost | None = None
    texts: tuple[tuple[TokenBox, ...], ...] = ()
