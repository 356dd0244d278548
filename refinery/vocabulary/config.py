"""Settings of the tokenizer that the recipe trains or takes."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from schemas.settings import Settings

TrainKind = Literal[
    "byte_level_bpe", "bpe", "wordpiece", "sentencepiece_bpe", "sentencepiece_unigram"
]


class TrainConfig(Settings):
    """A tokenizer trained on counted clauses."""

    kind: TrainKind = "byte_level_bpe"
    size: int = Field(default=16_384, ge=300, description="ids, control tokens included")
    sentinels: int = Field(default=100, ge=0)
    normalization: Literal["identity", "nfc", "nfkc", "nfkc_lower"] = "identity"
    character_coverage: float = Field(
        default=0.9999, gt=0.9, le=1, description="SentencePiece: share of characters kept"
    )
    split_digits: bool = Field(default=True, description="each digit a token of its own")
    keep_spaces: bool = Field(default=True, description="SentencePiece: runs of spaces stay")
    byte_fallback: bool = Field(
        default=True, description="SentencePiece: bytes for rare characters"
    )
    isolate_ideographs: bool = Field(
        default=True, description="WordPiece: each ideograph a word, as BERT does"
    )
    min_count: int = Field(default=1, ge=1, description="clauses seen less often are pruned")
    max_clauses: int = Field(
        default=1_000_000,
        gt=0,
        description="distinct clauses the trainer sees: the most frequent, ties by hash",
    )
    threads: int = Field(default=1, ge=1, description="of the trainer; part of the result")


class VocabularyConfig(Settings):
    """A byte-level BPE trained on kept training documents, or a given folder."""

    tokenizer: str | None = Field(
        default=None, description="folder with tokenizer.json; None trains one"
    )
    size: int = Field(default=16_384, ge=400, description="ids, control tokens included")
    sentinels: int = Field(default=100, ge=0)
    train_bytes: int = Field(default=50_000_000, gt=0, description="of text, by hash of the id")
    train: TrainConfig | None = Field(
        default=None,
        description="another kind, trained on counted clauses; then `size` and `sentinels` are its own",
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.tokenizer is not None and self.train is not None:
            raise ValueError("vocabulary: give `tokenizer` or `train`, not both")
        return self


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
