"""The mixture as a chart: what was asked, what is got, and how often each source is repeated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from pages.charts import GroupedBars, grouped_bars
from pages.frame import Page, PageSection
from refinery.mixture.plan import MANY_EPOCHS


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


def mixture_chart(sources: Sequence[Share]) -> str:
    """Two bars for each source, asked above got, with the epochs behind them; empty without a source."""
    if not sources:
        return ""
    return grouped_bars(
        GroupedBars(
            title="Mixture",
            unit="share of the tokens, asked and got, and passes over the source",
            labels=[share.source for share in sources],
            groups={
                "asked": [share.weight_asked for share in sources],
                "got": [share.weight_got for share in sources],
            },
            notes=[f"{share.epochs:.2f} epochs" for share in sources],
            warned=[share.epochs > MANY_EPOCHS for share in sources],
        )
    )


def mixture_page(sources: Sequence[Share]) -> str:
    """The chart on a page of its own."""
    section = PageSection(key="mixture", title="Asked and got", body=mixture_chart(sources))
    return Page(title="Mixture", kind="planned mixture", sections=[section]).render()
