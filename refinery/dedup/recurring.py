"""Passages that recur over documents: lines, paragraphs, and C4's spans of three sentences.

Pure functions on one text, and the Spark part that counts documents by passage and writes edits.
Texts are read once: what is shuffled are 16-byte hashes and offsets.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from refinery.dedup.config import RecurringConfig
from refinery.dedup.facts import RecurringPassage
from refinery.dedup.solving import ORDER
from refinery.text.edits import EditMap, apply_edits, edits_of

LINE, PARAGRAPH, SPAN = "line", "paragraph", "span"
SENTENCES = 3
PASSAGES_DDL = "hash binary, kind string, doc_id string, start int, end int"

_LINE = re.compile(r"[^\n]+\n?")
_PARAGRAPH = re.compile(r"\S[^\n]*(?:\n[^\n]*\S[^\n]*)*\n*")
# A sentence ends at Western marks before white space, at Chinese ones anywhere, and at a line's end.
_SENTENCE = re.compile(
    r"[^\s](?:[^\n.!?。！？…]|[.!?…](?![\s\"'”’)\]]*(?:\s|$)))*"
    r"(?:[.!?。！？…]+[\"'”’」』)\]]*|(?=\n)|$)"
)


@dataclass(frozen=True)
class Passage:
    """One passage of a text: code points [start, end)."""

    kind: str
    start: int
    end: int
    hash: bytes


def limits(config: RecurringConfig) -> dict[str, int]:
    """Documents by kind from which on a passage is removed; kinds that are off are left out."""
    wanted = {
        LINE: config.line_documents,
        PARAGRAPH: config.paragraph_documents,
        SPAN: config.span_documents,
    }
    return {kind: limit for kind, limit in wanted.items() if limit is not None}


def find_passages(text: str, config: RecurringConfig) -> list[Passage]:
    """Passages of the kinds that the recipe asks for.

    A line or paragraph ends after the line ends behind it, so that none is left blank.
    """
    kinds, passages = limits(config), []
    for kind, pattern in ((LINE, _LINE), (PARAGRAPH, _PARAGRAPH)):
        if kind in kinds:
            spans = [match.span() for match in pattern.finditer(text)]
            passages += [_passage(text, kind, *span) for span in spans]
    if SPAN in kinds:
        sentences = [match.span() for match in _SENTENCE.finditer(text)]
        passages += [
            _passage(text, SPAN, first[0], last[1])
            for first, last in zip(sentences, sentences[SENTENCES - 1 :], strict=False)
        ]
    return [p for p in passages if len(text[p.start : p.end].strip()) >= config.min_chars]


def _passage(text: str, kind: str, start: int, end: int) -> Passage:
    """Hash the words of a passage: wrapped otherwise, the same words are the same passage."""
    words = " ".join(text[start:end].split())
    digest = hashlib.blake2b(words.encode(), digest_size=16, person=kind.encode()[:16]).digest()
    return Passage(kind, start, end, digest)


def passages_of(documents: DataFrame, config: RecurringConfig) -> DataFrame:
    """(hash, kind, doc_id, start, end) of the rows of `signing.with_spans`; offsets in `text`."""
    run = functools.partial(_passage_batches, config=config)
    return documents.select("doc_id", "text", "spans").mapInArrow(run, PASSAGES_DDL)


def _passage_batches(
    batches: Iterator[pa.RecordBatch], *, config: RecurringConfig
) -> Iterator[pa.RecordBatch]:
    schema = pa.schema(
        [
            ("hash", pa.binary()),
            ("kind", pa.string()),
            ("doc_id", pa.string()),
            ("start", pa.int32()),
            ("end", pa.int32()),
        ]
    )
    for batch in batches:
        rows = []
        for row in batch.to_pylist():
            edits = edits_of(row["spans"])
            back = EditMap(edits)
            for passage in find_passages(apply_edits(row["text"], edits), config):
                start, end = back.to_original(passage.start, passage.end)
                rows.append((passage.hash, passage.kind, row["doc_id"], start, end))
        columns = list(zip(*rows, strict=True)) or [()] * len(schema)
        yield pa.RecordBatch.from_arrays(
            [pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)], schema=schema
        )


def frequent_passages(passages: DataFrame, config: RecurringConfig) -> DataFrame:
    """(hash, kind, documents, sample) of passages at or above their kind's limit."""
    by_kind = F.create_map(*(F.lit(x) for item in limits(config).items() for x in item))
    return (
        passages.groupBy("kind", "hash")
        .agg(
            F.countDistinct("doc_id").alias("documents"),
            F.min(F.struct("doc_id", "start", "end")).alias("sample"),
        )
        .where(F.col("documents") >= by_kind[F.col("kind")])
    )


def recurring_edits(passages: DataFrame, frequent: DataFrame, order: DataFrame) -> DataFrame:
    """The `edits` table: all frequent lines and paragraphs, all but the first of spans.

    Args:
        passages: The rows of `passages_of`.
        frequent: The rows of `frequent_passages`.
        order: The `ORDER` columns of every document.
    """
    hit = passages.join(frequent.select("kind", "hash"), ["kind", "hash"], how="inner")
    first = Window.partitionBy("hash").orderBy(*ORDER, "start")
    spans = (
        hit.where(F.col("kind") == SPAN)
        .join(order.select(*ORDER), ["doc_id"], how="inner")
        .withColumn("rank", F.row_number().over(first))
        .where("rank > 1")
    )
    columns = ["doc_id", "start", "end", "kind"]
    rows = hit.where(F.col("kind") != SPAN).select(*columns).union(spans.select(*columns))
    return rows.select(
        "doc_id",
        "start",
        "end",
        F.lit("").alias("replacement"),
        F.lit("dedup").alias("stage"),
        F.concat(F.lit("recurring:"), F.col("kind")).alias("reason"),
    )


def examples(frequent: DataFrame, texts: DataFrame, *, most: int) -> tuple[RecurringPassage, ...]:
    """The most frequent passages with their documents and words; `texts` has (doc_id, text)."""
    top = frequent.orderBy(F.desc("documents"), "kind", "hash").limit(most)
    samples = F.broadcast(
        top.select("kind", "documents", "sample", F.col("sample.doc_id").alias("doc_id"))
    )
    start, end = F.col("sample.start"), F.col("sample.end")
    words = F.substring("text", start + 1, F.least(end - start, F.lit(200)))
    shown = texts.join(samples, ["doc_id"], how="inner").select(
        "kind", "documents", words.alias("words")
    )
    passages = [
        RecurringPassage(kind=row["kind"], documents=row["documents"], text=row["words"])
        for row in shown.collect()
    ]
    return tuple(sorted(passages, key=lambda shown: (-shown.documents, shown.kind, shown.text)))
