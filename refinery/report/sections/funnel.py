"""Where documents and their text went, and what changed since another run."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Literal

from refinery.report import charts
from refinery.report.data import ReportData, SourceFunnel
from refinery.report.html import table

FUNNEL = (
    "unreadable", "fetches", "refetched", "sampled_out", "documents", "rejected", "excluded", "dropped", "duplicate",
    "contaminated", "kept", "marked", "train", "heldout", "not_sampled",
)  # fmt: skip
# Stages behind the columns: what each one takes away, or where it puts what is left.
STAGES = (
    ("ingest", ("unreadable", "fetches", "refetched", "sampled_out", "documents")),
    ("clean", ("rejected", "excluded", "dropped")),
    ("dedup", ("duplicate",)),
    ("decontaminate", ("contaminated",)),
    ("left", ("kept", "marked")),
    ("pack", ("train", "heldout", "not_sampled")),
)
BYTES_CAPTION = "Bytes of text by source, as extracted; what edits took is in kept"
TOKENS_CAPTION = (
    "Tokens by source: counted for train, held out and not sampled, else estimated by the source's "
    "bytes per token"
)
CHANGES = 12
# Columns of settings that few recipes have: shown where they count something.
RARE = ("unreadable", "sampled_out", "marked")


FATES = ("kept", "duplicate", "dropped", "contaminated", "excluded", "rejected")
# Columns of the tables of text: what each fate took, and where the kept text is.
TEXT_FATES = ("documents", "dropped", "duplicate", "contaminated", "kept", "edited", "train", "heldout", "not_sampled")  # fmt: skip


def funnel_section(data: ReportData) -> str:
    """Every document's fate by source, in documents, bytes and tokens, and the sums that must hold."""
    columns = [name for name in FUNNEL if name not in RARE or data.total(name)]

    def line(name: str, funnel: SourceFunnel) -> list[str]:
        return [escape(name), *(f"{getattr(funnel, column):,}" for column in columns)]

    whole = SourceFunnel.model_validate({column: data.total(column) for column in columns})
    rows = [line(name, funnel) for name, funnel in data.sources.items()]
    head = ["source", *map(_words, columns)]
    groups = [("", 1)] + [
        (stage, sum(name in columns for name in names)) for stage, names in STAGES
    ]
    checks = "".join(
        f'<li class="{"ok" if c.holds else "bad"}">{"✓" if c.holds else "✗"} {escape(c.claim)} '
        f"<small>({c.left:,} = {c.right:,})</small></li>"
        for c in data.checks
    )
    return (
        _unfinished(data)
        + _fates_table(data)
        + table(
            "Documents by source", head, [*rows, line("all", whole)], groups=groups, pinned=True
        )
        + f'<ul class="checks" aria-label="Sums that must hold">{checks}</ul>'
        + _text_table(data, "text_bytes", BYTES_CAPTION)
        + _text_table(data, "tokens", TOKENS_CAPTION)
        + _notes(data)
    )


def _unfinished(data: ReportData) -> str:
    if not data.stages_missing:
        return ""
    missing = ", ".join(data.stages_missing)
    return (
        f'<p class="notice" role="note">This run is not finished: {escape(missing)} published nothing '
        "yet. Numbers are of the stages that did.</p>"
    )


def _notes(data: ReportData) -> str:
    """Lists that match nothing: most often a sign of another spelling."""
    if not data.unmatched_lists:
        return ""
    notes = "".join(
        f"<li>{escape(name)}: matches no document</li>" for name in data.unmatched_lists
    )
    return f'<ul class="notes" aria-label="Lists that match nothing">{notes}</ul>'


def _fates_table(data: ReportData) -> str:
    """Shares of each fate in documents, bytes and tokens: short documents weigh little in a corpus."""
    totals = {
        "documents": data.total("documents"),
        "bytes": data.total_of("text_bytes", "documents"),
        "tokens": data.total_of("tokens", "documents"),
    }
    rows = []
    for fate in FATES:
        parts = (
            data.total(fate), data.total_of("text_bytes", fate), data.total_of("tokens", fate)
        )  # fmt: skip
        cells = [
            cell
            for part, whole in zip(parts, totals.values(), strict=True)
            for cell in (charts.number(part), f"{part / max(1, whole):.1%}")
        ]
        rows.append((fate, charts.meter(parts[1], totals["bytes"], f"{fate}, bytes"), *cells))
    head = (
        "fate",
        "of the bytes",
        "documents",
        "share",
        "bytes of text",
        "share",
        "tokens",
        "share",
    )
    return table("What became of documents and of their text", head, rows, words=2, pinned=True)


def _text_table(data: ReportData, measure: Literal["text_bytes", "tokens"], caption: str) -> str:
    columns = [name for name in TEXT_FATES if data.total_of(measure, name)]
    rows = [
        (escape(source), *(charts.number(getattr(funnel, measure).get(c, 0)) for c in columns))
        for source, funnel in data.sources.items()
    ]
    whole = ("all", *(charts.number(data.total_of(measure, column)) for column in columns))
    names = ["all documents" if column == "documents" else _words(column) for column in columns]
    return table(caption, ("source", *names), [*rows, whole], pinned=True)


def _words(column: str) -> str:
    names = {"heldout": "held out", "not_sampled": "not sampled", "edited": "taken by edits"}
    return names.get(column, column.replace("_", " "))


def compare_section(data: ReportData, previous: ReportData) -> str:
    """The funnel beside that of an earlier run."""
    rows = []
    for column in FUNNEL:
        before, now = previous.total(column), data.total(column)
        if not before and not now:
            continue
        change = f"{(now - before) / before:+.1%}" if before and now != before else ""
        rows.append((_words(column), f"{before:,}", f"{now:,}", _difference(now - before), change))
    before, now = (
        one.packing["train"].packed if "train" in one.packing else 0 for one in (previous, data)
    )
    rows.append(("training tokens", f"{before:,}", f"{now:,}", _difference(now - before), ""))
    same = "the same content" if data.root == previous.root else "other content"
    made = f"{escape(previous.name)}, made {escape(previous.created_at)}"
    head = ("what", "before", "now", "difference", "change")
    return (
        f"<p>Before: {made}. Roots: {same}.</p>"
        + table("Counts", head, rows)
        + '<div class="beside">'
        + _changes("Kept documents by source", "source", *map(_kept_by_source, (previous, data)))
        + _changes(
            "First reasons of dropped documents", "reason", previous.drop_reasons, data.drop_reasons
        )
        + _changes("Languages", "language", previous.languages, data.languages)
        + _changes("Seconds by stage", "stage", *map(_seconds_by_stage, (previous, data)), digits=1)
        + "</div>"
    )


def _difference(count: int) -> str:
    return f"{count:+,}" if count else "0"


def _kept_by_source(data: ReportData) -> dict[str, float]:
    return {name: funnel.kept for name, funnel in data.sources.items()}


def _seconds_by_stage(data: ReportData) -> dict[str, float]:
    return {stage.stage: stage.seconds for stage in data.stages}


def _changes(
    caption: str,
    what: str,
    before: Mapping[str, float],
    now: Mapping[str, float],
    *,
    digits: int = 0,
) -> str:
    """What differs most, by name; what is equal in both runs is left out."""
    differences = {
        name: now.get(name, 0) - before.get(name, 0)
        for name in {**before, **now}
        if now.get(name, 0) != before.get(name, 0)
    }
    if not differences:
        return f"<p class=none>{escape(caption)}: no difference.</p>"
    ranked = sorted(differences, key=lambda name: (-abs(differences[name]), name))[:CHANGES]
    rows = [
        (
            escape(name),
            f"{before.get(name, 0):,.{digits}f}",
            f"{now.get(name, 0):,.{digits}f}",
            f"{differences[name]:+,.{digits}f}",
        )
        for name in ranked
    ]
    return table(caption, (what, "before", "now", "difference"), rows)
