from __future__ import annotations

import json

from refinery.publish.records import StageRecord
from refinery.report.data import DedupNumbers
from refinery.report.dedup import dedup_details
from refinery.report.sections.duplicates import tables


def test_clusters_buckets_and_passages_are_shown_as_text() -> None:
    cluster = {"cluster": "a<b", "kept": 2, "removed": 1200, "weakest_jaccard": 0.81, "sample": {}}
    record = StageRecord(
        stage="dedup",
        fingerprint="0",
        attempt="1",
        tables={},
        artefacts={},
        inputs={},
        counts={"recurring:line": 5, "dumps": 1},
        facts={
            "largest_clusters": json.dumps([cluster]),
            "largest_buckets": json.dumps([{"band": 3, "key": 9, "size": 70, "doc_id": "d"}]),
            "recurring_examples": json.dumps([{"kind": "line", "documents": 4, "text": "<menu>"}]),
        },
        seconds=0,
        started_at="",
        code_version="",
    )
    numbers = DedupNumbers(
        bands=14,
        rows=8,
        threshold=0.8,
        false_negative_area=0,
        false_positive_area=0,
        curve=(),
        by_method={},
        cluster_sizes={},
        weakest_jaccard=None,
        capped_buckets=1,
        pairs=(),
        **dedup_details(record),
    )

    shown = {caption: rows for caption, _, rows, _ in tables(numbers)}

    assert list(shown.values()) == [
        [('<code class="id">a&lt;b</code>', "2", "1,200", "0.810")],
        [('<code class="id">d</code>', "3", "70")],
        [("line", "5")],
        [("<bdi>&lt;menu&gt;</bdi>", "line", "4")],
    ]
