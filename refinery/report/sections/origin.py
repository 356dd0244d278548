"""Where documents come from, and how the run was made."""

from __future__ import annotations

from html import escape

from pages.tables import facts
from refinery.report import charts
from refinery.report.data import ReportData
from refinery.report.html import code, excerpt, table


def domains_section(data: ReportData) -> str:
    """The hosts with most documents, what is kept of them, and what drops the rest."""
    rows = [
        (
            f"<bdi>{escape(row.host)}</bdi>",
            code(row.commonest_reason) if row.commonest_reason else "",
            f"{row.documents:,}",
            f"{row.kept:,}",
            f"{row.kept / max(1, row.documents):.0%}",
            charts.number(row.text_bytes),
            charts.number(row.kept_bytes),
        )
        for row in data.domains
    ]
    if not rows:
        return "<p class=none>No document has an address.</p>"
    head = ("host", "commonest reason", "documents", "kept", "share", "bytes of text", "bytes kept")
    return table(f"The {len(rows)} hosts with most documents", head, rows, words=2, pinned=True)


def run_section(data: ReportData) -> str:
    """Command, versions, input and recipe."""
    run = data.run
    if run is None:
        return "<p class=none>A run of an earlier version: it wrote down neither command nor recipe.</p>"
    size = sum(funnel.input_bytes for funnel in data.sources.values())
    values = {"code version": run.code_version, "started": run.started_at}
    if size:
        values["bytes of input"] = charts.number(size)
    seconds = sum(stage.seconds for stage in data.stages)
    values["seconds in stages"] = f"{seconds:,.0f}"
    inputs = [
        (escape(name), charts.number(funnel.input_bytes))
        for name, funnel in data.sources.items()
        if funnel.input_bytes
    ]
    versions = [(escape(name), escape(number)) for name, number in run.packages.items()]
    return (
        facts(values)
        + f"<h3>Command</h3><p><code>{escape(' '.join(run.command))}</code></p>"
        + f"<details><summary>Recipe, without defaults and secrets</summary>{excerpt(escape(run.recipe), run.recipe)}</details>"
        + '<details><summary>Versions</summary><div class="beside">'
        + table("Packages", ("package", "version"), versions, words=2)
        + (table("Input by source", ("source", "bytes"), inputs) if inputs else "")
        + "</div></details>"
    )
