"""report.json as one offline page: no request, everything from documents escaped."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

from pages.frame import Page, PageSection
from pages.tables import facts
from refinery.report import charts
from refinery.report.data import ReportData
from refinery.report.sections.contamination import contamination_section
from refinery.report.sections.dataset import mixture_section, packing_section, stages_section
from refinery.report.sections.duplicates import dedup_section
from refinery.report.sections.edits import edits_section
from refinery.report.sections.funnel import compare_section, funnel_section
from refinery.report.sections.homographs import homographs_section
from refinery.report.sections.origin import domains_section, run_section
from refinery.report.sections.reasons import reasons_section
from refinery.report.sections.samples import rejects_section, samples_section
from refinery.report.sections.shapes import shapes_section
from refinery.report.sections.vocabulary import vocabulary_section
from refinery.report.sections.yields import yields_section


def render_page(data: ReportData, previous: ReportData | None = None) -> str:
    """The whole page; with the report of an earlier run also what changed since then."""
    sections: list[tuple[str, str, Callable[[], str]]] = [
        ("funnel", "Where documents went", lambda: funnel_section(data)),
        ("yields", "Yield against quality", lambda: yields_section(data)),
        ("reasons", "Why documents were dropped", lambda: reasons_section(data)),
        ("domains", "Hosts", lambda: domains_section(data)),
        ("samples", "Kept and dropped, to read", lambda: samples_section(data)),
        ("edits", "What edits took away", lambda: edits_section(data)),
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
        ("run", "How this run was made", lambda: run_section(data)),
    ]
    if previous is not None:
        sections.insert(
            1, ("previous", "Against the previous run", lambda: compare_section(data, previous))
        )
    root = f"Content root <code>{escape(data.root)}</code>" if data.root else "No dataset yet"
    return Page(
        title=data.name,
        kind="refinery report",
        head=_headline(data),
        sections=[PageSection(key=key, title=title, body=make()) for key, title, make in sections],
        footer=(
            f"<p>{root}, made {escape(data.created_at)}. The same numbers for machines: "
            "<code>report.json</code>; any other question: <code>refinery query</code>.</p>"
        ),
    ).render()


def _headline(data: ReportData) -> str:
    values = {
        "documents": charts.number(data.total("documents")),
        "kept": f"{data.total('kept') / max(1, data.total('documents')):.0%}",
    }
    size = data.total_of("text_bytes", "documents")
    if size:
        values["of the text"] = f"{data.total_of('text_bytes', 'kept') / size:.0%}"
    if "train" in data.packing:
        train = data.packing["train"]
        values |= {
            "training tokens": charts.number(train.packed),
            f"rows of {data.seq_len:,} tokens": charts.number(train.rows),
            "ids in the vocabulary": charts.number(data.vocab_size),
        }
    return facts(values)
