"""Frequent n-grams as the report names them; no Spark is needed for that."""

from __future__ import annotations

from pyspark.sql import Row

from jobs.stages.frequent_ngrams import SHOWN, FrequentNgrams, ignored_ngrams, last_ngrams
from refinery.decontaminate.benchmarks import Item
from refinery.decontaminate.config import BenchmarkConfig, DecontaminateConfig
from refinery.decontaminate.facts import IgnoredNgram, LastNgram
from refinery.decontaminate.frequency import Frequent
from refinery.decontaminate.index import BenchmarkIndex

CONFIG = DecontaminateConfig(benchmarks=(BenchmarkConfig(name="b", path="b", fields=("q",)),))


def row(gram: int, documents: int) -> Row:
    return Row(gram=gram, documents=documents, ngram=f"words {gram}")


def test_the_commonest_ignored_ngrams_come_first_and_few_are_named() -> None:
    rows = {gram: row(gram, documents=100 + gram) for gram in range(SHOWN + 5)}

    shown = ignored_ngrams(FrequentNgrams(Frequent(ignored=frozenset(rows)), rows))

    assert len(shown) == SHOWN
    assert shown[0] == IgnoredNgram(ngram=f"words {SHOWN + 4}", documents=100 + SHOWN + 4)
    assert [one.documents for one in shown] == sorted((r.documents for r in shown), reverse=True)


def test_an_ngram_that_stays_is_named_with_its_item() -> None:
    items = [Item("b", name, " ".join(f"{name}{i}" for i in range(9))) for name in ("x", "y")]
    index = BenchmarkIndex.build(items, CONFIG)
    frequent = FrequentNgrams(Frequent(last={0: 7, 1: 8}), {7: row(7, 20), 8: row(8, 30)})

    assert last_ngrams(frequent, index) == (
        LastNgram(benchmark="b", item="y", ngram="words 8", documents=30),
        LastNgram(benchmark="b", item="x", ngram="words 7", documents=20),
    )
