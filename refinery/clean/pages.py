"""One document on its way through cleaning: payload, page, verdict."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from refinery.language.mixture import SecondLanguage, Variety
from refinery.text.marked_edit import MarkedEdit


@dataclass(frozen=True)
class Payload:
    """What the guarded child gets: one document as the archive holds it."""

    data: bytes
    mime: str
    charset: str | None
    url: str | None = None
    doc_id: str | None = None


@dataclass(frozen=True)
class NormalizedPage:
    """What the guarded child gives back.

    Attributes:
        extracted_text: The text before normalisation.
        text: After it; edits count its code points.
        counters: How often steps of extraction and normalisation changed something, by name.
        edits: Line rules first, then masks.
        page_lang, published: As the page declares them.
        is_kept: Whether an earlier run kept this text: it is measured, and not judged or edited again.
    """

    extracted_text: str
    text: str
    title: str | None
    counters: dict[str, int]
    url: str | None = None
    edits: tuple[MarkedEdit, ...] = ()
    page_lang: str | None = None
    published: date | None = None
    doc_id: str | None = None
    is_kept: bool = False


@dataclass(frozen=True)
class Rejected:
    """A document of which no text was got, and why."""

    reason: str
    message: str


@dataclass(frozen=True)
class CleanDocument:
    """All that the table `cleaned` says about one document."""

    page: NormalizedPage
    lang: str
    lang_score: float
    second_lang: SecondLanguage | None
    chinese: Variety | None
    num_words: int
    values: dict[str, float]
    scores: dict[str, float]
    reasons: list[str]
    domain: str | None = None

    @property
    def edits(self) -> tuple[MarkedEdit, ...]:
        return self.page.edits

    @property
    def drop_reason(self) -> str | None:
        return self.reasons[0] if self.reasons else None
