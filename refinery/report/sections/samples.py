"""Documents to read, and what could not be read."""

from __future__ import annotations

from html import escape

from refinery.report.data import ReportData
from refinery.report.html import code, sample_card, table


def samples_section(data: ReportData) -> str:
    """Kept and dropped documents, with the text that a reason is about marked."""
    kept = "".join(map(sample_card, data.kept_samples))
    dropped = "".join(map(sample_card, data.dropped_samples))
    return (
        f'<details open><summary>Kept: {len(data.kept_samples)} documents, of each source</summary><div class="samples">{kept}</div></details>'
        f'<details><summary>Dropped: {len(data.dropped_samples)} documents, by reason</summary><div class="samples">{dropped}</div></details>'
    )


def rejects_section(data: ReportData) -> str:
    """Rejects with their reasons, and records that are no documents."""
    reasons = [
        (code(row.reason), escape(row.source), escape(row.stage), f"{row.rejects:,}")
        for row in data.rejects
    ]
    samples = [
        (f"<bdi>{escape(location)}</bdi>", code(reason), escape(message))
        for location, reason, message in data.reject_samples
    ]
    kinds = [(escape(name), f"{count:,}") for name, count in data.records.items()]
    return (
        '<div class="beside">'
        + table(
            "Rejects: records that ingest could not read, and documents that clean could not parse",
            ("reason", "source", "stage", "rejects"),
            reasons,
            words=3,
        )
        + table("Records that are no documents", ("type", "records"), kinds)
        + "</div>"
        + table("Examples", ("file or address", "reason", "message"), samples, words=3)
    )
