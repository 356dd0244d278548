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
    """One proof that an extension keeps what the base tokenizer does."""

    name: str
    holds: bool
    allowed: bool
    checked: int
    failures: int
    detail: str


class FertilityLine(Settings):
    """What a tokenizer needs for a sample of one language, as the extension measured it."""

    text: str
    tokenizer: str
    tokens_per_character: float
    tokens_per_word: float
    bytes_per_token: float
    unknown_fraction: float


class CutText(Settings):
    """A sample text as one tokenizer cuts it."""

    tokenizer: str
    boxes: tuple[TokenBox, ...]


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
    fertility: tuple[FertilityLine, ...] = ()
    texts: tuple[str, ...] = Field(default=(), description="samples of kept documents")
    cuts: tuple[tuple[CutText, ...], ...] = Field(
        default=(), description="each text under the base, where there is one, and the tokenizer"
    )
