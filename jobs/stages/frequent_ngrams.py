"""n-grams that many documents of one source hold: which of them the search ignores, and their words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from jobs.pipeline.stage import StageContext
from refinery.decontaminate import marking
from refinery.decontaminate.facts import IgnoredNgram, LastNgram
from refinery.decontaminate.frequency import Frequent, frequent_to_ignore
from refinery.decontaminate.index import BenchmarkIndex

SHOWN = 50


@dataclass(frozen=True)
class FrequentNgrams:
    """What becomes of frequent n-grams, and their rows (gram, documents, ngram) by hash."""

    verdict: Frequent = field(default_factory=Frequent)
    rows: Mapping[int, Row] = field(default_factory=dict)


def find_frequent_ngrams(
    context: StageContext, matches: DataFrame, index: BenchmarkIndex
) -> FrequentNgrams:
    """Frequent n-grams among the matches; at most the index's own n-grams are collected."""
    config = context.recipe.decontaminate
    if config is None or config.max_ngram_documents is None:
        return FrequentNgrams()
    rows = marking.frequent_grams(matches, config.max_ngram_documents).orderBy("gram").collect()
    by_gram = {row["gram"]: row for row in rows}
    verdict = frequent_to_ignore(index, {gram: row["documents"] for gram, row in by_gram.items()})
    context.counts["ignored_ngrams"] = len(verdict.ignored)
    context.counts["items_with_only_frequent_ngrams"] = len(verdict.last)
    return FrequentNgrams(verdict, by_gram)


def without_ignored(matches: DataFrame, verdict: Frequent) -> DataFrame:
    """Matches whose n-gram the search does not ignore."""
    if not verdict.ignored:
        return matches
    rows = [(gram,) for gram in sorted(verdict.ignored)]
    ignored = matches.sparkSession.createDataFrame(rows, "gram bigint")
    return matches.join(F.broadcast(ignored), ["gram"], how="left_anti")


def ignored_ngrams(frequent: FrequentNgrams) -> tuple[IgnoredNgram, ...]:
    """The commonest n-grams that the search ignores."""
    ignored = [frequent.rows[gram] for gram in frequent.verdict.ignored]
    rows = sorted(ignored, key=lambda row: -row["documents"])[:SHOWN]
    return tuple(IgnoredNgram(ngram=row["ngram"], documents=row["documents"]) for row in rows)


def last_ngrams(frequent: FrequentNgrams, index: BenchmarkIndex) -> tuple[LastNgram, ...]:
    """The commonest of the frequent n-grams that stay in the search, with their items."""

    def most_documents(pair: tuple[int, int]) -> tuple[int, tuple[int, int]]:
        return -frequent.rows[pair[1]]["documents"], pair

    return tuple(
        LastNgram(
            benchmark=index.names[item][0],
            item=index.names[item][1],
            ngram=frequent.rows[gram]["ngram"],
            documents=frequent.rows[gram]["documents"],
        )
        for item, gram in sorted(frequent.verdict.last.items(), key=most_documents)[:SHOWN]
    )
