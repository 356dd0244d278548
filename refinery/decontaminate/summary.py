"""Items as evaluation reads them, with what was found: the clean subset can be scored apart."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from refinery.decontaminate.benchmarks import Item
from refinery.decontaminate.facts import Coverage
from refinery.decontaminate.index import BenchmarkIndex


def item_lines(
    index: BenchmarkIndex, items: Sequence[Item], found: Mapping[tuple[str, str], int] | None = None
) -> str:
    """All items as JSON lines.

    `documents` is the number of documents that hold the item; null before the corpus was scanned.
    """
    uncovered = set(index.uncovered)
    lengths = index.words.num_tokens.tolist()
    lines = []
    for number, item in enumerate(items):
        documents = None if found is None else found.get((item.benchmark, item.item_id), 0)
        line = {
            "benchmark": item.benchmark,
            "item": item.item_id,
            "text": item.text,
            "question": item.question,
            "choices": item.choices,
            "answer": item.answer,
            "num_tokens": lengths[number],
            "covered": number not in uncovered,
            "documents": documents,
        }
        lines.append(json.dumps(line, ensure_ascii=False) + "\n")
    return "".join(lines)


def read_item_lines(lines: Iterable[str]) -> list[Item]:
    """Read back the items that `item_lines` wrote."""
    return [_item(json.loads(line)) for line in lines]


def _item(plain: Mapping[str, Any]) -> Item:
    return Item(
        plain["benchmark"],
        plain["item"],
        plain["text"],
        plain["question"],
        tuple(plain["choices"]),
        plain["answer"],
    )


def found_items(contamination: DataFrame) -> dict[tuple[str, str], int]:
    """(benchmark, item) -> documents that hold it; bounded by the items."""
    rows = contamination.groupBy("benchmark", "item").agg(F.countDistinct("doc_id").alias("n"))
    return {(r["benchmark"], r["item"]): r["n"] for r in rows.collect()}


def coverage(index: BenchmarkIndex) -> dict[str, Coverage]:
    """By benchmark: n, items, those searched as whole lines only, uncovered ones and their share."""
    items = Counter(name for name, _ in index.names)
    missed = Counter(index.names[item][0] for item in index.uncovered)
    lines: Counter[str] = Counter()
    for (name, _), length in zip(index.names, index.words.num_tokens.tolist(), strict=True):
        lines[name] += length < index.ngram_tokens[name]
    return {
        name: Coverage(
            ngram_tokens=index.ngram_tokens[name],
            items=num,
            whole_line=lines[name] - missed[name],
            uncovered=missed[name],
            share=round(missed[name] / num, 6),
        )
        for name, num in sorted(items.items())
    }
