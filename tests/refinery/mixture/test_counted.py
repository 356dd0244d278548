"""Counted tokens and the plot of a mixture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from refinery.mixture.counted import count_tokens
from refinery.mixture.plot import mixture_chart, mixture_page
from refinery.publish.store import Store
from tests.support.figures import Figure
from tests.support.published import published_tables


def test_training_tokens_are_summed_and_empty_sources_named(tmp_path: Path) -> None:
    rows = [("web", 3, "train"), ("web", 4, "train"), ("web", 9, "heldout"), ("odd", 2, "train")]
    names = ("source", "num_tokens", "split")
    tokens = [dict(zip(names, row, strict=True)) for row in rows]
    tables = published_tables(tmp_path, {"tokenise": {"tokens": tokens}})
    uri = Store(str(tmp_path)).table_uri(tables.records["tokenise"], "tokens")

    found = count_tokens(uri, ["web", "zh"])

    assert found.documents == {"web": 2, "zh": 0, "odd": 1}
    assert found.tokens == {"web": 7, "zh": 0, "odd": 2}


@dataclass(frozen=True)
class OneShare:
    source: str
    weight_asked: float
    weight_got: float
    epochs: float


def test_a_plot_marks_sources_that_are_repeated_too_often() -> None:
    shares = [OneShare("a<b>&", 0.25, 0.5, 1.0), OneShare("n" * 400, 0.75, 0.5, 99.0)]

    chart = Figure(mixture_page(shares)).data

    assert chart["labels"] == ["a&lt;b&gt;&amp;", "n" * 59 + "…"]
    assert chart["notes"] == ["1.00 epochs", "99.00 epochs"]
    assert chart["warned"] == [False, True]
    assert mixture_chart([]) == ""
