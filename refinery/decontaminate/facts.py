"""Facts of the stages `benchmarks` and `decontaminate`."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from refinery.publish.facts import Facts, StageFacts
from schemas.manifest import RecallByMutation

Recalls = dict[str, RecallByMutation]


class Coverage(Facts):
    """How the items of one benchmark are searched."""

    ngram_tokens: int = Field(description="n of its n-grams")
    items: int
    whole_line: int = Field(description="items that are searched as whole lines only")
    uncovered: int = Field(description="items that are not searched")
    share: float = Field(description="of uncovered items")


class TemplateNgram(Facts):
    """An n-gram of so many items that it identifies none."""

    ngram: str
    items: int


class IgnoredNgram(Facts):
    """An n-gram of so many documents of one source that it is no sign of a leak."""

    ngram: str
    documents: int


class LastNgram(Facts):
    """A frequent n-gram that stays in the search, because its item has no rarer one."""

    benchmark: str
    item: str
    ngram: str
    documents: int


class SelfMeasurement(Facts):
    """Planted items that the search found, and its hits on texts that hold no item."""

    recall: Recalls = Field(description="by mutation, over items of 13 tokens or more")
    recall_by_group: dict[str, Recalls] = Field(
        description="by language and length: en, zh, and en_short, zh_short below 13 tokens"
    )
    clean_documents: int
    false_positives: int
    false_positives_per_million_below: float | None = Field(
        description="95 % upper bound of the rate in clean documents"
    )


class BenchmarksFacts(StageFacts):
    """The index of the recipe's benchmarks."""

    stage: ClassVar[str] = "benchmarks"

    coverage: dict[str, Coverage] = Field(description="by benchmark")
    templates: tuple[TemplateNgram, ...] = Field(default=(), description="the commonest ones")
    uncovered: tuple[tuple[str, str], ...] = Field(
        default=(), description="(benchmark, item) of some items that are not searched"
    )


class DecontaminateFacts(StageFacts):
    """What the search left out, and its own measured error."""

    stage: ClassVar[str] = "decontaminate"

    coverage: dict[str, Coverage] = Field(description="by benchmark")
    recall: SelfMeasurement
    ignored_ngrams: tuple[IgnoredNgram, ...] = Field(default=(), description="the commonest ones")
    last_ngrams: tuple[LastNgram, ...] = Field(default=(), description="the commonest ones")
