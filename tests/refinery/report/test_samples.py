"""Which documents the report shows, and from where."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from refinery.dedup.facts import DedupFacts
from refinery.dedup.lsh import SCurve
from refinery.report.charts import histogram
from refinery.report.collect import sample_ids
from refinery.report.data import Histogram, PairSample
from refinery.report.dedup_numbers import dedup_numbers
from refinery.report.excerpts import DocumentText
from tests.support.figures import Figure
from tests.support.published import published_tables


def test_kept_samples_are_of_each_source_and_stay_to_the_end(tmp_path: Path) -> None:
    fates = [("d", "web", "kept"), ("b", "web", "duplicate"), ("c", "web", "kept")]
    fates += [(f"n{i}", "news", "kept") for i in range(9)] + [("a", "docs", "dropped")]
    ledger = [("a", "short"), ("f", "short"), ("e", "short"), ("b", None), ("g", "long")]
    tables = published_tables(
        tmp_path,
        {
            "clean": {"ledger": [{"doc_id": d, "drop_reason": r} for d, r in ledger]},
            "tokenise": {"fates": [{"doc_id": d, "source": s, "fate": f} for d, s, f in fates]},
        },
    )

    dropped, kept = sample_ids(tables)

    assert dropped == {"g": "long", "a": "short", "e": "short"}
    assert kept == ["n0", "n1", "n2", "c", "d"]


def pair(tmp_path: Path, first: str, second: str) -> PairSample:
    """The one near-duplicate of two texts as the report shows it."""
    row = {"doc_id": "b", "kept_id": "a", "method": "minhash", "jaccard": 0.9, "containment": 1.0}
    facts = DedupFacts(s_curve=SCurve(14, 8, 0.8).facts(), scheme="s")
    tables = published_tables(
        tmp_path,
        {"dedup": {"duplicates": [{**row, "cluster": "a"}]}},
        facts=[facts],
    )
    texts = {
        name: DocumentText(doc_id=name, source="web", url=None, title=None, text=text)
        for name, text in (("a", first), ("b", second))
    }
    numbers = dedup_numbers(tables, texts)
    assert numbers is not None
    return numbers.pairs[0]


def test_pairs_are_shown_from_shortly_before_the_first_difference(tmp_path: Path) -> None:
    same = "the same words " * 200
    shown = pair(tmp_path, same + "one end", same + "another end")

    assert shown.start == len(same) - 200
    assert shown.kept.before == same[-200:] + "one end"
    assert shown.removed.before == same[-200:] + "another end"


def test_equal_texts_are_shown_from_their_beginning(tmp_path: Path) -> None:
    shown = pair(tmp_path, "both equal", "both equal")

    assert (shown.start, shown.kept.before) == (0, "both equal")


def test_histogram_places_thresholds_and_decades_on_the_axis() -> None:
    edges = (0.0, *np.logspace(0, 3, 4).tolist())  # 0, 1, 10, 100, 1000: four bars
    figure = Figure(
        histogram(
            Histogram(edges=edges, counts=(1, 2, 3, 4), marks=(10.0,), unit="words"), "Length"
        )
    )

    assert figure.data["marks"] == [[2.0, "10"]]
    assert figure.label == "Length: 10 documents by words, most 4: threshold 10"
    assert [text for _, text in figure.data["ticks"]] == ["0", "1", "10", "100", "1,000"]
