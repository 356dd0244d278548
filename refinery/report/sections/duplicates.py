"""Duplicates: the S-curve, clusters, and the least alike pairs side by side."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher
from html import escape

from refinery.report import charts
from refinery.report.data import DedupNumbers, PairSample, ReportData
from refinery.report.html import TEXT_CHARS, excerpt, table

Row = tuple[str, ...]
NAME_CHARS = 120


def dedup_section(data: ReportData) -> str:
    """Methods, clusters, and the pairs that people should check."""
    dedup = data.dedup
    if dedup is None:
        return "<p class=none>Deduplication is off in this recipe.</p>"
    is_removed = dedup.mode == "remove"
    verb, what = ("Removed", "removal") if is_removed else ("Marked", "mark")
    at_threshold = 1 - (1 - dedup.threshold**dedup.rows) ** dedup.bands
    words = (
        f"<p>Documents that agree in one of {dedup.bands} bands of {dedup.rows} hashes each are compared; "
        f"every {what} is backed by a measured similarity of at least {dedup.threshold:g}. A pair just "
        f"at that threshold is compared with a chance of {at_threshold:.1%}, more alike ones more "
        f"surely: the curve leaves an area of {dedup.false_negative_area:.4f} above the threshold "
        f"uncompared, and costs needless comparisons of {dedup.false_positive_area:.4f} below it. "
        f"Buckets too large to compare each with each: {dedup.capped_buckets:,}.</p>"
    )
    if not is_removed:
        words += (
            "<p>This recipe only marks: near-duplicates stay in the dataset, and the first document "
            "of each cluster decides the split of all.</p>"
        )
    methods = [(escape(name), f"{count:,}") for name, count in dedup.by_method.items()]
    sizes = [(f"{name} documents", f"{count:,}") for name, count in dedup.cluster_sizes.items()]
    return (
        f'<div class="figures">{charts.curve(dedup.curve, dedup.threshold, "S-curve of the bands")}</div>'
        + words
        + '<div class="beside">'
        + table(f"{verb} by method", ("method", "documents"), methods)
        + table("Clusters by size", ("size", "clusters"), sizes)
        + "</div>"
        + "".join(table(c, head, rows, words=n) for c, head, rows, n in tables(dedup))
        + f"<h3>The least alike of the {verb.lower()} pairs</h3>"
        + (
            "".join(_pair(pair, verb.lower()) for pair in dedup.pairs)
            or "<p class=none>No near duplicates.</p>"
        )
    )


def _name(doc_id: str, title: str | None, url: str | None) -> str:
    """A document by its title and a link; by its id only where it has neither."""
    if not title and not url:
        return f'<code class="id">{escape(doc_id)}</code>'
    shown = f"<bdi>{escape((title or url or '')[:NAME_CHARS])}</bdi>"
    if url is None or not url.startswith(("http://", "https://")):
        return shown
    return f'<a href="{escape(url)}" rel="noreferrer noopener nofollow">{shown}</a>'


def tables(dedup: DedupNumbers) -> Iterator[tuple[str, Row, list[Row], int]]:
    """(caption, heads, rows as HTML, columns that are text) of what there is to show."""
    rows: list[Row]
    if dedup.by_sources:
        rows = [
            (
                escape(pair.source),
                escape(pair.kept_source),
                f"{pair.documents:,}",
                charts.number(pair.text_bytes),
                "" if pair.least_jaccard is None else f"{pair.least_jaccard:.3f}",
            )
            for pair in dedup.by_sources
        ]
        caption = "Duplicates by their source and that of the document that they resemble"
        yield (
            caption,
            ("source", "resembles", "documents", "bytes of text", "least similarity"),
            rows,
            2,
        )
    if dedup.largest_clusters:
        verb = "removed" if dedup.mode == "remove" else "marked"
        head: Row = (
            "document that the others resemble",
            "kept" if verb == "removed" else "unmarked",
            verb,
            "least similarity",
        )
        rows = [
            (
                _name(c.cluster, c.title, c.url),
                f"{c.kept:,}",
                f"{c.removed:,}",
                f"{c.weakest_jaccard:.3f}",
            )
            for c in dedup.largest_clusters
        ]
        yield "Largest clusters", head, rows, 1
    if dedup.largest_buckets:
        head = ("first document", "band", "members")
        rows = [
            (_name(b.first, b.title, b.url), str(b.band), f"{b.size:,}")
            for b in dedup.largest_buckets
        ]
        yield "Largest buckets, compared with their first members only", head, rows, 1
    if dedup.recurring:
        rows = [(escape(name), f"{count:,}") for name, count in dedup.recurring.items()]
        from_documents = f", from {dedup.recurring_documents:,} documents"
        caption = "Recurring passages removed" + (
            from_documents if dedup.recurring_documents else ""
        )
        yield caption, ("kind", "passages"), rows, 1
    if dedup.recurring_examples:
        head = ("passage", "kind", "documents")
        rows = [
            (f"<bdi>{escape(p.text[:160])}</bdi>", p.kind, f"{p.documents:,}")
            for p in dedup.recurring_examples
        ]
        yield "The most frequent recurring passages", head, rows, 2


def _pair(pair: PairSample, verb: str) -> str:
    left, right = _diff(pair.kept.before, pair.removed.before)
    equal = f"; equal up to character {pair.start:,}" if pair.start else ""
    return (
        f'<div class="pair"><p>Jaccard {pair.jaccard:.3f}, containment {pair.containment:.3f}{equal}</p><div>'
        f"<article><header>kept <small><bdi>{escape(pair.kept.url or pair.kept.doc_id)}</bdi></small>"
        f"</header>{excerpt(left, pair.kept.before)}</article>"
        f"<article><header>{verb} <small><bdi>{escape(pair.removed.url or pair.removed.doc_id)}</bdi>"
        f"</small></header>{excerpt(right, pair.removed.before)}</article></div></div>"
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
