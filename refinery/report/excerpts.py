"""Excerpts of documents for people: their beginning, or what a reason or a match is about."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from refinery.filters.locate import offending_span
from refinery.report.data import Sample
from refinery.report.tables import Tables

EXCERPT_CHARS = 600
CONTEXT_CHARS, CONTEXT_LINES = 200, 4
URL_CHARS = 300


@dataclass(frozen=True)
class DocumentText:
    """A row of `cleaned`, as far as samples show it."""

    doc_id: str
    source: str
    url: str | None
    title: str | None
    text: str


def read_texts(tables: Tables, doc_ids: Iterable[str]) -> dict[str, DocumentText]:
    """Texts of some documents by id; stops when all of them were met."""
    missing = set(doc_ids)
    texts: dict[str, DocumentText] = {}
    columns = ("doc_id", "source", "url", "title", "text")
    for batch in tables.batches("clean", "cleaned", columns):
        if not missing:
            break
        wanted = pc.is_in(batch.column("doc_id"), value_set=pa.array(sorted(missing), pa.string()))
        for row in batch.filter(wanted).to_pylist():
            texts[row["doc_id"]] = DocumentText(**row)
            missing.discard(row["doc_id"])
    return texts


def excerpt(document: DocumentText, reason: str | None) -> Sample:
    """The beginning of a document, under the reason that dropped it, if any."""
    return sample_of(document, reason, before=document.text[:EXCERPT_CHARS])


def offence(document: DocumentText, reason: str) -> Sample:
    """What the reason is about, marked in the text around it; else the document's beginning."""
    span = offending_span(document.text, reason)
    return excerpt(document, reason) if span is None else around(document, reason, *span)


def around(document: DocumentText, label: str, start: int, end: int) -> Sample:
    """A span of code points, marked in the text around it."""
    text = document.text
    return sample_of(
        document,
        label,
        # Many short lines would push the marked span out of sight.
        before="\n".join(text[max(0, start - CONTEXT_CHARS) : start].split("\n")[-CONTEXT_LINES:]),
        marked=text[start:end][:EXCERPT_CHARS],
        after=text[end : end + CONTEXT_CHARS],
    )


def sample_of(
    document: DocumentText, reason: str | None, *, before: str, marked: str = "", after: str = ""
) -> Sample:
    """A sample of three consecutive pieces of a document's text."""
    return Sample(
        doc_id=document.doc_id,
        source=document.source,
        url=document.url[:URL_CHARS] if document.url else None,
        title=document.title,
        reason=reason,
        before=before,
        marked=marked,
        after=after,
    )
