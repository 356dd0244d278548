from __future__ import annotations

from pathlib import Path

from refinery.dedup.facts import (
    ClusterSample,
    DedupFacts,
    LargestBucket,
    LargestCluster,
    RecurringPassage,
)
from refinery.dedup.lsh import SCurve
from refinery.report.dedup_numbers import dedup_numbers
from refinery.report.sections.duplicates import tables
from tests.support.published import published_tables


def test_clusters_buckets_and_passages_are_shown_as_text(tmp_path: Path) -> None:
    facts = DedupFacts(
        s_curve=SCurve(14, 8, 0.8).facts(),
        scheme="s",
        largest_clusters=(
            LargestCluster(
                cluster="a<b",
                kept=2,
                removed=1200,
                weakest_jaccard=0.81,
                sample=ClusterSample(kept_id="k", doc_id="d", source="web"),
            ),
        ),
        largest_buckets=(LargestBucket(band=3, key=9, size=70, doc_id="d"),),
        recurring_examples=(RecurringPassage(kind="line", documents=4, text="<menu>"),),
    )
    published = published_tables(
        tmp_path,
        {"dedup": {}},
        facts=[facts],
        counts={"dedup": {"recurring:line": 5, "dumps": 1}},
    )

    numbers = dedup_numbers(published, {})

    assert numbers is not None
    shown = {caption: rows for caption, _, rows, _ in tables(numbers)}
    assert list(shown.values()) == [
        [('<code class="id">a&lt;b</code>', "2", "1,200", "0.810")],
        [('<code class="id">d</code>', "3", "70")],
        [("line", "5")],
        [("<bdi>&lt;menu&gt;</bdi>", "line", "4")],
    ]
