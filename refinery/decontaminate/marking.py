"""Contamination of documents in Spark, and the edits that a cut makes."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterator, Sequence

import pyarrow as pa
from pyspark.sql import DataFrame

from refinery.decontaminate.config import DecontaminateConfig
from refinery.decontaminate.index import BenchmarkIndex, Hit
from refinery.edits import Edit, merge_edits
from refinery.tables import UnionRows, union_ddl
from refinery.text_batch import TextBatch

TABLES_WRITTEN = ("contamination", "edits")
NGRAM_CHARS = 300


def scan_documents(
    documents: DataFrame, index: BenchmarkIndex, config: DecontaminateConfig
) -> DataFrame:
    """Rows of `contamination` and `edits`; `documents` carries doc_id, source and text."""
    context = documents.sparkSession.sparkContext
    shared = context.broadcast(index)
    run = functools.partial(_scan_batches, index=shared, config=config)
    return documents.select("doc_id", "source", "text").mapInArrow(run, union_ddl(TABLES_WRITTEN))


def _scan_batches(
    batches: Iterator[pa.RecordBatch], *, index: object, config: DecontaminateConfig
) -> Iterator[pa.RecordBatch]:
    value: BenchmarkIndex = index.value  # type: ignore[attr-defined]
    rows = UnionRows(TABLES_WRITTEN)
    for batch in batches:
        texts = batch.column("text").to_pylist()
        by_text: dict[int, list[Hit]] = defaultdict(list)
        for hit in value.scan(TextBatch.of(texts)):
            by_text[hit.text].append(hit)
        heads = batch.drop_columns(["text"]).to_pylist()
        for place, hits in by_text.items():
            action, edits = decide(texts[place], hits, config)
            for hit in hits:
                item = value.items[hit.item]
                yield from rows.add(
                    "contamination",
                    **heads[place],
                    benchmark=item.benchmark,
                    item=item.item_id,
                    ngram=texts[place][hit.start : hit.end][:NGRAM_CHARS],
                    start=hit.start,
                    end=hit.end,
                    action=action,
                )
            for edit in edits:
                yield from rows.add(
                    "edits",
                    doc_id=heads[place]["doc_id"],
                    start=edit.start,
                    end=edit.end,
                    replacement="",
                    stage="decontaminate",
                    reason="benchmark",
                )
    yield from rows.flush()


def decide(
    text: str, hits: Sequence[Hit], config: DecontaminateConfig
) -> tuple[str, list[Edit]]:
    """What happens to a document with hits, and the edits of a cut.

    A cut takes the match and `cut_chars` on each side, and pieces that are left too short; where
    too many pieces are left, or none, the document is dropped (Brown et al. 2020, appendix C).
    """
    if config.action != "cut":
        return config.action, []
    wide = [
        Edit(max(0, hit.start - config.cut_chars), min(len(text), hit.end + config.cut_chars))
        for hit in hits
    ]
    cuts = merge_edits(wide)
    borders = [0, *(b for cut in cuts for b in (cut.start, cut.end)), len(text)]
    pieces = list(zip(borders[::2], borders[1::2], strict=True))
    kept = [piece for piece in pieces if piece[1] - piece[0] >= config.min_piece_chars]
    if not kept or len(kept) > config.max_pieces:
        return "drop", []
    short = [Edit(*piece) for piece in pieces if piece not in kept and piece[1] > piece[0]]
    return "cut", merge_edits([*cuts, *short])
