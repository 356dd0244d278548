"""Run the cleaner inside Spark: batches of documents come in, rows of four tables go out."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame

from refinery.clean.cleaner import RULE_VERSIONS, Cleaner
from refinery.clean.config import CleanConfig
from refinery.clean.pages import CleanDocument, NormalizedPage, Payload, Rejected
from refinery.clean.stored_verdicts import StoredVerdicts
from refinery.quality.scorers import HeadModel, local_models
from refinery.sources.exclusions import EXCLUDED
from refinery.tables import UnionRows, union_ddl
from schemas.own_code import code_fingerprint

TABLES_WRITTEN = ("cleaned", "ledger", "edits", "rejects")
INPUT_COLUMNS = (
    "doc_id", "source", "url", "mime", "charset", "payload", "file", "offset", "num_fetches",
    "is_excluded",
)  # fmt: skip


def clean_documents(
    documents: DataFrame,
    config: CleanConfig,
    models: Mapping[str, HeadModel],
    *,
    verdicts_uri: str | None = None,
) -> DataFrame:
    """Rows of `cleaned`, `ledger`, `edits` and `rejects`; lazy, one crossing into Python.

    `documents` carries INPUT_COLUMNS, `models` the URIs by head. No document is removed: each gives one row of `cleaned` (and
    its twin in `ledger`) or one of `rejects`. What the guard ends is stored under `verdicts_uri` and found there by the next try.
    """
    run = functools.partial(
        _clean_batches,
        config=config,
        models=models,
        verdicts_uri=verdicts_uri,
        rule_versions=_rule_versions(config),
    )
    return documents.select(*INPUT_COLUMNS).mapInArrow(run, union_ddl(TABLES_WRITTEN))


def _rule_versions(config: CleanConfig) -> str:
    """Versions of our rules, and the recipe's own with the beginning of their fingerprints."""
    own = [f"{name} {code_fingerprint(name)[:12]}" for name in config.rules.python]
    return ", ".join([RULE_VERSIONS, *own])


def normalize_documents(
    documents: DataFrame, config: CleanConfig, *, verdicts_uri: str | None = None
) -> DataFrame:
    """(doc_id, source, text) of documents as the classifier will read them, without rejects."""
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
            indices = pa.array(kept, pa.int64())
            yield pa.RecordBatch.from_arrays(
                [
                    batch.column("doc_id").take(indices),
                    batch.column("source").take(indices),
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
    models: Mapping[str, HeadModel],
    verdicts_uri: str | None,
    rule_versions: str,
) -> Iterator[pa.RecordBatch]:
    rows = UnionRows(TABLES_WRITTEN)
    with Cleaner(config, local_models(models), verdicts=_verdicts(verdicts_uri)) as cleaner:
        for batch in batches:
            is_excluded = batch.column("is_excluded")
            # A filter copies all pages.
            read = batch.filter(pc.invert(is_excluded)) if pc.any(is_excluded).as_py() else batch
            results = cleaner.clean(_payloads(read))
            for head in batch.drop_columns(["payload"]).to_pylist():
                if head["is_excluded"]:
                    _append_verdict(rows, head, _excluded_row(), rule_versions)
                else:
                    _append_result(rows, head, next(results), rule_versions)
                yield from rows.full_batches()
    yield from rows.remaining_batches()


def _append_result(
    rows: UnionRows, head: dict[str, Any], result: CleanDocument | Rejected, rule_versions: str
) -> None:
    """Append the rows of one document that was read: a reject, or its verdict and its edits."""
    if isinstance(result, Rejected):
        rows.append(
            "rejects",
            **_origin(head),
            file=head["file"],
            offset=head["offset"],
            stage="clean",
            reason=result.reason,
            message=result.message,
        )
        return
    page = result.page
    _append_verdict(rows, head, _verdict_row(result), rule_versions, page)
    for marked in result.edits:
        edit = marked.edit
        rows.append(
            "edits",
            doc_id=head["doc_id"],
            start=edit.start,
            end=edit.end,
            replacement=edit.replacement,
            stage="clean",
            reason=marked.reason,
        )


def _append_verdict(
    rows: UnionRows,
    head: dict[str, Any],
    verdict: dict[str, Any],
    rule_versions: str,
    page: NormalizedPage | None = None,
) -> None:
    """Append the document to `cleaned`, and without its text to `ledger`; an excluded one has no page."""
    columns = {**_origin(head), **verdict, "num_fetches": head["num_fetches"]}
    text, title = (page.text, page.title) if page is not None else ("", None)
    rows.append("cleaned", **columns, text=text, title=title)
    rows.append("ledger", **columns, rule_versions=rule_versions)


def _origin(head: dict[str, Any]) -> dict[str, Any]:
    return {name: head[name] for name in ("doc_id", "source", "url")}


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
