"""Settings of packing."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from schemas.settings import Settings

SPECIAL_TOKENS_OF_A_PAIR = 3  # a row of a pair is [CLS] first [SEP] second [SEP]


class NoiseConfig(Settings):
    """Noise of text and of tokens, drawn anew for each copy from (seed, id, copy).

    Each fraction is of the characters, or of the merges, that can change.
    """

    first_copy: int = Field(
        default=1, ge=0, description="earlier copies stay as they are; 0 changes all"
    )
    bpe_dropout: float | None = Field(
        default=None, gt=0, lt=1, description="merges left out (Provilkov et al. 2020)"
    )
    spelling: float | None = Field(
        default=None, gt=0, lt=1, description="letters swapped, doubled, lost or replaced"
    )
    case: float | None = Field(default=None, gt=0, lt=1, description="letters of the other case")
    width: float | None = Field(
        default=None, gt=0, lt=1, description="ASCII characters in their full-width form"
    )


class PackingConfig(Settings):
    """How documents are cut into rows, and rows into shards."""

    seq_len: int = Field(default=2048, ge=8, description="tokens per row")
    layout: Literal["concat", "document", "bestfit", "sentences", "next_sentence", "pairs"] = Field(
        default="concat",
        description="sentences: whole ones of one document per row; next_sentence: pairs as BERT's; "
        "pairs: inputs and targets, by jobs.pack_pairs alone",
    )
    word_starts: bool = Field(
        default=False, description="a column that says which tokens begin a word"
    )
    short_fraction: float = Field(
        default=0.1, ge=0, lt=1, description="next_sentence: documents whose pairs are short"
    )
    labels: tuple[Literal["class_label", "token_labels"], ...] = Field(
        default=(), description="pairs: columns of classes, as the tasks have them"
    )
    noise: NoiseConfig | None = Field(
        default=None,
        description="noise in the copies of training documents; null: all copies are equal",
    )
    shard_tokens: int = Field(
        default=32_000_000,
        gt=0,
        description="tokens of a shard, about; a task holds one shard in memory",
    )
    row_group_rows: int = Field(
        default=256, gt=0, description="rows of a Parquet row group, which readers read at once"
    )
    lanes: int = Field(
        default=48,
        gt=0,
        description="equal stretches of rows that training reads side by side; ranks should divide it",
    )

    @property
    def marks(self) -> tuple[str, ...]:
        """Names of what tokenising has to find beside the ids: starts of words, of sentences."""
        wanted = {
            "word_starts": self.word_starts,
            "sentence_starts": self.layout in ("sentences", "next_sentence"),
        }
        return tuple(name for name, is_wanted in wanted.items() if is_wanted)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the optional columns of the rows."""
        names = ("word_starts",) if self.word_starts else ()
        match self.layout:
            case "sentences":
                return (*names, "sentence_starts")
            case "next_sentence":
                return (*names, "segment_b_start", "is_next")
            case "pairs":
                return (*names, "target_start", *self.labels)
            case _:
                return names
