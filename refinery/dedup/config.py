"""Settings of deduplication."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from schemas.settings import Settings


class BandTarget(Settings):
    """Choose bands and rows for a threshold, as datasketch's `MinHashLSH` does.

    Of all splits of the permutations, the one whose weighted areas of missed and of needless
    candidates are least. Verification removes needless candidates, so a weight above 0.5 trades
    time for recall.
    """

    permutations: int = Field(
        default=112,
        gt=0,
        le=1024,
        description="MinHash values of a signature: at most bands x rows",
    )
    threshold: float | None = Field(default=None, gt=0, le=1, description="None: dedup.threshold")
    false_negative_weight: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="weight of the area of missed pairs; that of needless ones is the rest of 1",
    )


class RecurringConfig(Settings):
    """Passages that many kept documents hold are taken out as edits; the documents stay.

    Counted over the documents that dedup keeps, so a page that was copied a thousand times does not
    make all of its lines frequent. Each rule that is left out is off.
    """

    line_documents: int | None = Field(
        default=None, gt=1, description="remove lines that so many documents hold, e.g. navigation"
    )
    paragraph_documents: int | None = Field(
        default=None, gt=1, description="remove paragraphs that so many documents hold"
    )
    span_documents: int | None = Field(
        default=None,
        gt=1,
        description="three sentences in a row that so many documents hold stay in the first one "
        "only; C4 (Raffel et al. 2020, section 2.2) has 2",
    )
    min_chars: int = Field(default=8, gt=0, description="shorter passages are not counted")


class DedupConfig(Settings):
    """How near-duplicates are searched for, and which of them leave the dataset.

    14 bands of 8 rows find a pair at Jaccard 0.8 with probability 0.92 and at 0.9 always: the
    numbers of FineWeb (Penedo et al. 2024). A pair is removed only on its measured similarity.
    """

    enabled: bool = Field(
        default=True, description="false keeps every document that the rules keep"
    )
    mode: Literal["remove", "mark"] = Field(
        default="remove",
        description="mark: near-duplicates stay in the dataset; each cluster lies on one side of "
        "the split",
    )
    threshold: float = Field(
        default=0.8,
        gt=0,
        le=1,
        description="smallest measured similarity at which a document is a duplicate",
    )
    measure: Literal["jaccard", "containment"] = Field(
        default="jaccard",
        description="jaccard: common shingles of all of both; containment: of the smaller document's",
    )
    num_bands: int = Field(
        default=14, gt=0, description="bands of a signature; documents that share one are compared"
    )
    rows_per_band: int = Field(
        default=8, gt=0, description="MinHash values of a band; all of them must agree"
    )
    bands_for: BandTarget | None = Field(
        default=None, description="choose bands and rows for a threshold instead of giving both"
    )
    shingle_tokens: int = Field(default=5, gt=0, description="words; for Chinese, characters")
    seed: int = Field(
        default=1, ge=0, lt=1 << 32, description="another seed takes other hash functions"
    )
    exact_bytes: bool = Field(
        default=True, description="compare payloads too; reads every payload once"
    )
    full_bucket: int = Field(
        default=64, gt=1, description="members that are compared each with each"
    )
    anchors: int = Field(
        default=8, gt=0, description="first members that larger buckets compare to"
    )
    max_component_edges: int = Field(
        default=1_000_000,
        gt=0,
        description="clusters of more edges are solved in rounds, not in one task",
    )
    max_rounds: int = Field(
        default=200, gt=0, description="rounds of a loop in Spark, after which the stage fails"
    )
    max_source_loss: float | None = Field(
        default=None, gt=0, le=1, description="stop when a source loses a larger share"
    )
    dumps: tuple[tuple[str, ...], ...] | None = Field(
        default=None, description="sources by dump, the earliest dump first; None: one dump"
    )
    earlier: tuple[str, ...] = Field(
        default=(),
        description="outputs of earlier runs with keep_index, in order: their documents stay first; a "
        "pattern such as runs/daily/* means those before runtime.output by name",
    )
    keep_index: bool = Field(
        default=False, description="publish what a later run needs to compare with this one"
    )
    index_buckets: int = Field(default=64, gt=0, le=65_536, description="folders of the index")
    recurring: RecurringConfig | None = None

    @property
    def removes(self) -> bool:
        """Whether documents named in `duplicates` leave the dataset."""
        return self.mode == "remove"

    @model_validator(mode="after")
    def _marks_one_dump(self) -> Self:
        if self.removes:
            return self
        # A dump is compared with what earlier ones kept, so clusters across dumps are not complete.
        needs_removal = {
            "dumps": self.dumps is not None and len(self.dumps) > 1,
            "earlier": bool(self.earlier),
            "recurring": self.recurring is not None,
            "max_source_loss": self.max_source_loss is not None,
        }
        given = [name for name, is_given in needs_removal.items() if is_given]
        if given:
            raise ValueError(f"mode: mark removes nothing, so leave out {', '.join(given)}")
        return self

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        given = {"num_bands", "rows_per_band"} & self.model_fields_set
        if self.bands_for is not None and given:
            raise ValueError(f"give bands_for or {', '.join(sorted(given))}, not both")
        named = [source for dump in self.dumps or () for source in dump]
        twice = sorted({name for name in named if named.count(name) > 1})
        if twice:
            raise ValueError(f"dumps name a source twice: {', '.join(twice)}")
        return self
