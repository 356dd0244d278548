"""Read committed tables with Arrow and make the numbers of a report.

Tables are streamed batch by batch; what is kept in memory is counters, histograms and a bounded
number of samples, chosen by the smallest ids (ids are hashes, so that is a fair and fixed choice).
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from refinery.mixture.facts import MixtureFacts
from refinery.mixture.plan import SourcePlan
from refinery.publish.records import StageRecord
from refinery.publish.store import Store
from refinery.quality.facts import QualityFacts
from refinery.report.contamination_numbers import contamination_numbers, hit_ids
from refinery.report.data import (
    MixtureRow,
    PackingNumbers,
    ReportData,
    StageNumbers,
)
from refinery.report.dedup_numbers import dedup_numbers, pair_ids
from refinery.report.excerpts import excerpt, offence, read_texts
from refinery.report.funnel import count_funnel, sums_that_must_hold
from refinery.report.homographs import homograph_rows
from refinery.report.shapes import clean_settings, ledger_numbers
from refinery.report.tables import Tables
from refinery.report.vocabulary import vocabulary_numbers
from schemas.errors import ContractError
from schemas.manifest import Manifest, Split

SAMPLES = 6  # documents, of each kind of sample


def collect(store: Store, records: Mapping[str, StageRecord], manifest: Manifest) -> ReportData:
    """The numbers of a finished run.

    Raises:
        ContractError: A sum that must hold does not: rows were lost.
    """
    tables = Tables(store, records)
    sources = count_funnel(tables, manifest)
    checks = sums_that_must_hold(sources)
    broken = [check for check in checks if not check.holds]
    if broken:
        lines = "; ".join(f"{c.claim}: {c.left} != {c.right}" for c in broken)
        raise ContractError(f"the tables do not add up: {lines}")
    ledger = ledger_numbers(tables)
    config = clean_settings(tables)
    dropped, kept = sample_ids(tables)
    texts = read_texts(tables, [*dropped, *kept, *pair_ids(tables), *hit_ids(tables)])
    mixture = records["mixture"].facts_of(MixtureFacts)
    return ReportData(
        name=manifest.name,
        root=manifest.root,
        seq_len=manifest.seq_len,
        vocab_size=manifest.tokenizer.vocab_size,
        created_at=manifest.created_at,
        sources=sources,
        checks=tuple(checks),
        kept_samples=tuple(excerpt(texts[i], None) for i in kept if i in texts),
        dropped_samples=tuple(offence(texts[i], why) for i, why in dropped.items() if i in texts),
        dedup=dedup_numbers(tables, texts),
        contamination=contamination_numbers(tables, texts),
        vocabulary=vocabulary_numbers(store, records, [texts[i].text for i in kept if i in texts]),
        gopher=config.rules.gopher if config is not None else None,
        homographs=homograph_rows(tables),
        cards=_cards(records),
        mixture=tuple(_mixture_row(plan, manifest) for plan in mixture.plan),
        mixture_warnings=mixture.warnings,
        packing={"train": _packing(manifest.train), "heldout": _packing(manifest.heldout)},
        rejects=dict(
            (
                tables.count("ingest", "rejects", "reason")
                + tables.count("clean", "rejects", "reason")
            ).most_common()
        ),
        reject_samples=_reject_samples(tables),
        records=_record_types(tables),
        stages=tuple(_stage_numbers(record, manifest) for record in records.values()),
        drop_reasons=ledger.drop_reasons,
        all_reasons=ledger.all_reasons,
        languages=ledger.languages,
        counters=ledger.counters,
        histograms=ledger.histograms,
        rule_histograms=ledger.rule_histograms,
    )


def _stage_numbers(record: StageRecord, manifest: Manifest) -> StageNumbers:
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

    The smallest ids. Kept is what stays to the end; of each source as many as make `SAMPLES` of all
    together, and one at least.
    """
    dropped = tables.batches("clean", "ledger", ("doc_id", "drop_reason"))
    by_reason = _smallest(dropped, most=2)
    fates = tables.batches("tokenise", "fates", ("doc_id", "source", "fate"))
    kept = (batch.filter(pc.equal(batch.column("fate"), "kept")) for batch in fates)
    by_source = _smallest(kept, most=SAMPLES)
    from_each = max(1, -(-SAMPLES // max(1, len(by_source))))
    return (
        {i: reason for reason, ids in by_reason.items() for i in ids},
        [i for ids in by_source.values() for i in ids[:from_each]],
    )


def _smallest(batches: Iterable[pa.RecordBatch], *, most: int) -> dict[str, list[str]]:
    """The smallest ids (first column) of each group (second column), in order of the groups."""
    groups: dict[str, list[str]] = defaultdict(list)
    for batch in batches:
        for doc_id, group in zip(batch[0].to_pylist(), batch[1].to_pylist(), strict=True):
            if group is None:
                continue
            chosen = groups[group]
            if len(chosen) < most or doc_id < chosen[-1]:
                chosen.append(doc_id)
                chosen.sort()
                del chosen[most:]
    return dict(sorted(groups.items()))


def _written(record: StageRecord, manifest: Manifest) -> int:
    """Bytes of a stage's tables; of packing, those of the shards."""
    if record.stage == "pack":
        splits = (manifest.train, manifest.heldout)
        return sum(shard.bytes for split in splits for shard in split.shards)
    return sum(table.bytes for table in record.tables.values())


def _mixture_row(plan: SourcePlan, manifest: Manifest) -> MixtureRow:
    """The plan of one source, and what packing made of it."""
    summary = manifest.train.sources.get(plan.source)
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
    columns = ("source", "file", "reason", "message", "offset")
    rows: list[dict[str, Any]] = []
    for stage in ("ingest", "clean"):
        rows += heapq.nsmallest(
            SAMPLES,
            tables.rows(stage, "rejects", columns),
            key=lambda row: (row["source"] or "", row["file"] or "", row["offset"] or 0),
        )
    return tuple((f"{r['source']}/{r['file']}", r["reason"], r["message"] or "") for r in rows)


def _record_types(tables: Tables) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for row in tables.rows("ingest", "records", ("type", "count")):
        counts[row["type"]] += row["count"]
    return dict(counts.most_common())
