"""One file cleaned as the job would, with everything that cleaning says about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

from refinery.clean.cleaner import Cleaner
from refinery.clean.pages import CleanDocument, Payload, Rejected
from refinery.publish import storage
from refinery.sources.config import Format, SourceConfig
from refinery.sources.formats import format_of
from refinery.sources.record import Broken, document_id, short_message, to_valid_text
from refinery.text.edits import apply_edits

HTML_ENDINGS = (".html", ".htm", ".xhtml", ".shtml")
HOLDS_MANY: tuple[Format, ...] = ("warc", "jsonl", "parquet", "csv")
UNREADABLE = "file:unreadable"


class MadeEdit(TypedDict):
    """An edit of the text, in code points before all edits."""

    start: int
    end: int
    replacement: str
    reason: str


class Verdict(TypedDict):
    """What cleaning says about one file; `message` is for rejected ones."""

    title: str | None
    extracted_text: str | None
    text: str | None
    lang: str | None
    lang_score: float | None
    scores: dict[str, float]
    domain: str | None
    values: dict[str, float]
    counters: dict[str, int]
    edits: list[MadeEdit]
    reasons: list[str]
    drop_reason: str | None
    rejected: bool
    message: str | None


class ExplainedRow(Verdict):
    """One line of the answer."""

    path: str
    doc_id: str | None


@dataclass(frozen=True)
class Explained:
    """The JSON row of a file, and the document behind it where there is one.

    `mime` and `charset` are those that the payload was declared to have.
    """

    row: ExplainedRow
    payload: bytes
    document: CleanDocument | None
    mime: str = "text/plain"
    charset: str | None = None


def holds_many(name: str) -> bool:
    """Whether a file of this name is read as one with several documents."""
    return format_of(name).format in HOLDS_MANY


def explain_file(
    cleaner: Cleaner,
    uri: str,
    *,
    url: str | None = None,
    charset: str | None = None,
    record: int | None = None,
    source: SourceConfig | None = None,
) -> Explained:
    """Clean one file, or one document of a file that holds several, as the job would.

    `source` says how a recipe reads such a file; without it, the fields of rows are guessed.

    Raises:
        SettingsError: The file holds no such document.
    """
    if holds_many(uri):
        # The readers import Spark's modules, which a page or a text needs not.
        from jobs.command.explain_record import Wanted, find_record

        found = find_record(uri, Wanted(record=record, url=url), source)
        if isinstance(found, Broken):
            verdict = _rejected(found.reason, found.message)
            return Explained({"path": uri, "doc_id": None, **verdict}, b"", None)
        payload = Payload(
            found.payload, found.mime, charset or found.charset, found.url,
            document_id(found.url, found.payload),
        )  # fmt: skip
    else:
        try:
            data = storage.read_bytes(uri)
        except OSError as error:
            verdict = _rejected(UNREADABLE, short_message(error))
            return Explained({"path": uri, "doc_id": None, **verdict}, b"", None)
        is_page = uri.lower().endswith(HTML_ENDINGS)
        mime = "text/html" if is_page else "text/plain"
        payload = Payload(data, mime, charset, url, document_id(url, data))
    result = next(iter(cleaner.clean([payload])))
    row: ExplainedRow
    if isinstance(result, Rejected):
        verdict = _rejected(result.reason, result.message)
        row = {"path": uri, "doc_id": payload.doc_id, **verdict}
        return Explained(row, payload.data, None, payload.mime, payload.charset)
    row = {"path": uri, "doc_id": payload.doc_id, **_cleaned(result)}
    return Explained(row, payload.data, result, payload.mime, payload.charset)


def _rejected(reason: str, message: str) -> Verdict:
    return {
        "title": None, "extracted_text": None, "text": None, "lang": None, "lang_score": None,
        "scores": {}, "domain": None, "values": {}, "counters": {}, "edits": [],
        "reasons": [reason], "drop_reason": reason, "rejected": True,
        "message": to_valid_text(message),
    }  # fmt: skip


def _cleaned(document: CleanDocument) -> Verdict:
    page = document.page
    return {
        "title": page.title,
        "extracted_text": page.extracted_text,
        "text": apply_edits(page.text, [marked.edit for marked in document.edits]),
        "lang": document.lang,
        "lang_score": round(document.lang_score, 6),
        "scores": document.scores,
        "domain": document.domain,
        "values": {name: round(value, 6) for name, value in document.values.items()},
        "counters": page.counters,
        "edits": [
            {
                "start": marked.edit.start,
                "end": marked.edit.end,
                "replacement": marked.edit.replacement,
                "reason": marked.reason,
            }
            for marked in document.edits
        ],
        "reasons": document.reasons,
        "drop_reason": document.drop_reason,
        "rejected": False,
        "message": None,
    }
