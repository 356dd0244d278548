"""The numbers of a report: report.json is this model, the page shows it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from refinery.ablation.yields import Yields
from refinery.dedup.facts import RecurringPassage
from refinery.publish.records import StageCost
from refinery.report.homographs import HomographRow
from refinery.report.vocabulary_data import VocabularyNumbers
from schemas.settings import Settings


class SourceFunnel(Settings):
    """What happened to one source's fetches; every document has one fate."""

    unreadable: int = Field(
        default=0,
        description="rejects of ingest: records, rows and files that never were a document",
    )
    fetches: int = 0
    refetched: int = 0
    sampled_out: int = 0
    documents: int = 0
    rejected: int = 0
    excluded: int = 0
    dropped: int = 0
    duplicate: int = 0
    contaminated: int = 0
    kept: int = 0
    marked: int = Field(default=0, description="kept near-duplicates of an earlier document")
    train: int = 0
    heldout: int = 0
    not_sampled: int = 0
    input_bytes: int = Field(
        default=0, description="bytes of the source's files, as they lie there"
    )
    text_bytes: dict[str, int] = Field(
        default_factory=dict,
        description="UTF-8 bytes of extracted text by fate, before edits; `documents` is all of it, "
        "`edited` what edits took from the kept ones, `train`, `heldout` and `not_sampled` what they left",
    )
    tokens: dict[str, int] = Field(
        default_factory=dict,
        description="the same in tokens: counted for train, heldout and not_sampled, else estimated by "
        "the source's bytes per token",
    )


class Check(Settings):
    """An equation of counts that holds unless rows were lost."""

    claim: str
    left: int
    right: int

    @property
    def holds(self) -> bool:
        return self.left == self.right


class Histogram(Settings):
    """Counts between edges; `marks` are thresholds drawn on it."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    marks: tuple[float, ...] = ()
    unit: str


class Sample(Settings):
    """One document for people to look at; `before`, `marked`, `after` are consecutive text."""

    doc_id: str
    source: str
    url: str | None
    title: str | None
    reason: str | None
    before: str
    marked: str = ""
    after: str = ""


class PairSample(Settings):
    """A removed document beside the kept one that it resembles."""

    removed: Sample
    kept: Sample
    start: int = Field(default=0, description="code point of both texts at which the samples begin")
    method: str
    jaccard: float
    containment: float


class SourcePair(Settings):
    """Duplicates of one source whose kept document is of another, or of the same one."""

    source: str
    kept_source: str
    documents: int
    text_bytes: int
    least_jaccard: float | None


class LargeCluster(Settings):
    """A connected component of verified pairs; the least similarity is that of all its edges.

    Title and address are those of the document that most of the others resemble.
    """

    cluster: str
    title: str | None = None
    url: str | None = None
    kept: int
    removed: int
    weakest_jaccard: float


class LargeBucket(Settings):
    """A bucket too large to compare each with each, named by its first document."""

    band: int
    size: int
    first: str
    title: str | None = None
    url: str | None = None


class DedupNumbers(Settings):
    """Duplicates, clusters and the S-curve of the bands."""

    mode: Literal["remove", "mark"] = "remove"
    bands: int
    rows: int
    threshold: float
    false_negative_area: float
    false_positive_area: float
    curve: tuple[tuple[float, float], ...]
    by_method: dict[str, int]
    cluster_sizes: dict[str, int]
    weakest_jaccard: float | None
    capped_buckets: int
    largest_clusters: tuple[LargeCluster, ...] = ()
    largest_buckets: tuple[LargeBucket, ...] = ()
    by_sources: tuple[SourcePair, ...] = ()
    recurring: dict[str, int] = Field(default_factory=dict)
    recurring_documents: int = Field(default=0, description="documents that lost a passage")
    recurring_examples: tuple[RecurringPassage, ...] = ()
    pairs: tuple[PairSample, ...]


class BenchmarkCoverage(Settings):
    """How the items of one benchmark are searched."""

    benchmark: str
    ngram_tokens: int
    items: int
    whole_line: int
    uncovered: int


class FrequentNgram(Settings):
    """An n-gram that many documents of one source hold.

    Templates are shown in the same form: n-grams that many items hold, with the number of items in
    `documents`.
    """

    ngram: str
    documents: int
    item: str | None = None


class ContaminationNumbers(Settings):
    """Hits and the search's own error.

    `recall` is (found, planted) by mutation for items of 13 tokens or more; `recall_by_group` the
    same by language and length.
    """

    documents_by_benchmark: dict[str, int]
    items_by_benchmark: dict[str, int]
    items: int
    uncovered_items: int
    recall: dict[str, tuple[int, int]]
    recall_by_group: dict[str, dict[str, tuple[int, int]]] = Field(default_factory=dict)
    clean_documents: int
    false_positives: int
    false_positives_per_million_below: float | None = None
    coverage: tuple[BenchmarkCoverage, ...] = ()
    template_ngrams: int = 0
    max_ngram_items: int | None = None
    templates: tuple[FrequentNgram, ...] = ()
    ignored_ngrams: int = 0
    ignored: tuple[FrequentNgram, ...] = ()
    last: tuple[FrequentNgram, ...] = ()
    samples: tuple[Sample, ...]


class MixtureRow(Settings):
    """One source of the plan, and what packing made of it."""

    source: str
    documents: int
    tokens: int
    weight_asked: float
    weight_got: float
    epochs: float
    packed_tokens: int
    dropped_tokens: int = 0
    drawn_tokens: int = 0
    bytes_per_token: float | None
    used_documents: int = Field(default=0, description="documents with at least one copy")
    used_tokens: int = Field(default=0, description="tokens of those, once and without end marks")


class PackingNumbers(Settings):
    """Tokens and rows of one split of the dataset, as its shards hold them."""

    rows: int
    tokens_in: int
    packed: int
    dropped: int
    padding: int
    drawn: int = Field(
        default=0, description="tokens packed once more, as the drawn second halves of pairs"
    )
    control: int = Field(default=0, description="[CLS] and [SEP] of pairs")
    shards: int
    bytes: int


class StageNumbers(Settings):
    """What one stage took, and the rows that it published, by table."""

    stage: str
    seconds: float
    cost: StageCost | None = None
    rows: dict[str, int]
    bytes: int


class ReasonCount(Settings):
    """Documents that a rule dropped first, of one source or one language, and their text."""

    reason: str
    group: str
    documents: int
    text_bytes: int


class EditCount(Settings):
    """What edits of one kind did to the texts of one source."""

    reason: str
    source: str
    edits: int
    documents: int
    characters: int


class EditExample(Settings):
    """One edit in the text around it."""

    reason: str
    url: str | None
    doc_id: str
    before: str
    removed: str
    replacement: str
    after: str


class DomainCount(Settings):
    """Documents of one host."""

    host: str
    documents: int
    kept: int
    text_bytes: int
    kept_bytes: int
    commonest_reason: str | None


class RejectCount(Settings):
    """What one stage could not read or parse, of one source."""

    source: str
    stage: str
    reason: str
    rejects: int


class RuleBound(Settings):
    """A rule as it judged one group of languages, and what it dropped there."""

    rule: str
    group: str
    value: str
    meaning: str
    minimum: float | None
    maximum: float | None
    source: str
    failed: int = Field(description="documents of these languages that failed it")
    first: int = Field(description="those for which it is the reason")


class RunFacts(Settings):
    """How the run was made."""

    command: tuple[str, ...]
    code_version: str
    packages: dict[str, str]
    recipe: str = Field(description="recipe and runtime as YAML, without defaults and secrets")
    started_at: str


class ReportData(Settings):
    """Everything that the page shows, and the whole of report.json.

    Of an unfinished run: `root` is empty, and what later stages would tell is empty or None.
    """

    name: str
    root: str
    seq_len: int
    vocab_size: int
    created_at: str
    sources: dict[str, SourceFunnel]
    checks: tuple[Check, ...]
    stages_missing: tuple[str, ...] = Field(
        default=(), description="stages of a whole run that have published nothing"
    )
    run: RunFacts | None = None
    unmatched_lists: tuple[str, ...] = Field(
        default=(), description="lists of addresses and take-downs that match no document"
    )
    yields: Yields = Field(
        default_factory=Yields, description="what an ablation below the run's output has found"
    )
    drop_reasons: dict[str, int]
    reasons_by_source: tuple[ReasonCount, ...] = ()
    reasons_by_language: tuple[ReasonCount, ...] = ()
    rules: tuple[RuleBound, ...] = ()
    edits: tuple[EditCount, ...] = ()
    edit_examples: tuple[EditExample, ...] = ()
    domains: tuple[DomainCount, ...] = ()
    all_reasons: dict[str, int]
    languages: dict[str, int]
    histograms: dict[str, Histogram]
    rule_histograms: dict[str, Histogram] = Field(default_factory=dict)
    gopher: str | None = Field(
        default=None,
        description="program whose form of Gopher's rules ran; None for this program's own",
    )
    counters: dict[str, int]
    kept_samples: tuple[Sample, ...]
    dropped_samples: tuple[Sample, ...]
    dedup: DedupNumbers | None
    contamination: ContaminationNumbers | None
    vocabulary: VocabularyNumbers | None = None
    homographs: tuple[HomographRow, ...] = ()
    cards: dict[str, dict[str, float | int | None]]
    mixture: tuple[MixtureRow, ...]
    mixture_warnings: tuple[str, ...]
    packing: dict[str, PackingNumbers]
    rejects: tuple[RejectCount, ...]
    reject_samples: tuple[tuple[str, str, str], ...]
    records: dict[str, int]
    stages: tuple[StageNumbers, ...]

    def total(self, name: str) -> int:
        """Sum of one column of the funnel."""
        return sum(int(getattr(funnel, name)) for funnel in self.sources.values())

    def total_of(self, measure: Literal["text_bytes", "tokens"], fate: str) -> int:
        """Sum of the text of one fate, in bytes or tokens."""
        return sum(getattr(funnel, measure).get(fate, 0) for funnel in self.sources.values())
