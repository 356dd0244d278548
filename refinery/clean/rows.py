"""The clean stage inside Spark: document batches in, rows of four tables out."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame

from refinery.clean.cleaner import (
    RULE_VERSIONS,
    CleanDocument,
    Cleaner,
    NormalizedPage,
    Payload,
    Rejected,
)
from refinery.clean.config import CleanConfig
from refinery.clean.stored_verdicts import StoredVerdicts
from refinery.quality.classifier import ModelFiles, local_models
from refinery.sources.selection import EXCLUDED
from refinery.tables import UnionRows, union_ddl

TABLES_WRITTEN = ("cleaned", "ledger", "edits", "rejects")
INPUT_COLUMNS = (
    "doc_id", "source", "url", "mime", "charset", "payload", "file", "offset", "num_fetches",
    "is_excluded",
)  # fmt: skip


def clean_documents(
    documents: DataFrame,
    config: CleanConfig,
    models: Mapping[str, ModelFiles],
    *,
    verdicts_uri: str | None = None,
) -> DataFrame:
    """Rows of `cleaned`, `ledger`, `edits` and `rejects`; lazy, one crossing into Python.

    `documents` carries INPUT_COLUMNS, `models` the URIs by head. No document is removed: each gives one row of `cleaned` (and
    its twin in `ledger`) or one of `rejects`. What the guard ends is stored under `verdicts_uri` and found there by the next try.
    """
    run = functools.partial(_clean_batches, config=config, models=models, verdicts_uri=verdicts_uri)
    return documents.select(*INPUT_COLUMNS).mapInArrow(run, union_ddl(TABLES_WRITTEN))


def normalize_documents(
    documents: DataFrame, config: CleanConfig, *, verdicts_uri: str | None = None
) -> DataFrame:
    """(doc_id, source, text) of documents, as the classifier will see them; rejects left out."""
    run = functools.partial(_normalize_batches, config=config, verdicts_uri=verdicts_uri)
    columns = ("doc_id", "source", "url", "mime", "charset", "payload")
    return documents.select(*columns).mapInArrow(run, "doc_id string, source string, text string")


def _payloads(batch: pa.RecordBatch) -> list[Payload]:
    columns = (
        batch.column(name).to_pylist() for name in ("payload", "mime", "charset", "url", "doc_id")
    )
    return [Payload(*row) for row in zip(*columns, strict=True)]


def _normalize_batches(
    batches: Iterator[pa.RecordBatch], *, config: CleanConfig, verdicts_uri: str | None
) -> Iterator[pa.RecordBatch]:
    with Cleaner(config, {}, verdicts=_verdicts(verdicts_uri)) as cleaner:
        for batch in batches:
            pages = cleaner.normalize(_payloads(batch))
            kept = [i for i, page in enumerate(pages) if isinstance(page, NormalizedPage)]
            texts = [page.text for page in pages if isinstance(page, NormalizedPage)]
            places = pa.array(kept, pa.int64())
            yield pa.RecordBatch.from_arrays(
                [
                    batch.column("doc_id").take(places),
                    batch.column("source").take(places),
                    pa.array(texts, pa.string()),
                ],
                ["doc_id", "source", "text"],
            )


def _verdicts(uri: str | None) -> StoredVerdicts | None:
    return None if uri is None else StoredVerdicts(uri)


def _clean_batches(
    batches: Iterator[pa.RecordBatch],
    *,
    config: CleanConfig,
    models: Mapping[str, ModelFiles],
    verdicts_uri: str | None,
) -> Iterator[pa.RecordBatch]:
    rows = UnionRows(TABLES_WRITTEN)
    with Cleaner(config, local_models(models), verdicts=_verdicts(verdicts_uri)) as cleaner:
        for batch in batches:
            excluded = batch.column("is_excluded").to_pylist()
            payloads = [p for p, out in zip(_payloads(batch), excluded, strict=True) if not out]
            results = cleaner.clean(payloads)
            heads = batch.drop_columns(["payload"]).to_pylist()
            for head, out in zip(heads, excluded, strict=True):
                yield from _add_row(rows, head, None if out else next(results))
    yield from rows.flush()


def _add_row(
    rows: UnionRows, head: dict[str, Any], result: CleanDocument | Rejected | None
) -> Iterator[pa.RecordBatch]:
    """Add the rows of one document; None stands for an excluded one, whose text is not read."""
    place = {name: head[name] for name in ("doc_id", "source", "url")}
    if isinstance(result, Rejected):
        where = {"file": head["file"], "offset": head["offset"], "stage": "clean"}
        yield from rows.add(
            "rejects", **place, **where, reason=result.reason, message=result.message
        )
        return
    verdict = _excluded_row() if result is None else _verdict_row(result)
    verdict["num_fetches"] = head["num_fetches"]
    text = "" if result is None else result.page.text
    title = None if result is None else result.page.title
    yield from rows.add("cleaned", **place, **verdict, text=text, title=title)
    yield from rows.add("ledger", **place, **verdict, rule_versions=RULE_VERSIONS)
    for marked in result.edits if result is not None else ():
        edit = marked.edit
        yield from rows.add(
            "edits",
            doc_id=head["doc_id"],
            start=edit.start,
            end=edit.end,
            replacement=edit.replacement,
            stage="clean",
            reason=marked.reason,
        )


def _verdict_row(document: CleanDocument) -> dict[str, Any]:
    text = document.page.text
    return {
        "page_lang": document.page.page_lang,
        "published": document.page.published.isoformat() if document.page.published else None,
        "lang": document.lang,
        "lang_score": document.lang_score,
        "second_lang": document.second_lang.label if document.second_lang else None,
        "second_lang_share": document.second_lang.share if document.second_lang else None,
        "chinese": document.chinese,
        "num_chars": len(text),
        "num_words": document.num_words,
        "num_bytes": len(text.encode()),
        "values": list(document.values.items()),
        "scores": list(document.scores.items()),
        "domain": document.domain,
        "counters": list(document.page.counters.items()),
        "reasons": document.reasons,
        "drop_reason": document.drop_reason,
    }


def _excluded_row() -> dict[str, Any]:
    return {
        "page_lang": None, "published": None, "lang": None, "lang_score": None,
        "second_lang": None, "second_lang_share": None, "chinese": None, "num_chars": 0, "num_words": 0, "num_bytes": 0,
        "values": [], "scores": [], "domain": None, "counters": [], "reasons": [EXCLUDED], "drop_reason": EXCLUDED,
    }  # fmt: skip
