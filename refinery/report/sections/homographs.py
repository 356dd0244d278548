"""Words with other neighbours in one domain than in another, each with contexts to read."""

from __future__ import annotations

from html import escape

from refinery.report.homographs import HomographRow
from refinery.report.html import table


def homographs_section(words: tuple[HomographRow, ...]) -> str:
    """A table of words; those that differ most come first."""
    rows = [
        (
            f"<bdi>{escape(word.word)}</bdi>",
            _side(word.domain, word.count, word.contexts),
            _side(word.other_domain, word.other_count, word.other_contexts),
            f"{word.divergence:.3f}",
            f"{word.by_chance:.3f}",
        )
        for word in words
    ]
    names = ("word", "in the one domain", "in the other", "divergence", "by chance")
    return (
        "<p>Jensen-Shannon divergence (bits) of a word's neighbours in two domains, and what it is "
        "when the word's occurrences are divided at random into two groups. Most different words first.</p>"
        + table("Homographs across domains", names, rows, words=3)
    )


def _side(domain: str, count: int, contexts: tuple[str, ...]) -> str:
    shown = "".join(f"<br><bdi>{escape(text)}</bdi>" for text in contexts)
    return f"{escape(domain)}, {count:,} occurrences{shown}"
