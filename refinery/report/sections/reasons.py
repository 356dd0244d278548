"""Why documents were dropped: by rule, source and language, each rule explained where it stands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from html import escape

from refinery.report import charts
from refinery.report.data import ReasonCount, ReportData, RuleBound
from refinery.report.html import bars, code, table

SHOWN_GROUPS = 12
# Reasons that are no bound on a value, by their name or its beginning.
MEANINGS = {
    "language:unwanted": "the text's language is none of `clean.language.languages`",
    "language:unsure": "the language is recognised with less confidence than `clean.language.min_score`",
    "excluded": "taken down: its id, address or domain is listed in `recipe.exclude`",
    "quality:score": "the classifier's score is below `clean.quality.min_score`",
    "head:": "a classifier's score is outside of the bounds in `clean.heads`",
    "pareto:": "left out by a draw that favours high scores (`pareto`)",
    "top:": "not among the best share of its group by score (`top`)",
    "lines:": "line rules cut more of it than `clean.rules.max_removed_words`",
    "words:": "holds words of a list in `clean.rules.word_lists`",
    "url:": "its address is blocked by `clean.rules.urls`",
    "python:": "a value of the recipe's own function is out of its bounds",
    "guard:": "reading the page took more time or memory than the guard allows",
    "page:": "the parser found no text in it, or gave it up",
}


def reasons_section(data: ReportData) -> str:
    """First reasons with what they cost, by source and by language; and all reasons."""
    whole = sum(data.drop_reasons.values())
    return (
        "<p>The first failed rule is the reason; all failed rules are kept in the ledger, so a "
        "threshold can be questioned without reading text again (<code>refinery whatif</code>). Open a "
        f"rule to see what it measures. Shares are of the {whole:,} documents that any rule dropped.</p>"
        + _first_reasons(data, whole)
        + '<div class="beside">'
        + _matrix(data.reasons_by_source, "First reason by source, in documents", data)
        + _matrix(data.reasons_by_language, "First reason by language, in documents", data)
        + "</div>"
        + "<details><summary>All reasons, each document in as many as it failed</summary>"
        + bars("All reasons", data.all_reasons, whole)
        + "</details>"
    )


def _first_reasons(data: ReportData, whole: int) -> str:
    size: Counter[str] = Counter()
    for row in data.reasons_by_source:
        size[row.reason] += row.text_bytes
    rows = [
        (
            explained(name, data.rules),
            charts.meter(count, whole, f"{name}, {count:,}"),
            f"{count:,}",
            f"{count / max(1, whole):.1%}",
            charts.number(size[name]),
        )
        for name, count in data.drop_reasons.items()
    ]
    head = ("name", "", "documents", "share", "bytes of text")
    return table("First reason", head, rows, words=2)


def explained(reason: str, rules: Sequence[RuleBound]) -> str:
    """A reason's name that opens to what it means: value, bounds by language, and their source."""
    bounds = [rule for rule in rules if rule.rule == reason]
    if bounds:
        first = bounds[0]
        lines = "".join(
            f"<li>{escape(_languages(rule.group))}: {escape(_bound(rule))}"
            f" <small>{escape(rule.source)}; {rule.failed:,} failed</small></li>"
            for rule in bounds
        )
        inside = f"<p>{escape(first.meaning or first.value)} (<code>{escape(first.value)}</code>)</p><ul>{lines}</ul>"
    else:
        meaning = MEANINGS.get(reason) or next(
            (text for prefix, text in MEANINGS.items() if reason.startswith(prefix)), None
        )
        if meaning is None:
            return code(reason)
        pieces = meaning.split("`")
        inside = "<p>" + "".join(
            f"<code>{escape(piece)}</code>" if index % 2 else escape(piece)
            for index, piece in enumerate(pieces)
        )  # fmt: skip
        inside += "</p>"
    return f'<details class="rule"><summary>{code(reason)}</summary>{inside}</details>'


def _languages(group: str) -> str:
    return "other languages" if group == "default" else group


def _bound(rule: RuleBound) -> str:
    if rule.minimum is not None and rule.maximum is not None:
        return f"from {rule.minimum:g} to {rule.maximum:g}"
    return f"at least {rule.minimum:g}" if rule.minimum is not None else f"at most {rule.maximum:g}"


def _matrix(rows: Sequence[ReasonCount], caption: str, data: ReportData) -> str:
    """Reasons by group, the largest groups only; an empty cell is a zero."""
    if not rows:
        return ""
    by_group: Counter[str] = Counter()
    cells: Counter[tuple[str, str]] = Counter()
    for row in rows:
        by_group[row.group] += row.documents
        cells[row.reason, row.group] += row.documents
    groups = sorted(by_group, key=lambda group: (-by_group[group], group))[:SHOWN_GROUPS]
    others = len(by_group) - len(groups)
    reasons = [reason for reason in data.drop_reasons if any(cells[reason, g] for g in groups)]
    lines = [
        (
            code(reason),
            *(f"{cells[reason, group]:,}" if cells[reason, group] else "" for group in groups),
        )
        for reason in reasons
    ]
    shown = f"{caption}; {others} more are in report.json" if others else caption
    whole = ("all", *(f"{by_group[group]:,}" for group in groups))
    return table(shown, ("reason", *groups), [*lines, whole], pinned=True)
