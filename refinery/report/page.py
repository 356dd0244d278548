"""report.json as one offline page: no script, no request, everything from documents escaped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import SequenceMatcher
from html import escape
from importlib.resources import files

from refinery.mixture.plot import mixture_svg
from refinery.publish.records import StageCost
from refinery.report import charts
from refinery.report import dedup as details
from refinery.report.data import (
    ContaminationNumbers,
    PairSample,
    ReportData,
    Sample,
    SourceFunnel,
)
from refinery.report.vocabulary import vocabulary_section

TEXT_CHARS = 700
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
FUNNEL = (
    "fetches", "refetched", "sampled_out", "documents", "rejected", "excluded", "dropped", "duplicate",
    "contaminated", "kept", "train", "heldout", "not_sampled",
)  # fmt: skip


def render_page(data: ReportData, previous: ReportData | None = None) -> str:
    """The whole page.

    Args:
        data: Of this run.
        previous: Of an earlier run, to compare with.
    """
    sections: list[tuple[str, str, Callable[[], str]]] = [
        ("funnel", "Where documents went", lambda: _funnel(data)),
        ("reasons", "Why documents were dropped", lambda: _reasons(data)),
        ("samples", "Kept and dropped, to read", lambda: _samples(data)),
        ("shapes", "Lengths, languages, scores", lambda: _shapes(data)),
        ("dedup", "Duplicates", lambda: _dedup(data)),
        ("contamination", "Benchmark items", lambda: _contamination(data)),
        ("vocabulary", "Vocabulary", lambda: vocabulary_section(data.vocabulary)),
        ("mixture", "Mixture", lambda: _mixture(data)),
        ("packing", "Rows and shards", lambda: _packing(data)),
        ("rejects", "What could not be read", lambda: _rejects(data)),
        ("stages", "Stages and time", lambda: _stages(data)),
    ]
    if previous is not None:
        sections.insert(
            1, ("previous", "Against the previous run", lambda: _compare(data, previous))
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
        (charts.number(train.rows), f"rows of {data.seq_len:,}"),
        (charts.number(data.vocab_size), "vocabulary"),
    )
    items = "".join(f"<div><dt>{escape(name)}</dt><dd>{value}</dd></div>" for value, name in facts)
    return f'<dl class="facts">{items}</dl>'


def _table(
    caption: str, head: Sequence[str], rows: Iterable[Sequence[str]], *, words: int = 1
) -> str:
    """A table; the first `words` columns are text, the others numbers. Cells are HTML already."""
    titles = "".join(
        f'<th scope="col"{"" if i < words else " class=n"}>{escape(name)}</th>'
        for i, name in enumerate(head)
    )
    lines = []
    for row in rows:
        cells = [f'<th scope="row">{row[0]}</th>']
        cells += [
            f"<td{'' if i < words else ' class=n'}>{cell}</td>" for i, cell in enumerate(row) if i
        ]
        lines.append(f"<tr>{''.join(cells)}</tr>")
    if not lines:
        return f"<p class=none>{escape(caption)}: none.</p>"
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{escape(caption)}"><table>'
        f"<caption>{escape(caption)}</caption><thead><tr>{titles}</tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def _funnel(data: ReportData) -> str:
    def line(name: str, funnel: SourceFunnel) -> list[str]:
        return [escape(name), *(f"{getattr(funnel, column):,}" for column in FUNNEL)]

    whole = SourceFunnel(**{column: data.total(column) for column in FUNNEL})
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
        *(column.replace("_", " ").replace("heldout", "held out") for column in FUNNEL),
    ]
    checks = "".join(
        f'<li class="{"ok" if c.holds else "bad"}">{"✓" if c.holds else "✗"} {escape(c.claim)} '
        f"<small>({c.left:,} = {c.right:,})</small></li>"
        for c in data.checks
    )
    return (
        f'<div class="fates">{meters}</div>'
        + _table("Documents by source", head, [*rows, line("all", whole)])
        + f'<ul class="checks" aria-label="Sums that must hold">{checks}</ul>'
    )


def _bars(caption: str, counts: Mapping[str, int], whole: int, unit: str = "documents") -> str:
    rows = [
        (
            f"<code>{escape(name)}</code>",
            charts.meter(count, whole, f"{name}, {count:,}"),
            f"{count:,}",
        )
        for name, count in counts.items()
    ]
    return _table(caption, ("name", "share", unit), rows, words=2)


def _reasons(data: ReportData) -> str:
    most = max(data.drop_reasons.values(), default=1)
    return (
        "<p>The first failed rule is the reason; all failed rules are kept in the ledger, so a "
        "threshold can be questioned without reading text again.</p>"
        + _bars("First reason", data.drop_reasons, most)
        + "<details><summary>All reasons, each document in as many as it failed</summary>"
        + _bars("All reasons", data.all_reasons, max(data.all_reasons.values(), default=1))
        + "</details>"
    )


def _sample(sample: Sample) -> str:
    where = escape(sample.url or sample.doc_id)
    reason = f'<span class="tag">{escape(sample.reason)}</span>' if sample.reason else ""
    title = f"<b>{escape(sample.title[:120])}</b> " if sample.title else ""
    marked = f"<mark>{escape(sample.marked)}</mark>" if sample.marked else ""
    text = f"{escape(sample.before[:TEXT_CHARS])}{marked}{escape(sample.after[:TEXT_CHARS])}"
    return (
        f'<article class="sample"><header>{reason}{title}<small>{escape(sample.source)} · '
        f'<bdi>{where}</bdi></small></header><pre dir="auto">{text}</pre></article>'
    )


def _samples(data: ReportData) -> str:
    kept = "".join(map(_sample, data.kept_samples))
    dropped = "".join(map(_sample, data.dropped_samples))
    return (
        f'<details open><summary>Kept</summary><div class="samples">{kept}</div></details>'
        f'<details><summary>Dropped, by reason</summary><div class="samples">{dropped}</div></details>'
    )


def _shapes(data: ReportData) -> str:
    figures = "".join(
        charts.histogram(shape, name.capitalize())
        for name, shape in data.histograms.items()
        if sum(shape.counts)
    )
    rules = "".join(charts.histogram(shape, name) for name, shape in data.rule_histograms.items())
    cards = _table(
        "Classifiers on documents held out from their training; precision and recall at 0.5",
        ("score", "AUC", "precision", "recall", "trained on", "tested on"),
        [
            (escape(head), *("" if value is None else f"{value:,}" for value in card.values()))
            for head, card in data.cards.items()
        ],
    )
    changed = _table(
        "What normalisation changed",
        ("step", "places"),
        [(escape(name), f"{count:,}") for name, count in data.counters.items()],
    )
    languages = _bars("Languages", data.languages, sum(data.languages.values()))
    return (
        f'<div class="figures">{figures}</div>{cards}<div class="beside">{languages}{changed}</div>'
        + (
            "<h3>The rules that failed most documents</h3>"
            "<p>All documents of the languages that share the bounds; dashed lines are the bounds."
            f'</p><div class="figures">{rules}</div>'
            if rules
            else ""
        )
    )


def _dedup(data: ReportData) -> str:
    dedup = data.dedup
    if dedup is None:
        return "<p class=none>Deduplication is off in this recipe.</p>"
    words = (
        f"<p>{dedup.bands} bands of {dedup.rows} rows find candidates; every removal is backed by a "
        f"measured similarity of at least {dedup.threshold:g}. Area of missed pairs above the "
        f"threshold {dedup.false_negative_area:.4f}, of needless candidates below it "
        f"{dedup.false_positive_area:.4f}. Buckets too large to compare each with each: "
        f"{dedup.capped_buckets:,}.</p>"
    )
    methods = [(escape(name), f"{count:,}") for name, count in dedup.by_method.items()]
    sizes = [(f"{name} documents", f"{count:,}") for name, count in dedup.cluster_sizes.items()]
    return (
        f'<div class="figures">{charts.curve(dedup.curve, dedup.threshold, "S-curve of the bands")}</div>'
        + words
        + '<div class="beside">'
        + _table("Removed by method", ("method", "documents"), methods)
        + _table("Clusters by size", ("size", "clusters"), sizes)
        + "</div>"
        + "".join(_table(c, head, rows, words=n) for c, head, rows, n in details.tables(dedup))
        + "<h3>The least alike of the removed pairs</h3>"
        + ("".join(map(_pair, dedup.pairs)) or "<p class=none>No near duplicates.</p>")
    )


def _pair(pair: PairSample) -> str:
    left, right = _diff(pair.kept.before, pair.removed.before)
    return (
        f'<div class="pair"><p>Jaccard {pair.jaccard:.3f}, containment {pair.containment:.3f}</p><div>'
        f"<article><header>kept <small><bdi>{escape(pair.kept.url or pair.kept.doc_id)}</bdi></small>"
        f'</header><pre dir="auto">{left}</pre></article>'
        f"<article><header>removed <small><bdi>{escape(pair.removed.url or pair.removed.doc_id)}</bdi>"
        f'</small></header><pre dir="auto">{right}</pre></article></div></div>'
    )


def _diff(kept: str, removed: str) -> tuple[str, str]:
    """Both texts with what differs marked; words are compared, CJK text by characters."""
    left, right = (_pieces(text[:TEXT_CHARS]) for text in (kept, removed))
    sides: tuple[list[str], list[str]] = ([], [])
    for kind, a, b, c, d in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        for side, words, tag in ((0, left[a:b], "del"), (1, right[c:d], "ins")):
            text = escape("".join(words))
            sides[side].append(text if kind == "equal" or not text else f"<{tag}>{text}</{tag}>")
    return "".join(sides[0]), "".join(sides[1])


def _pieces(text: str) -> list[str]:
    pieces: list[str] = []
    for char in text:
        joins = pieces and char.isascii() and char.isalnum() and pieces[-1][-1:].isascii()
        if joins and pieces[-1][-1:].isalnum():
            pieces[-1] += char
        else:
            pieces.append(char)
    return pieces


def _contamination(data: ReportData) -> str:
    found = data.contamination
    if found is None:
        return "<p class=none>This recipe names no benchmark.</p>"
    coverage = [
        (
            escape(row.benchmark),
            f"{row.items:,}",
            f"{row.ngram_tokens}",
            f"{row.whole_line:,}",
            f"{row.uncovered:,} ({row.uncovered / row.items:.1%})",
            f"{found.items_by_benchmark.get(row.benchmark, 0):,}",
            f"{found.documents_by_benchmark.get(row.benchmark, 0):,}",
        )
        for row in found.coverage
    ]
    honest = (
        f"{found.false_positives} false positives in {found.clean_documents:,} documents that hold "
        "an item's words in another order"
    )
    bound = found.false_positives_per_million_below
    if bound is not None:
        honest += f" (95 % bound: fewer than {bound:,.0f} per million)"
    return (
        _table(
            "Benchmarks, and what the corpus holds of them",
            ("benchmark", "items", "n", "whole line", "not searched", "found", "documents"),
            coverage,
        )
        + f"<p>{found.items:,} items; {found.uncovered_items:,} are too short to be searched. {honest}.</p>"
        + _recall_table(found)
        + _frequent(found)
        + f'<div class="samples">{"".join(map(_sample, found.samples))}</div>'
    )


GROUPS = {
    "en": "English",
    "zh": "Chinese",
    "en_short": "English, under 13 words",
    "zh_short": "Chinese, under 13 characters",
}


def _recall_table(found: ContaminationNumbers) -> str:
    groups = [name for name in GROUPS if name in found.recall_by_group]
    by_group = found.recall_by_group if groups else {"en": found.recall}
    rows = [
        (
            escape(mutation.replace("_", " ")),
            *(_found_share(*by_group[group][mutation]) for group in groups or ["en"]),
        )
        for mutation in found.recall
    ]
    heads = [GROUPS[name] for name in groups] or ["found"]
    return _table("The search measured on itself: planted items", ("change", *heads), rows)


def _found_share(found: int, planted: int) -> str:
    return f"{found:,} of {planted:,} ({found / planted:.3f})" if planted else ""


def _frequent(found: ContaminationNumbers) -> str:
    """n-grams that the search ignores, and items that would be lost if it ignored theirs."""
    if not found.ignored and not found.last:
        return ""
    shown = [(escape(row.ngram), f"{row.documents:,}") for row in found.ignored[:10]]
    kept = [
        (escape(row.item or ""), escape(row.ngram), f"{row.documents:,}") for row in found.last[:10]
    ]
    ignored = _table(
        f"{found.ignored_ngrams:,} n-grams are in so many documents of one source that they are no "
        "sign of a leak",
        ("ignored n-gram", "documents"),
        shown,
    )
    heads = ("item", "its rarest n-gram, which still counts", "documents")
    return ignored + (
        _table("Items all of whose n-grams are frequent", heads, kept) if kept else ""
    )


def _mixture(data: ReportData) -> str:
    rows = [
        (
            escape(row.source),
            f"{row.documents:,}",
            f"{row.tokens:,}",
            f"{row.weight_asked:.3f}",
            f"{row.weight_got:.3f}",
            f"{row.epochs:.2f}",
            f"{row.packed_tokens:,}",
            f"{row.bytes_per_token:.2f}" if row.bytes_per_token else "",
        )
        for row in data.mixture
    ]
    notes = "".join(f"<li>{escape(note)}</li>" for note in data.mixture_warnings)
    head = (
        "source",
        "documents",
        "tokens",
        "weight asked",
        "weight got",
        "epochs",
        "packed tokens",
    )
    return (
        f'<figure class="broad">{mixture_svg(data.mixture)}</figure>'
        + _table("Asked and got", (*head, "bytes per token"), rows)
        + (f'<ul class="notes" aria-label="Warnings">{notes}</ul>' if notes else "")
    )


def _packing(data: ReportData) -> str:
    rows = [
        (
            "held out" if name == "heldout" else name,
            f"{split.shards:,}",
            f"{split.rows:,}",
            f"{split.tokens_in:,}",
            f"{split.packed:,}",
            f"{split.dropped:,}",
            f"{split.padding:,}",
            f"{split.bytes / max(1, split.packed):.2f}",
        )
        for name, split in data.packing.items()
    ]
    head = (
        "split",
        "shards",
        "rows",
        "tokens in",
        "packed",
        "dropped",
        "padding",
        "bytes per token",
    )
    return _table("tokens in = packed + dropped; padding stands apart", head, rows)


def _rejects(data: ReportData) -> str:
    reasons = [(f"<code>{escape(n)}</code>", f"{c:,}") for n, c in data.rejects.items()]
    samples = [
        (f"<bdi>{escape(place)}</bdi>", f"<code>{escape(reason)}</code>", escape(message))
        for place, reason, message in data.reject_samples
    ]
    kinds = [(escape(name), f"{count:,}") for name, count in data.records.items()]
    return (
        '<div class="beside">'
        + _table("Rejects", ("reason", "rows"), reasons)
        + _table("Records that are no documents", ("type", "records"), kinds)
        + "</div>"
        + _table("Examples", ("file", "reason", "message"), samples, words=3)
    )


def _stages(data: ReportData) -> str:
    slowest = max((stage.seconds for stage in data.stages), default=1.0)
    rows = [
        (
            escape(stage.stage),
            charts.meter(stage.seconds, slowest, stage.stage),
            escape(", ".join(f"{name} {count:,}" for name, count in stage.rows.items())),
            f"{stage.seconds:.1f}",
            *_cost(stage.cost),
            charts.number(stage.bytes),
        )
        for stage in data.stages
    ]
    head = ("stage", "time", "rows", "seconds", "Python CPU s", "JVM CPU s", "shuffled bytes")
    return _table(
        "Stages; CPU seconds are those of tasks, on a cluster Python's are not known",
        (*head, "bytes written"),
        rows,
        words=3,
    )


def _cost(cost: StageCost | None) -> tuple[str, str, str]:
    if cost is None:
        return "", "", ""
    python = "" if cost.python_cpu_seconds is None else f"{cost.python_cpu_seconds:.1f}"
    return python, f"{cost.jvm_cpu_seconds:.1f}", charts.number(cost.shuffle_bytes)


def _compare(data: ReportData, previous: ReportData) -> str:
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
    return f"<p>Roots: {same}.</p>" + _table(
        "Counts", ("what", "before", "now", "difference", "change"), rows
    )
