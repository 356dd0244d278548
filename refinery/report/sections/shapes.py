"""Distributions of lengths, languages and scores, with the thresholds on them."""

from __future__ import annotations

from html import escape

from refinery.report import charts
from refinery.report.data import ReportData
from refinery.report.html import bars, table


def shapes_section(data: ReportData) -> str:
    """Histograms, languages, classifiers and what normalisation changed."""
    figures = "".join(
        charts.histogram(shape, name.capitalize())
        for name, shape in data.histograms.items()
        if sum(shape.counts)
    )
    rules = "".join(charts.histogram(shape, name) for name, shape in data.rule_histograms.items())
    cards = table(
        "Classifiers on documents held out from their training; precision and recall at 0.5",
        ("score", "AUC", "precision", "recall", "trained on", "tested on"),
        [
            (escape(head), *("" if value is None else f"{value:,}" for value in card.values()))
            for head, card in data.cards.items()
        ],
    )
    if not data.cards:
        cards = "<p class=none>This recipe trains no classifier.</p>"
    changed = table(
        "What normalisation changed",
        ("step", "changes"),
        [(escape(name), f"{count:,}") for name, count in data.counters.items()],
    )
    languages = bars("Languages", data.languages, sum(data.languages.values()))
    return (
        f'<div class="figures">{figures}</div>{cards}<div class="beside">{languages}{changed}</div>'
        + (
            "<h3>Length in words, and the rules that failed most documents</h3>"
            "<p>All documents of the languages that share the bounds; dashed lines are the bounds."
            f'{_variant(data.gopher)}</p><div class="figures">{rules}</div>'
            if rules
            else ""
        )
    )


def _variant(program: str | None) -> str:
    return f" Gopher's rules are those of {escape(program)}." if program else ""
