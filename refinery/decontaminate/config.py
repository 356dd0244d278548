"""Settings of decontamination."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from schemas.benchmark_files import BenchmarkFiles
from schemas.settings import Settings


class QuestionConfig(Settings):
    """Fields of an item's question, choices and answer, for evaluation by multiple choice."""

    question: str = Field(description="field of the question")
    choices: tuple[str, ...] = Field(
        min_length=1, description="a field per choice, or one field that holds a list"
    )
    answer: str | None = Field(
        default=None, description="field of the answer: its number, letter or text"
    )
    first_answer: int = Field(default=0, description="number of the first choice: 0 or 1")
    labels: str | None = Field(
        default=None, description="file with one answer per line, for all files of the benchmark"
    )


class BenchmarkConfig(BenchmarkFiles):
    """One benchmark, in the form that its authors publish.

    Files may be compressed by gzip or bzip2, or lie in a zip archive; `lines` has `columns` lines
    per item (HellaSwag's text form).
    """

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9_-]*$", description="name of the benchmark in the report"
    )
    fields: tuple[str, ...] = Field(
        min_length=1, description="joined, they are the item's text; dots lead into objects"
    )
    multiple_choice: QuestionConfig | None = None


class DecontaminateConfig(Settings):
    """Benchmarks and what happens to documents that hold their items.

    The n-gram is 13 tokens, or the 5th percentile of a benchmark's item length where that is
    shorter, never under 8 (Brown et al. 2020, appendix C). A Chinese character is one token.
    """

    benchmarks: tuple[BenchmarkConfig, ...] = Field(min_length=1)
    action: Literal["drop", "cut", "mark"] = Field(
        default="drop", description="drop the document, cut the passage out of it, or only note it"
    )
    max_ngram: int = Field(
        default=13,
        gt=0,
        description="tokens of the n-grams of benchmarks with long items (Brown et al. 2020, appendix C)",
    )
    min_ngram: int = Field(
        default=8, gt=0, description="tokens of the n-grams of benchmarks with short items"
    )
    max_ngram_items: int | None = Field(
        default=10,
        gt=0,
        description="n-grams of more items are a template and ignored, never an item's last one",
    )
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
    planted_items: int = Field(
        default=200, gt=0, description="items per language and length in the self-measurement"
    )
