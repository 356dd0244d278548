"""report.json as one offline page: no script, no request, everything from documents escaped."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from importlib.resources import files

from refinery.report import charts
from refinery.report.data import ReportData
from refinery.report.sections.contamination import contamination_section
from refinery.report.sections.dataset import mixture_section, packing_section, stages_section
from refinery.report.sections.duplicates import dedup_section
from refinery.report.sections.funnel import compare_section, funnel_section, reasons_section
from refinery.report.sections.homographs import homographs_section
from refinery.report.sections.samples import rejects_section, samples_section
from refinery.report.sections.shapes import shapes_section
from refinery.report.sections.vocabulary import vocabulary_section

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def render_page(data: ReportData, previous: ReportData | None = None) -> str:
    """The whole page; with the report of an earlier run also what changed since then."""
    sections: list[tuple[str, str, Callable[[], str]]] = [
        ("funnel", "Where documents went", lambda: funnel_section(data)),
        ("reasons", "Why documents were dropped", lambda: reasons_section(data)),
        ("samples", "Kept and dropped, to read", lambda: samples_section(data)),
        ("shapes", "Lengths, languages, scores", lambda: shapes_section(data)),
        ("dedup", "Duplicates", lambda: dedup_section(data)),
        ("contamination", "Benchmark items", lambda: contamination_section(data)),
        ("vocabulary", "Vocabulary", lambda: vocabulary_section(data.vocabulary)),
        *(
            [("homographs", "Homographs", lambda: homographs_section(data.homographs))]
            if data.homographs
            else []
        ),
        ("mixture", "Mixture", lambda: mixture_section(data)),
        ("packing", "Rows and shards", lambda: packing_section(data)),
        ("rejects", "What could not be read", lambda: rejects_section(data)),
        ("stages", "Stages and time", lambda: stages_section(data)),
    ]
    if previous is not None:
        sections.insert(
            1, ("previous", "Against the previous run", lambda: compare_section(data, previous))
        )
    links = "".join(f'<li><a href="#{key}">{escape(title)}</a></li>' for key, title, _ in sections)
    body = "".join(
        f'<section id="{key}" aria-labelledby="{key}-title"><h2 id="{key}-title">{escape(title)}</h2>'
        f"{make()}</section>"
        for key, title, make in sections
    )
    style = files("refinery.report").joinpath("page.css").read_text("utf-8")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escape(data.name)}: refinery report</title><style>{style}</style></head><body>"
        '<a class="skip" href="#main">Skip to the report</a>'
        f"<header><h1>{escape(data.name)}</h1>{_headline(data)}"
        f'<nav aria-label="Sections"><ul>{links}</ul></nav></header>'
        f'<main id="main">{body}</main><footer><p>Content root <code>{data.root}</code>, made '
        f"{escape(data.created_at)}. The same numbers for machines: <code>report.json</code>.</p>"
        "</footer></body></html>\n"
    )


def _headline(data: ReportData) -> str:
    train = data.packing["train"]
    facts = (
        (charts.number(data.total("documents")), "documents"),
        (f"{data.total('kept') / max(1, data.total('documents')):.0%}", "kept"),
        (charts.number(train.packed), "training tokens"),
        (charts.number(train.rows), f"rows of {data.seq_len:,} tokens"),
        (charts.number(data.vocab_size), "ids in the vocabulary"),
    )
    items = "".join(f"<div><dt>{escape(name)}</dt><dd>{value}</dd></div>" for value, name in facts)
    return f'<dl class="facts">{items}</dl>'
