"""The mixture as a picture: what was asked, what is got, and how often each source is repeated."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Protocol

from refinery.mixture.plan import MANY_EPOCHS

WIDTH, LABEL, NOTE = 460, 120, 90
LABEL_CHARS = 16  # longer names would leave the picture
ROW, BAR = 34, 11

STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#1c2430}.asked{fill:#8797aa}.got{fill:#2463c4}"
    ".many{fill:#b3261e}"
    "@media (prefers-color-scheme:dark){text{fill:#e6eaf0}.asked{fill:#64748b}.got{fill:#7fb0ff}"
    ".many{fill:#ff8a80}}"
)


class Share(Protocol):
    """One source of a plan or of a report."""

    @property
    def source(self) -> str: ...

    @property
    def weight_asked(self) -> float:
        """Normalised weight of the recipe."""

    @property
    def weight_got(self) -> float:
        """Share of the planned tokens."""

    @property
    def epochs(self) -> float:
        """How often each document is taken."""


def _label(source: str) -> str:
    """A source's name, shortened where it would not fit; the whole one is its tool tip."""
    if len(source) <= LABEL_CHARS:
        return escape(source)
    return f"{escape(source[: LABEL_CHARS - 1])}…<title>{escape(source)}</title>"


def mixture_svg(sources: Sequence[Share], *, standalone: bool = False) -> str:
    """Draw two bars for each source, asked above got, on one scale, with the epochs behind them.

    Args:
        sources: In the order to draw.
        standalone: Add what a file of its own needs: name space and colours.
    """
    largest = max((max(s.weight_asked, s.weight_got) for s in sources), default=0.0) or 1.0
    scale = (WIDTH - LABEL - NOTE) / largest
    parts = []
    for index, source in enumerate(sources):
        top = 24 + index * ROW
        many = ' class="many"' if source.epochs > MANY_EPOCHS else ""
        end = LABEL + scale * max(source.weight_asked, source.weight_got) + 8
        parts.append(
            f'<text x="{LABEL - 8}" y="{top + 15}" text-anchor="end">'
            f"{_label(source.source)}</text>"
            f'<rect class="asked" x="{LABEL}" y="{top}" height="{BAR}" rx="2" '
            f'width="{scale * source.weight_asked:.1f}"><title>asked {source.weight_asked:.3f}'
            f'</title></rect><rect class="got" x="{LABEL}" y="{top + BAR + 1}" height="{BAR}" '
            f'rx="2" width="{scale * source.weight_got:.1f}"><title>got {source.weight_got:.3f}'
            f"</title></rect>"
            f'<text{many} x="{end:.1f}" y="{top + 15}">{source.epochs:.2f} epochs</text>'
        )
    height = 28 + ROW * len(sources)
    legend = (
        f'<rect class="asked" x="{LABEL}" y="4" width="11" height="11" rx="2"/>'
        f'<text x="{LABEL + 16}" y="14">asked</text>'
        f'<rect class="got" x="{LABEL + 70}" y="4" width="11" height="11" rx="2"/>'
        f'<text x="{LABEL + 86}" y="14">got</text>'
    )
    words = "; ".join(
        f"{s.source} {s.weight_asked:.0%} asked, {s.weight_got:.0%} got" for s in sources
    )
    space = ' xmlns="http://www.w3.org/2000/svg"' if standalone else ""
    style = f"<style>{STYLE}</style>" if standalone else ""
    return (
        f'<svg{space} class="mixture" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="Mixture: {escape(words)}">{style}{legend}{"".join(parts)}</svg>'
    )
