"""Settings of decontamination."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from schemas.settings import Settings


class BenchmarkConfig(Settings):
    """One benchmark, in the form that its authors publish."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    path: str = Field(description="a file, a folder of files, or a pattern such as test/*.csv")
    format: Literal["jsonl", "csv", "tsv"] = "jsonl"
    fields: tuple[str, ...] = Field(
        min_length=1, description="joined, they are the item's text; dots lead into objects"
    )
    id_field: str | None = None


class DecontaminateConfig(Settings):
    """Benchmarks and what happens to documents that hold their items.

    The n-gram is 13 tokens, or the 5th percentile of a benchmark's item length where that is
    shorter, never under 8 (Brown et al. 2020, appendix C). A Chinese character is one token.
    """

    benchmarks: tuple[BenchmarkConfig, ...] = Field(min_length=1)
    action: Literal["drop", "cut", "mark"] = "drop"
    max_ngram: int = Field(default=13, gt=0)
    min_ngram: int = Field(default=8, gt=0)
    max_ngram_documents: int | None = Field(
        default=10,
        gt=0,
        description="n-grams in more documents of one source are ignored (Brown et al.: 10)",
    )
    cut_chars: int = Field(default=200, ge=0, description="taken on each side of a cut n-gram")
    min_piece_chars: int = Field(default=200, ge=0, description="shorter pieces go with a cut")
    max_pieces: int = Field(default=10, gt=0, description="more pieces drop the document")
    max_removal_fraction: float = Field(
        default=0.001, gt=0, le=1, description="more contaminated documents stop the job"
    )
    planted_items: int = Field(default=200, gt=0, description="items per self-measurement")
