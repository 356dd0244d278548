"""Where documents went, why some were dropped, and what changed since another run."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from refinery.report import charts
from refinery.report.data import ReportData, SourceFunnel
from refinery.report.html import bars, table

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
CHANGES = 12
# Columns of settings that few recipes have: shown where they count something.
RARE = ("sampled_out", "marked")


def funnel_section(data: ReportData) -> str:
    """Every document's fate by source, and the sums that must hold."""
    columns = [name for name in FUNNEL if name not in RARE or data.total(name)]

    def line(name: str, funnel: SourceFunnel) -> list[str]:
        return [escape(name), *(f"{getattr(funnel, column):,}" for column in columns)]

    whole = SourceFunnel(**{column: data.total(column) for column in columns})
    documents = data.total("documents")
    fates = ("kept", "duplicate", "dropped", "contaminated", "excluded", "rejected")
    meters = "".join(
        f'<div class="fate"><span>{fate}</span>'
        f"{charts.meter(data.total(fate), documents, fate)}<b>{data.total(fate):,}</b>"
        f"<small>{data.total(fate) / max(1, documents):.1%}</small></div>"
        for fate in fates
    )
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
        f'<div class="fates">{meters}</div>'
        + table(
            "Documents by source", head, [*rows, line("all", whole)], groups=groups, pinned=True
        )
        + f'<ul class="checks" aria-label="Sums that must hold">{checks}</ul>'
    )


def _words(column: str) -> str:
    return column.replace("_", " ").replace("heldout", "held out")


def reasons_section(data: ReportData) -> str:
    """Drop reasons: the first, and all."""
    whole = sum(data.drop_reasons.values())
    return (
        "<p>The first failed rule is the reason; all failed rules are kept in the ledger, so a "
        "threshold can be questioned without reading text again. Shares are of the "
        f"{whole:,} documents that any rule dropped.</p>"
        + bars("First reason", data.drop_reasons, whole)
        + "<details><summary>All reasons, each document in as many as it failed</summary>"
        + bars("All reasons", data.all_reasons, whole)
        + "</details>"
    )


def compare_section(data: ReportData, previous: ReportData) -> str:
    """The funnel beside that of an earlier run."""
    rows = []
    for column in FUNNEL:
        before, now = previous.total(column), data.total(column)
        if not before and not now:
            continue
        change = f"{(now - before) / before:+.1%}" if before and now != before else ""
        rows.append((_words(column), f"{before:,}", f"{now:,}", _difference(now - before), change))
    packed = previous.packing["train"].packed, data.packing["train"].packed
    rows.append(
        (
            "training tokens",
            f"{packed[0]:,}",
            f"{packed[1]:,}",
            _difference(packed[1] - packed[0]),
            "",
        )
    )
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
