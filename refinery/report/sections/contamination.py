"""Benchmark items: what the corpus holds of them, and how well the search finds."""

from __future__ import annotations

from html import escape

from refinery.report.data import ContaminationNumbers, ReportData
from refinery.report.html import sample_card, table

GROUPS = {
    "en": "English",
    "zh": "Chinese",
    "en_short": "English, under 13 words",
    "zh_short": "Chinese, under 13 characters",
}


def contamination_section(data: ReportData) -> str:
    """Coverage, hits, the search measured on itself, and what it leaves out."""
    numbers = data.contamination
    if numbers is None:
        return "<p class=none>This recipe names no benchmark.</p>"
    coverage = [
        (
            escape(row.benchmark),
            f"{row.items:,}",
            f"{row.ngram_tokens}",
            f"{row.whole_line:,}",
            f"{row.uncovered:,} ({row.uncovered / row.items:.1%})",
            f"{numbers.items_by_benchmark.get(row.benchmark, 0):,}",
            f"{numbers.documents_by_benchmark.get(row.benchmark, 0):,}",
        )
        for row in numbers.coverage
    ]
    honest = (
        f"{numbers.false_positives} false positives in {numbers.clean_documents:,} documents that hold "
        "an item's words in another order"
    )
    bound = numbers.false_positives_per_million_below
    if bound is not None:
        honest += f" (95 % bound: fewer than {bound:,.0f} per million)"
    return (
        table(
            "Benchmarks, and what the corpus holds of them",
            (
                "benchmark",
                "items",
                "words searched for",
                "searched as a line",
                "not searched",
                "items found",
                "documents with one",
            ),
            coverage,
        )
        + f"<p>{numbers.items:,} items; {numbers.uncovered_items:,} are too short to be searched. {honest}.</p>"
        + _recall_table(numbers)
        + templates_table(numbers)
        + frequent_table(numbers)
        + f'<div class="samples">{"".join(map(sample_card, numbers.samples))}</div>'
    )


def _recall_table(numbers: ContaminationNumbers) -> str:
    groups = [name for name in GROUPS if name in numbers.recall_by_group]
    by_group = numbers.recall_by_group if groups else {"en": numbers.recall}
    rows = [
        (
            escape(mutation.replace("_", " ")),
            *(_found_share(*by_group[group][mutation]) for group in groups or ["en"]),
        )
        for mutation in numbers.recall
    ]
    heads = [GROUPS[name] for name in groups] or ["found"]
    return table("The search measured on itself: planted items", ("change", *heads), rows)


def _found_share(found: int, planted: int) -> str:
    return f"{found:,} of {planted:,} ({found / planted:.3f})" if planted else ""


def templates_table(numbers: ContaminationNumbers) -> str:
    """n-grams of so many items that they name none: the wording that a benchmark asks with."""
    if not numbers.templates:
        return ""
    most = "many" if numbers.max_ngram_items is None else f"more than {numbers.max_ngram_items:,}"
    rows = [(f"<bdi>{escape(row.ngram)}</bdi>", f"{row.documents:,}") for row in numbers.templates]
    return table(
        f"{numbers.template_ngrams:,} n-grams are in {most} items: a template, no sign of a leak",
        ("template n-gram", "items"),
        rows[:10],
    )


def frequent_table(numbers: ContaminationNumbers) -> str:
    """n-grams that the search ignores, and items that would be lost if it ignored theirs."""
    if not numbers.ignored and not numbers.last:
        return ""
    shown = [(escape(row.ngram), f"{row.documents:,}") for row in numbers.ignored[:10]]
    kept = [
        (escape(row.item or ""), escape(row.ngram), f"{row.documents:,}")
        for row in numbers.last[:10]
    ]
    ignored = table(
        f"{numbers.ignored_ngrams:,} n-grams are in so many documents of one source that they are no "
        "sign of a leak",
        ("ignored n-gram", "documents"),
        shown,
    )
    heads = ("item", "its rarest n-gram, which still counts", "documents")
    return ignored + (table("Items all of whose n-grams are frequent", heads, kept) if kept else "")
