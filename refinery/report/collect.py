"""Ask the published tables of a run, and make the numbers of its report.

Counts and samples are SQL (refinery/query), so what is kept in memory is bounded; the shapes of values
are streamed. Samples are those with the smallest ids: ids are hashes, so that is fair and fixed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from refinery.ablation.yields import read_yields
from refinery.datasets.runs import Run
from refinery.mixture.facts import MixtureFacts
from refinery.mixture.plan import SourcePlan
from refinery.publish.records import StageRecord
from refinery.quality.facts import QualityFacts
from refinery.report.contamination_numbers import contamination_numbers, hit_ids
from refinery.report.data import (
    DomainCount,
    MixtureRow,
    PackingNumbers,
    ReasonCount,
    RejectCount,
    ReportData,
    StageNumbers,
)
from refinery.report.dedup_numbers import dedup_numbers, pair_ids
from refinery.report.edit_numbers import edit_counts, edit_examples, sampled_edits
from refinery.report.excerpts import excerpt, offence, read_texts
from refinery.report.funnel import count_funnel, sums_that_must_hold
from refinery.report.homographs import homograph_rows
from refinery.report.rule_numbers import rule_bounds
from refinery.report.run_facts import missing_stages, run_facts, unmatched_lists
from refinery.report.shapes import clean_settings, ledger_numbers
from refinery.report.tables import Tables
from refinery.report.vocabulary import vocabulary_numbers
from schemas.errors import ContractError
from schemas.manifest import Manifest, Split

SAMPLES = 6  # documents, of each kind of sample
TOP_DOMAINS = 25


def collect(run: Run) -> ReportData:
    """The numbers of a run; of an unfinished one, as far as its stages tell.

    Raises:
        ContractError: A sum that must hold does not: rows were lost.
    """
    with Tables(run.store, run.records) as tables:
        return _collect(run, tables)


def _collect(run: Run, tables: Tables) -> ReportData:
    store, records, manifest = run.store, run.records, run.manifest
    sources = count_funnel(tables, manifest)
    checks = sums_that_must_hold(sources, finished=manifest is not None)
    broken = [check for check in checks if not check.holds]
    if broken:
        lines = "; ".join(f"{c.claim}: {c.left} != {c.right}" for c in broken)
        raise ContractError(f"the tables do not add up: {lines}")
    config = clean_settings(tables)
    dropped, kept = sample_ids(tables)
    edits = sampled_edits(tables)
    texts = read_texts(
        tables,
        [*dropped, *kept, *pair_ids(tables), *hit_ids(tables), *(edit.doc_id for edit in edits)],
    )
    mixture = records["mixture"].facts_of(MixtureFacts) if "mixture" in records else None
    return ReportData(
        name=manifest.name if manifest else run.file.name if run.file else run.output,
        root=manifest.root if manifest else "",
        seq_len=manifest.seq_len if manifest else 0,
        vocab_size=manifest.tokenizer.vocab_size if manifest else 0,
        created_at=manifest.created_at if manifest else _last_start(records),
        sources=sources,
        checks=tuple(checks),
        stages_missing=missing_stages(run),
        run=run_facts(run),
        unmatched_lists=unmatched_lists(records),
        yields=read_yields(run.output),
        reasons_by_source=_reasons(tables, "source"),
        reasons_by_language=_reasons(tables, "language"),
        rules=rule_bounds(tables, config),
        edits=edit_counts(tables),
        edit_examples=edit_examples(edits, texts),
        domains=tuple(
            DomainCount(**row) for row in tables.ask_ready("top-domains", limit=TOP_DOMAINS)
        ),
        kept_samples=tuple(excerpt(texts[i], None) for i in kept if i in texts),
        dropped_samples=tuple(offence(texts[i], why) for i, why in dropped.items() if i in texts),
        dedup=dedup_numbers(tables, texts),
        contamination=contamination_numbers(tables, texts),
        vocabulary=vocabulary_numbers(store, records, [texts[i].text for i in kept if i in texts]),
        gopher=config.rules.gopher if config is not None else None,
        homographs=homograph_rows(tables),
        cards=_cards(records),
        mixture=tuple(_mixture_row(plan, manifest) for plan in (mixture.plan if mixture else ())),
        mixture_warnings=mixture.warnings if mixture else (),
        packing={"train": _packing(manifest.train), "heldout": _packing(manifest.heldout)}
        if manifest
        else {},
        rejects=tuple(RejectCount(**row) for row in tables.ask(_REJECTS)),
        reject_samples=_reject_samples(tables),
        records=_record_types(tables),
        stages=tuple(_stage_numbers(record, manifest) for record in records.values()),
        **dataclasses.asdict(ledger_numbers(tables)),
    )


_REJECTS = """
SELECT coalesce(source, '') AS source, stage, reason, count(*) AS rejects FROM rejects
GROUP BY ALL ORDER BY rejects DESC, source, stage, reason
"""
_REJECT_SAMPLES = """
SELECT source, file, url, reason, message, "offset" FROM rejects
WHERE stage = $stage ORDER BY source, file, "offset", url LIMIT $samples::BIGINT
"""
_DROPPED = "SELECT drop_reason, min(doc_id, 2) AS ids FROM ledger WHERE drop_reason IS NOT NULL GROUP BY drop_reason ORDER BY drop_reason"  # fmt: skip
_KEPT = "SELECT source, min(doc_id, 6) AS ids FROM fates WHERE fate = 'kept' GROUP BY source ORDER BY source"  # fmt: skip
_RECORD_TYPES = "SELECT type, sum(\"count\")::BIGINT AS n FROM records GROUP BY type ORDER BY n DESC, type"  # fmt: skip


def _last_start(records: Mapping[str, StageRecord]) -> str:
    return max((record.started_at for record in records.values()), default="")


def _reasons(tables: Tables, by: str) -> tuple[ReasonCount, ...]:
    """Documents by first reason and by source or language, the commonest pair first."""
    group = {"source": "source", "language": "lang"}[by]
    return tuple(
        ReasonCount(
            reason=row["reason"],
            group=row[group],
            documents=row["documents"],
            text_bytes=row["text_bytes"],
        )
        for row in tables.ask_ready(f"reasons-by-{by}")
    )


def _stage_numbers(record: StageRecord, manifest: Manifest | None) -> StageNumbers:
    return StageNumbers(
        stage=record.stage,
        seconds=record.seconds,
        cost=record.cost,
        rows={name: table.rows for name, table in record.tables.items()},
        bytes=_written(record, manifest),
    )


def _cards(records: Mapping[str, StageRecord]) -> dict[str, dict[str, float | int | None]]:
    """What the page shows of each trained classifier."""
    if "quality" not in records:
        return {}
    return {
        head: {
            "auc": card.auc,
            "precision": card.precision,
            "recall": card.recall,
            "training_documents": card.training_documents,
            "test_documents": card.test_documents,
        }
        for head, card in records["quality"].facts_of(QualityFacts).cards.items()
    }


def sample_ids(tables: Tables) -> tuple[dict[str, str], list[str]]:
    """Ids of dropped documents, two of each reason, and of kept ones, some of each source.

    Kept is what stays to the end; of each source as many as make `SAMPLES` of all together, and one
    at least.
    """
    dropped = tables.ask(_DROPPED)
    kept = tables.ask(_KEPT)
    from_each = max(1, -(-SAMPLES // max(1, len(kept))))
    return (
        {doc_id: row["drop_reason"] for row in dropped for doc_id in row["ids"]},
        [doc_id for row in kept for doc_id in row["ids"][:from_each]],
    )


def _written(record: StageRecord, manifest: Manifest | None) -> int:
    """Bytes of a stage's tables; of packing, those of the shards."""
    if record.stage == "pack" and manifest is not None:
        splits = (manifest.train, manifest.heldout)
        return sum(shard.bytes for split in splits for shard in split.shards)
    return sum(table.bytes for table in record.tables.values())


def _mixture_row(plan: SourcePlan, manifest: Manifest | None) -> MixtureRow:
    """The plan of one source, and what packing made of it."""
    summary = manifest.train.sources.get(plan.source) if manifest else None
    return MixtureRow(
        source=plan.source,
        documents=plan.documents,
        tokens=plan.tokens,
        weight_asked=plan.weight_asked,
        weight_got=plan.weight_got,
        epochs=plan.epochs,
        packed_tokens=summary.packed_tokens if summary else 0,
        dropped_tokens=summary.dropped_tokens if summary else 0,
        drawn_tokens=summary.drawn_tokens if summary else 0,
        used_documents=summary.documents if summary else 0,
        used_tokens=summary.tokens if summary else 0,
        bytes_per_token=(
            round(summary.text_bytes / summary.tokens, 3) if summary and summary.tokens else None
        ),
    )


def _packing(split: Split) -> PackingNumbers:
    account = split.account
    return PackingNumbers(
        rows=split.rows,
        tokens_in=account.tokens_in,
        packed=account.packed,
        dropped=account.dropped,
        padding=account.padding,
        drawn=account.drawn,
        control=account.control,
        shards=len(split.shards),
        bytes=sum(shard.bytes for shard in split.shards),
    )


def _reject_samples(tables: Tables) -> tuple[tuple[str, str, str], ...]:
    """(source and address or file, reason, message) of the first rejects of each stage."""
    rows = [
        row
        for stage in ("ingest", "clean")
        for row in tables.ask(_REJECT_SAMPLES, stage=stage, samples=SAMPLES)
    ]
    return tuple((_location(row), row["reason"], row["message"] or "") for row in rows)


def _location(row: Mapping[str, Any]) -> str:
    """Where a reject is: its address, or its file and the offset in it."""
    if row["url"]:
        return f"{row['source']}: {row['url']}"
    offset = "" if row["offset"] is None else f", at {row['offset']:,}"
    return f"{row['source']}/{row['file']}{offset}"


def _record_types(tables: Tables) -> dict[str, int]:
    return {row["type"]: row["n"] for row in tables.ask(_RECORD_TYPES)}
