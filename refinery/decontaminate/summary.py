"""The other direction: which items were found, so that evaluation can score the clean ones."""

from __future__ import annotations

import json
from collections import Counter

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from refinery.decontaminate.index import BenchmarkIndex


def item_lines(index: BenchmarkIndex) -> str:
    """All items as JSON lines: benchmark, item, text, num_tokens, covered."""
    uncovered = set(index.uncovered)
    lengths = index.words.num_tokens.tolist()
    return "".join(
        json.dumps(
            {
                "benchmark": item.benchmark,
                "item": item.item_id,
                "text": item.text,
                "num_tokens": lengths[place],
                "covered": place not in uncovered,
            },
            ensure_ascii=False,
        )
        + "\n"
        for place, item in enumerate(index.items)
    )


def found_items(contamination: DataFrame) -> str:
    """JSON: benchmark -> sorted ids of items that some document holds (bounded by the items)."""
    rows = (
        contamination.groupBy("benchmark")
        .agg(F.array_sort(F.collect_set("item")).alias("items"))
        .orderBy("benchmark")
        .collect()
    )
    return json.dumps({row["benchmark"]: row["items"] for row in rows}, ensure_ascii=False)


def uncovered_shares(index: BenchmarkIndex) -> dict[str, dict[str, float]]:
    """By benchmark: items, uncovered ones and their share."""
    items = Counter(item.benchmark for item in index.items)
    missed = Counter(index.items[place].benchmark for place in index.uncovered)
    return {
        name: {"items": num, "uncovered": missed[name], "share": round(missed[name] / num, 6)}
        for name, num in sorted(items.items())
    }
