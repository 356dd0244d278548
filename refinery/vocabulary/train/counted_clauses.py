"""Clauses with counts: what a trainer sees instead of lines.

Chinese has no words to count; half of the bytes of what lies between two punctuation marks is distinct.
So text is cut at white space and punctuation and after 16 characters, clauses are counted, and the rare
ones pruned: the most frequent `max_clauses` stay, ties by hash. The trainer's memory depends on that
number, not on the text.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator

import pyarrow as pa
import regex
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from refinery.text.edited import edited
from refinery.text.utf8 import Texts
from refinery.vocabulary.config import TrainConfig

MAX_CLAUSE_CHARS = 16
CLAUSES_DDL = "clause string, count bigint"
_CLAUSE = regex.compile(
    rf" ?[\p{{L}}\p{{M}}]{{1,{MAX_CLAUSE_CHARS}}}| ?\p{{N}}{{1,{MAX_CLAUSE_CHARS}}}"
    rf"| ?[^\s\p{{L}}\p{{M}}\p{{N}}]{{1,{MAX_CLAUSE_CHARS}}}"
)
_FLUSH = 400_000


def cut_clauses(text: str) -> list[str]:
    """Runs of letters, of digits and of signs, each with the space before it, in 16 characters."""
    clauses: list[str] = _CLAUSE.findall(text)
    return clauses


def count_clauses(texts: Iterable[str], config: TrainConfig) -> list[tuple[str, int]]:
    """Counted clauses of texts in memory, pruned and ordered as `collect_clauses` does."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(_CLAUSE.findall(text))
    frequent = [(c, n) for c, n in counts.items() if n >= config.min_count]
    frequent.sort(key=lambda pair: (-pair[1], clause_hash(pair[0])))
    return _in_hash_order(frequent[: config.max_clauses])


def collect_clauses(texts: DataFrame, config: TrainConfig) -> list[tuple[str, int]]:
    """Counted clauses of a frame with `text` (and `edits`, applied); one action.

    At most `max_clauses` reach the driver, whatever the corpus.
    """
    has_edits = "edits" in texts.columns
    chosen = texts.select("text", "edits") if has_edits else texts.select("text")
    counted = chosen.mapInArrow(_count_batches, CLAUSES_DDL)
    summed = counted.groupBy("clause").agg(F.sum("count").alias("count"))
    frequent = summed.where(F.col("count") >= config.min_count)
    top = frequent.orderBy(F.desc("count"), F.sha2("clause", 256)).limit(config.max_clauses)
    table = top.toArrow()
    pairs = zip(table["clause"].to_pylist(), table["count"].to_pylist(), strict=True)
    return _in_hash_order(pairs)


def _count_batches(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    counts: Counter[str] = Counter()
    for batch in batches:
        has_edits = "edits" in batch.schema.names
        texts = Texts.of_column(batch.column("text"))
        if has_edits:
            texts = edited(texts, batch.column("edits"))
        for text in texts.strings():
            counts.update(_CLAUSE.findall(text))
        if len(counts) > _FLUSH:
            yield _batch(counts)
            counts = Counter()
    yield _batch(counts)


def _batch(counts: Counter[str]) -> pa.RecordBatch:
    columns = [pa.array(list(counts), pa.string()), pa.array(list(counts.values()), pa.int64())]
    return pa.RecordBatch.from_arrays(columns, ["clause", "count"])


def clause_hash(clause: str) -> str:
    """SHA-256 of a clause as Spark's `sha2` writes it: the total order of clauses."""
    return hashlib.sha256(clause.encode()).hexdigest()


def _in_hash_order(clauses: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    """Sort clauses by hash: trainers depend on the order of their input, which partitions would change."""
    return sorted(clauses, key=lambda pair: clause_hash(pair[0]))
