"""Settings of the tokenizer that the recipe trains or takes."""

from __future__ import annotations

from pydantic import Field

from schemas.settings import Settings


class VocabularyConfig(Settings):
    """A byte-level BPE trained on kept training documents, or a given folder."""

    tokenizer: str | None = Field(
        default=None, description="folder with tokenizer.json; None trains one"
    )
    size: int = Field(default=16_384, ge=400, description="ids, control tokens included")
    sentinels: int = Field(default=100, ge=0)
    train_bytes: int = Field(default=50_000_000, gt=0, description="of text, by hash of the id")


class ExtendConfig(Settings):
    """How a base tokenizer takes the tokens of a donor."""

    scripts: tuple[str, ...] = Field(
        default=("Han",),
        min_length=1,
        description="Script_Extensions of which a new token holds a character; 'all' lifts the filter",
    )
    characters: str = Field(
        default="", description=r"more such characters, the inside of a regex class: \u2460-\u24ff"
    )
    size: int | None = Field(default=None, gt=0, description="ids in all; None takes every piece")
    min_gain: int | None = Field(
        default=None, gt=0, description="tokens a piece must save on the sample"
    )
    exact: bool = Field(
        default=False, description="take the donor whole, without support and without the filter"
    )
    allow: tuple[str, ...] = Field(default=(), description="proofs that may fail")


class SplitConfig(Settings):
    """The held-out share of each source, by hash of (seed, id)."""

    heldout_fraction: float = Field(default=0.02, gt=0, lt=0.5)
