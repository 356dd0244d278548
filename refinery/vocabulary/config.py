"""Settings of the tokenizer that the recipe trains or takes."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from schemas.settings import Settings

TrainKind = Literal[
    "byte_level_bpe", "bpe", "wordpiece", "sentencepiece_bpe", "sentencepiece_unigram"
]


class TrainConfig(Settings):
    """How a tokenizer is trained on counted clauses.

    None leaves a choice to the kind; what a kind cannot do is refused, never ignored.
    """

    kind: TrainKind = Field(
        default="byte_level_bpe",
        description="GPT-2's, plain BPE, BERT's, LLaMA's and T5's kind of tokenizer",
    )
    size: int = Field(default=16_384, ge=300, description="ids, special tokens included")
    sentinels: int = Field(
        default=100, ge=0, description="special tokens <extra_id_0> and so on, for span corruption"
    )
    normalization: Literal["identity", "nfc", "nfkc", "nfkc_lower"] = Field(
        default="identity", description="SentencePiece has no nfc; its nfkc also tidies white space"
    )
    character_coverage: float | None = Field(
        default=None,
        gt=0.9,
        le=1,
        description="share of characters kept, the most frequent; None: 0.9999, all for bytes",
    )
    split_digits: bool = Field(default=True, description="each digit a token of its own")
    keep_spaces: bool | None = Field(
        default=None, description="runs of spaces stay; None: yes, except in WordPiece"
    )
    byte_fallback: bool | None = Field(
        default=None, description="bytes for rare characters; None: yes for SentencePiece"
    )
    isolate_ideographs: bool | None = Field(
        default=None, description="each ideograph a word, as BERT does; None: yes for WordPiece"
    )
    min_count: int = Field(default=1, ge=1, description="clauses seen less often are pruned")
    max_clauses: int = Field(
        default=1_000_000,
        gt=0,
        description="distinct clauses the trainer sees: the most frequent, ties by hash",
    )
    threads: int = Field(
        default=1,
        ge=1,
        description="threads of SentencePiece's trainers; the result depends on them",
    )

    @property
    def is_sentencepiece(self) -> bool:
        """Whether the SentencePiece library trains it."""
        return self.kind in ("sentencepiece_bpe", "sentencepiece_unigram")

    @property
    def coverage(self) -> float:
        """The share of characters kept."""
        if self.character_coverage is not None:
            return self.character_coverage
        return 1.0 if self.kind == "byte_level_bpe" else 0.9999

    @property
    def keeps_spaces(self) -> bool:
        """Whether runs of spaces stay as they are."""
        return self.kind != "wordpiece" if self.keep_spaces is None else self.keep_spaces

    @property
    def falls_back_on_bytes(self) -> bool:
        """Whether a character without an entry becomes bytes rather than the unknown token."""
        if self.byte_fallback is not None:
            return self.byte_fallback
        return self.is_sentencepiece or self.kind == "byte_level_bpe"

    @property
    def isolates_ideographs(self) -> bool:
        """Whether each ideograph is a word of its own."""
        if self.isolate_ideographs is not None:
            return self.isolate_ideographs
        return self.kind == "wordpiece"

    @model_validator(mode="after")
    def _what_the_kind_can_do(self) -> Self:
        is_bytes, is_words = self.kind == "byte_level_bpe", self.kind == "wordpiece"
        refusals = (
            (self.is_sentencepiece and self.normalization == "nfc", "normalization", "nfc",
             "SentencePiece has no such rule; expected identity, nfkc or nfkc_lower"),
            (is_bytes and self.coverage < 1, "character_coverage", self.coverage,
             "all text is bytes, and every byte is an entry; expected 1 or nothing"),
            (is_bytes and not self.falls_back_on_bytes, "byte_fallback", False,
             "every byte is an entry already; expected true or nothing"),
            (is_words and self.falls_back_on_bytes, "byte_fallback", True,
             "WordPiece has [UNK] alone; expected false, or another kind"),
            (is_words and self.keeps_spaces, "keep_spaces", True,
             "WordPiece splits at white space and drops it; expected false, or another kind"),
            (not is_words and self.isolates_ideographs, "isolate_ideographs", True,
             "only WordPiece splits words so; expected false, or kind: wordpiece"),
        )  # fmt: skip
        for is_refused, key, value, reason in refusals:
            if is_refused:
                raise ValueError(f"vocabulary: kind {self.kind} with {key}={value}: {reason}")
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
    allow: tuple[str, ...] = Field(default=(), description="names of proofs that may fail")


class RecipeExtension(ExtendConfig):
    """New tokens for the tokenizer that the recipe names: its donor, or training documents."""

    donor: str | None = Field(
        default=None,
        description="folder or file of a donor; None trains the new tokens on kept training documents",
    )


class VocabularyConfig(Settings):
    """A tokenizer trained on kept training documents, or one in a folder, with new tokens if wanted."""

    tokenizer: str | None = Field(
        default=None, description="folder with tokenizer.json; None trains one"
    )
    extend: RecipeExtension | None = Field(
        default=None, description="new tokens for `tokenizer`, every id of which stays"
    )
    size: int = Field(default=16_384, ge=400, description="ids, special tokens included")
    sentinels: int = Field(
        default=100, ge=0, description="special tokens <extra_id_0> and so on, for span corruption"
    )
    train_bytes: int = Field(
        default=50_000_000,
        gt=0,
        description="bytes of text to train on; documents are chosen by hash of their id",
    )
    train: TrainConfig | None = Field(
        default=None,
        description="another kind, trained on counted clauses; then `size` and `sentinels` are its own",
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.tokenizer is not None and self.train is not None:
            raise ValueError("vocabulary: give `tokenizer` or `train`, not both")
        if self.extend is not None and self.tokenizer is None:
            raise ValueError("vocabulary.extend: needs `tokenizer`, the base that takes new tokens")
        if self.extend is not None and self.extend.donor is None and self.extend.size is None:
            raise ValueError(
                "vocabulary.extend: without `donor` the new tokens are trained; give `size`, the ids in all"
            )
        return self


class SplitConfig(Settings):
    """The held-out share of each source, by hash of (seed, id)."""

    heldout_fraction: float = Field(
        default=0.02,
        gt=0,
        lt=0.5,
        description="fraction of the documents of each source that is never trained on",
    )
