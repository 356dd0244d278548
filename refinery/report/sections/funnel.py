"""Where documents went, why some were dropped, and what changed since another run."""

from __future__ import annotations

from html import escape

from refinery.report import charts
from refinery.report.data import ReportData, SourceFunnel
from refinery.report.html import bars, table

FUNNEL = (
    "fetches", "refetched", "sampled_out", "documents", "rejected", "excluded", "dropped", "duplicate",
    "contaminated", "kept", "marked", "train", "heldout", "not_sampled",
)  # fmt: skip
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
        f"{charts.meter(data.total(fate), documents, fate)}<b>{data.total(fate):,}</b></div>"
        for fate in fates
    )
    rows = [line(name, funnel) for name, funnel in data.sources.items()]
    head = [
        "source",
        *(column.replace("_", " ").replace("heldout", "held out") for column in columns),
    ]
    checks = "".join(
        f'<li class="{"ok" if c.holds else "bad"}">{"✓" if c.holds else "✗"} {escape(c.claim)} '
        f"<small>({c.left:,} = {c.right:,})</small></li>"
        for c in data.checks
    )
    return (
        f'<div class="fates">{meters}</div>'
        + table("Documents by source", head, [*rows, line("all", whole)])
        + f'<ul class="checks" aria-label="Sums that must hold">{checks}</ul>'
    )


def reasons_section(data: ReportData) -> str:
    """Drop reasons: the first, and all."""
    most = max(data.drop_reasons.values(), default=1)
    return (
        "<p>The first failed rule is the reason; all failed rules are kept in the ledger, so a "
        "threshold can be questioned without reading text again.</p>"
        + bars("First reason", data.drop_reasons, most)
        + "<details><summary>All reasons, each document in as many as it failed</summary>"
        + bars("All reasons", data.all_reasons, max(data.all_reasons.values(), default=1))
        + "</details>"
    )


def compare_section(data: ReportData, previous: ReportData) -> str:
    """The funnel beside that of an earlier run."""
    rows = []
    for column in FUNNEL:
        before, now = previous.total(column), data.total(column)
        change = f"{(now - before) / before:+.1%}" if before else ""
        rows.append(
            (column.replace("_", " "), f"{before:,}", f"{now:,}", f"{now - before:+,}", change)
        )
    packed = previous.packing["train"].packed, data.packing["train"].packed
    rows.append(
        ("training tokens", f"{packed[0]:,}", f"{packed[1]:,}", f"{packed[1] - packed[0]:+,}", "")
    )
    same = "the same content" if data.root == previous.root else "other content"
    return f"<p>Roots: {same}.</p>" + table(
        "Counts", ("what", "before", "now", "difference", "change"), rows
    )
