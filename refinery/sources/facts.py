"""Facts of the stage `ingest`: what each source of the recipe held."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from refinery.publish.facts import Facts, StageFacts

# A pipe or a link to nothing: it holds no document that could be lost.
NO_FILE = "file:no_file"


class SourceFacts(Facts):
    """One source, also one that gave nothing."""

    files: int = 0
    bytes: int = Field(default=0, description="bytes read of its files, as they lie there")
    passed_over: int = Field(default=0, description="hidden files and side files of Spark's tables")
    fetches: int = Field(default=0, description="documents, repeats included")
    rejects: dict[str, int] = Field(
        default_factory=dict,
        description="records, rows and files that no reader could take, by reason",
    )
    records: dict[str, int] = Field(
        default_factory=dict, description="records that are no document, by type"
    )

    @property
    def num_rejects(self) -> int:
        return sum(self.rejects.values())

    @property
    def reject_fraction(self) -> float:
        """Rejects among rejects and documents, without what is no file; 0 where there is neither."""
        num_rejects = self.num_rejects - self.rejects.get(NO_FILE, 0)
        return num_rejects / max(1, num_rejects + self.fetches)


class IngestFacts(StageFacts):
    """All sources by name, in the order of the recipe."""

    stage: ClassVar[str] = "ingest"

    sources: dict[str, SourceFacts] = Field(default_factory=dict)
