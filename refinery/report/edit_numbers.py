"""What edits took from the texts, by kind and source, with examples to read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from refinery.report.data import EditCount, EditExample
from refinery.report.excerpts import URL_CHARS, DocumentText
from refinery.report.tables import Tables

EXAMPLES = 5  # of each kind, each of another document
CONTEXT_CHARS, REMOVED_CHARS = 60, 300

# The first edit of each kind in a document; of those, the documents with the smallest ids.
_EXAMPLES = """
SELECT reason, unnest(arg_min(edit, doc_id, $examples::BIGINT)) AS edit
FROM (SELECT reason, doc_id, arg_min({'doc_id': doc_id, 'start': start, 'end': "end",
                                      'replacement': replacement}, start) AS edit
      FROM edits GROUP BY reason, doc_id)
GROUP BY reason ORDER BY reason
"""


@dataclass(frozen=True)
class SampledEdit:
    """A row of `edits`; offsets are code points of `cleaned.text`."""

    reason: str
    doc_id: str
    start: int
    end: int
    replacement: str


def edit_counts(tables: Tables) -> tuple[EditCount, ...]:
    """Edits by kind and source, the commonest first."""
    rows = tables.ask_ready("edits-by-kind")
    return tuple(EditCount(**{**row, "source": row["source"] or ""}) for row in rows)


def sampled_edits(tables: Tables) -> list[SampledEdit]:
    """Some edits of each kind."""
    rows = tables.ask(_EXAMPLES, examples=EXAMPLES)
    return [SampledEdit(reason=row["reason"], **row["edit"]) for row in rows]


def edit_examples(
    edits: Sequence[SampledEdit], texts: Mapping[str, DocumentText]
) -> tuple[EditExample, ...]:
    """The edits in the text around them, on one line each."""
    found = []
    for edit in edits:
        document = texts.get(edit.doc_id)
        if document is None:
            continue
        text = document.text
        found.append(
            EditExample(
                reason=edit.reason,
                url=document.url[:URL_CHARS] if document.url else None,
                doc_id=edit.doc_id,
                before=text[max(0, edit.start - CONTEXT_CHARS) : edit.start],
                removed=text[edit.start : edit.end][:REMOVED_CHARS],
                replacement=(edit.replacement or "")[:REMOVED_CHARS],
                after=text[edit.end : edit.end + CONTEXT_CHARS],
            )
        )
    return tuple(found)
