"""Contamination of documents in Spark: the scan, and what the matches of a document lead to."""

from __future__ import annotations

import functools
import itertools
import os
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyspark import SparkFiles
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from refinery.decontaminate.config import DecontaminateConfig
from refinery.decontaminate.index import BenchmarkIndex, Match
from refinery.decontaminate.index_file import open_index
from refinery.decontaminate.spans import joined_spans
from refinery.tables import UnionRows, arrow_schema, union_ddl
from refinery.text.edited import edited
from refinery.text.edits import Edit, EditMap, edits_of, merge_edits
from refinery.text.utf8 import GROUP_BYTES, Texts

TABLES_WRITTEN = ("contamination", "edits")
NGRAM_CHARS = 300

# All confirmed matches, those of frequent n-grams too: spans in `cleaned.text`, and their words.
MATCH_COLUMNS = {
    "doc_id": "string",
    "source": "string",
    "num_chars": "int",
    "item": "int",
    "gram": "bigint",
    "start": "int",
    "end": "int",
    "ngram": "string",
}
MATCH_DDL = ", ".join(f"`{name}` {kind}" for name, kind in MATCH_COLUMNS.items())


SharedIndex = Callable[[], BenchmarkIndex]


def share_index(spark: SparkSession, path: Path, fingerprint: str) -> SharedIndex:
    """Send an index file to every executor once; its Python workers map the same pages.

    Spark keeps one file of a name per session, so the name tells the content.
    """
    name = f"benchmarks-{fingerprint}.index"
    # Executors fetch it with their first task, so it stays until Spark removes its own folder.
    named = Path(SparkFiles.getRootDirectory()) / "sent" / name
    if not named.exists():
        named.parent.mkdir(exist_ok=True)
        try:
            os.link(path, named)
        except OSError:  # another file system
            shutil.copyfile(path, named)
        spark.sparkContext.addFile(str(named))
    return functools.partial(_shared_index, name)


def _shared_index(name: str) -> BenchmarkIndex:
    return open_index(Path(SparkFiles.get(name)))


def find_matches(documents: DataFrame, index: SharedIndex) -> DataFrame:
    """Confirmed n-grams of all documents (`MATCH_COLUMNS`).

    Args:
        documents: doc_id, source, text and spans (the edits of earlier stages, or null).
        index: Opens the index, on the executors.
    """
    run = functools.partial(_match_batches, index=index)
    return documents.select("doc_id", "source", "text", "spans").mapInArrow(run, MATCH_DDL)


def _match_batches(
    batches: Iterator[pa.RecordBatch], *, index: SharedIndex
) -> Iterator[pa.RecordBatch]:
    mapped = index()
    schema = arrow_schema(MATCH_COLUMNS)
    for batch in batches:
        originals, spans = batch.column("text"), batch.column("spans")
        texts = edited(Texts.of_column(originals), spans)
        rows = []
        for row, matches in itertools.groupby(_matches(mapped, texts), key=itemgetter(0)):
            text, mapping = texts.text(row), EditMap(edits_of(spans[row].as_py()))
            document = {
                "doc_id": batch.column("doc_id")[row].as_py(),
                "source": batch.column("source")[row].as_py(),
                "num_chars": len(originals[row].as_py()),
            }
            for _, match in matches:
                start, end = mapping.to_original(match.start, match.end)
                ngram = text[match.start : match.end][:NGRAM_CHARS]
                span = {"start": start, "end": end, "ngram": ngram}
                rows.append({**document, "item": match.item, "gram": match.gram, **span})
        if rows:
            yield pa.RecordBatch.from_pylist(rows, schema=schema)


def _matches(index: BenchmarkIndex, texts: Texts) -> Iterator[tuple[int, Match]]:
    """(index of the text, match); in groups, whose arrays the processor's cache holds."""
    for span in texts.groups(GROUP_BYTES):
        for match in index.scan(texts.part(span)):
            yield span.start + match.text, match


def frequent_grams(matches: DataFrame, max_documents: int) -> DataFrame:
    """(gram, documents, ngram) of n-grams in more documents of one source than the bound."""
    by_source = matches.groupBy("gram", "source").agg(
        F.countDistinct("doc_id").alias("documents"), F.min("ngram").alias("ngram")
    )
    return (
        by_source.groupBy("gram")
        .agg(F.max("documents").alias("documents"), F.min("ngram").alias("ngram"))
        .where(F.col("documents") > max_documents)
    )


def decide_documents(
    matches: DataFrame, index: SharedIndex, config: DecontaminateConfig
) -> DataFrame:
    """Rows of `contamination` and `edits`: each document's matches come together first."""
    hit = F.struct("item", "start", "end", "ngram")
    documents = matches.groupBy("doc_id", "source", "num_chars").agg(
        F.array_sort(F.collect_set(hit)).alias("hits")
    )
    run = functools.partial(_decide_batches, index=index, config=config)
    return documents.mapInArrow(run, union_ddl(TABLES_WRITTEN))


def _decide_batches(
    batches: Iterator[pa.RecordBatch], *, index: SharedIndex, config: DecontaminateConfig
) -> Iterator[pa.RecordBatch]:
    names = index().names
    rows = UnionRows(TABLES_WRITTEN)
    for batch in batches:
        for document in batch.to_pylist():
            spans = joined_spans([(hit["start"], hit["end"]) for hit in document["hits"]])
            action, edits = decide(document["num_chars"], spans, config)
            head = {"doc_id": document["doc_id"], "source": document["source"]}
            for hit in _by_item(document["hits"]):
                benchmark, item = names[hit.pop("item")]
                rows.append(
                    "contamination", **head, benchmark=benchmark, item=item, action=action, **hit
                )
            for edit in edits:
                rows.append(
                    "edits",
                    doc_id=head["doc_id"],
                    start=edit.start,
                    end=edit.end,
                    replacement="",
                    stage="decontaminate",
                    reason="benchmark",
                )
            yield from rows.full_batches()
    yield from rows.remaining_batches()


def _by_item(hits: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Overlapping n-grams of one item as one hit, with the words of the first."""
    by_item: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for hit in hits:
        by_item[hit["item"]].append(hit)
    for item, own in sorted(by_item.items()):
        first_words = {hit["start"]: hit["ngram"] for hit in reversed(own)}
        for start, end in joined_spans([(hit["start"], hit["end"]) for hit in own]):
            yield {"item": item, "start": start, "end": end, "ngram": first_words[start]}


def decide(
    num_chars: int, spans: Sequence[tuple[int, int]], config: DecontaminateConfig
) -> tuple[str, list[Edit]]:
    """What happens to a document with matches, and the edits of a cut.

    A cut takes the match and `cut_chars` on each side, and pieces that are left too short; where
    too many pieces are left, or none, the document is dropped (Brown et al. 2020, appendix C).
    """
    if config.action != "cut":
        return config.action, []
    cuts = [
        Edit(start, end)
        for start, end in joined_spans(
            [(max(0, s - config.cut_chars), min(num_chars, e + config.cut_chars)) for s, e in spans]
        )
    ]
    borders = [0, *(b for cut in cuts for b in (cut.start, cut.end)), num_chars]
    pieces = list(zip(borders[::2], borders[1::2], strict=True))
    kept = [piece for piece in pieces if piece[1] - piece[0] >= config.min_piece_chars]
    if not kept or len(kept) > config.max_pieces:
        return "drop", []
    short = [Edit(*piece) for piece in pieces if piece not in kept and piece[1] > piece[0]]
    return "cut", merge_edits([*cuts, *short])
