"""Read committed tables with Arrow and make the numbers of a report.

Tables are streamed batch by batch; what is kept in memory is counters, histograms and a bounded
number of samples, chosen by the smallest ids (ids are hashes, so that is a fair and fixed choice).
"""

from __future__ import annotations

import heapq
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from refinery.publish import storage
from refinery.publish.records import StageRecord
from refinery.publish.store import Store
from refinery.report.data import (
    Check,
    ContaminationNumbers,
    DedupNumbers,
    Histogram,
    MixtureRow,
    PackingNumbers,
    PairSample,
    ReportData,
    Sample,
    SourceFunnel,
    StageNumbers,
)
from schemas.errors import ContractError
from schemas.manifest import Manifest, Split

EXCERPT_CHARS = 600
CONTEXT_CHARS = 160
SAMPLES = 6
PAIRS = 4
CLUSTER_BINS = (2, 3, 4, 8, 16, 64, 256)


class Tables:
    """The published tables of one run."""

    def __init__(self, store: Store, records: Mapping[str, StageRecord]) -> None:
        self._store = store
        self.records = records

    def batches(self, stage: str, table: str, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Stream columns of a table; none where the stage did not run or wrote no row."""
        record = self.records.get(stage)
        if record is None:
            return
        uri = self._store.table_uri(record, table)
        if not storage.exists(uri):
            return
        system, path = storage.file_system(uri)
        dataset = ds.dataset(path, format="parquet", filesystem=system, exclude_invalid_files=False)
        yield from dataset.to_batches(columns=list(columns), batch_size=4096)

    def rows(self, stage: str, table: str, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
        """The same as dictionaries."""
        for batch in self.batches(stage, table, columns):
            yield from batch.to_pylist()

    def count(self, stage: str, table: str, column: str) -> Counter[Any]:
        """Rows by value of one column."""
        counts: Counter[Any] = Counter()
        for batch in self.batches(stage, table, (column,)):
            for entry in pc.value_counts(batch.column(column)).to_pylist():
                counts[entry["values"]] += entry["counts"]
        return counts


def collect(store: Store, records: Mapping[str, StageRecord], manifest: Manifest) -> ReportData:
    """The numbers of a finished run.

    Raises:
        ContractError: A sum that must hold does not: rows were lost.
    """
    tables = Tables(store, records)
    sources = _funnel(tables, manifest)
    checks = _checks(sources)
    broken = [check for check in checks if not check.holds]
    if broken:
        lines = "; ".join(f"{c.claim}: {c.left} != {c.right}" for c in broken)
        raise ContractError(f"the tables do not add up: {lines}")
    ledger = _ledger(tables)
    dropped, kept = _sample_ids(tables)
    texts = _texts(tables, [*dropped, *kept, *_pair_ids(tables), *_hit_ids(tables)])
    card = json.loads(records["quality"].facts["card"]) if "quality" in records else {}
    return ReportData(
        name=manifest.name,
        root=manifest.root,
        seq_len=manifest.seq_len,
        vocab_size=manifest.tokenizer.vocab_size,
        created_at=manifest.created_at,
        sources=sources,
        checks=tuple(checks),
        kept_samples=tuple(_excerpt(texts[i], None) for i in kept if i in texts),
        dropped_samples=tuple(_excerpt(texts[i], why) for i, why in dropped.items() if i in texts),
        dedup=_dedup(tables, texts),
        contamination=_contamination(tables, texts),
        quality_card={
            key: card[key]
            for key in ("auc", "precision", "recall", "training_documents", "test_documents")
            if key in card
        },
        mixture=_mixture(tables, manifest),
        mixture_warnings=tuple(json.loads(records["mixture"].facts.get("warnings", "[]"))),
        packing={"train": _packing(manifest.train), "heldout": _packing(manifest.heldout)},
        rejects=dict(
            (
                tables.count("ingest", "rejects", "reason")
                + tables.count("clean", "rejects", "reason")
            ).most_common()
        ),
        reject_samples=_reject_samples(tables),
        records=_record_types(tables),
        stages=tuple(
            StageNumbers(
                stage=record.stage,
                seconds=record.seconds,
                rows={name: table.rows for name, table in record.tables.items()},
                bytes=sum(table.bytes for table in record.tables.values()),
            )
            for record in records.values()
        ),
        **ledger,
    )


def _funnel(tables: Tables, manifest: Manifest) -> dict[str, SourceFunnel]:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for column, stage, table in (
        ("fetches", "ingest", "fetches"),
        ("refetched", "ingest", "refetches"),
    ):
        for source, count in tables.count(stage, table, "source").items():
            counts[source][column] += count
    for batch in tables.batches("tokenise", "fates", ("source", "fate")):
        pairs = zip(
            batch.column("source").to_pylist(), batch.column("fate").to_pylist(), strict=True
        )
        for (source, fate), count in Counter(pairs).items():
            counts[source][fate] += count
            counts[source]["documents"] += count
    for split, name in ((manifest.train, "train"), (manifest.heldout, "heldout")):
        for source, summary in split.sources.items():
            counts[source][name] += summary.documents
    for batch in tables.batches("mixture", "mixture", ("source", "copies")):
        unused = batch.filter(pc.equal(batch.column("copies"), 0))
        for source in unused.column("source").to_pylist():
            counts[source]["not_sampled"] += 1
    for columns in counts.values():
        # Documents that sample_fraction leaves out have no row in any later table.
        columns["sampled_out"] = (
            columns["fetches"] - columns["refetched"] - columns["documents"]
            if tables.records["clean"].counts["left_out_by_sample"]
            else 0
        )
    return {source: SourceFunnel(**columns) for source, columns in sorted(counts.items())}


def _checks(sources: Mapping[str, SourceFunnel]) -> list[Check]:
    def total(*names: str) -> int:
        return sum(int(getattr(s, name)) for s in sources.values() for name in names)

    fates = ("kept", "dropped", "duplicate", "contaminated", "excluded", "rejected")
    return [
        Check(
            claim="fetches = refetched + left out by sample_fraction + documents",
            left=total("fetches"),
            right=total("refetched", "sampled_out", "documents"),
        ),
        Check(
            claim="documents = " + " + ".join(fates), left=total("documents"), right=total(*fates)
        ),
        Check(
            claim="kept = train + held out + not sampled",
            left=total("kept"),
            right=total("train", "heldout", "not_sampled"),
        ),
    ]


def _ledger(tables: Tables) -> dict[str, Any]:
    """One pass over the ledger: reasons, languages, histograms, counters."""
    first: Counter[str] = Counter()
    every: Counter[str] = Counter()
    languages: Counter[str] = Counter()
    counters: Counter[str] = Counter()
    chars_edges = np.concatenate(([0], np.logspace(2, 6, 25)))
    share_edges = np.linspace(0, 1, 21)
    counts = {
        name: np.zeros(n, np.int64) for name, n in (("chars", 25), ("lang", 20), ("quality", 20))
    }
    columns = ("lang", "lang_score", "num_chars", "scores", "counters", "reasons", "drop_reason")
    for batch in tables.batches("clean", "ledger", columns):
        first.update(r for r in batch.column("drop_reason").to_pylist() if r is not None)
        every.update(batch.column("reasons").flatten().to_pylist())
        languages.update(lang for lang in batch.column("lang").to_pylist() if lang is not None)
        for entries in batch.column("counters").to_pylist():
            for name, count in entries or ():
                counters[name] += count
        scores = [
            value for entries in batch.column("scores").to_pylist() for _, value in entries or ()
        ]
        chars = np.clip(batch.column("num_chars").to_numpy(zero_copy_only=False), 0, 10**6)
        confidence = pc.drop_null(batch.column("lang_score")).to_numpy(zero_copy_only=False)
        counts["chars"] += np.histogram(chars, chars_edges)[0]
        counts["lang"] += np.histogram(confidence, share_edges)[0]
        counts["quality"] += np.histogram(scores, share_edges)[0]
    edges = {"chars": chars_edges, "lang": share_edges, "quality": share_edges}
    units = {"chars": "characters", "lang": "language confidence", "quality": "quality score"}
    return {
        "drop_reasons": dict(first.most_common()),
        "all_reasons": dict(every.most_common()),
        "languages": dict(languages.most_common(30)),
        "counters": dict(sorted(counters.items())),
        "histograms": {
            name: Histogram(
                edges=tuple(np.round(edges[name], 4).tolist()),
                counts=tuple(values.tolist()),
                unit=units[name],
            )
            for name, values in counts.items()
        },
    }


def _sample_ids(tables: Tables) -> tuple[dict[str, str], list[str]]:
    """Ids of dropped documents, two of each reason, and of kept ones: the smallest."""
    by_reason: dict[str, list[str]] = defaultdict(list)
    kept: list[str] = []
    for batch in tables.batches("clean", "ledger", ("doc_id", "drop_reason")):
        ids, reasons = batch.column("doc_id").to_pylist(), batch.column("drop_reason").to_pylist()
        for doc_id, reason in zip(ids, reasons, strict=True):
            chosen = kept if reason is None else by_reason[reason]
            if reason is None or len(chosen) < 2 or doc_id < chosen[-1]:
                chosen.append(doc_id)
                chosen.sort()
                del chosen[SAMPLES if reason is None else 2 :]
    return {i: reason for reason in sorted(by_reason) for i in by_reason[reason]}, kept


def _pair_rows(tables: Tables) -> list[dict[str, Any]]:
    """Near duplicates of the lowest similarity, one of a cluster: the ones that people should check."""
    weakest: dict[str, dict[str, Any]] = {}
    columns = ("doc_id", "kept_id", "method", "jaccard", "containment", "cluster")
    for row in tables.rows("dedup", "duplicates", columns):
        if row["method"] != "minhash":
            continue
        known = weakest.get(row["cluster"])
        if known is None or _weakness(row) < _weakness(known):
            weakest[row["cluster"]] = row
        if len(weakest) > 64 * PAIRS:
            weakest = {
                row["cluster"]: row for row in heapq.nsmallest(PAIRS, weakest.values(), _weakness)
            }
    return heapq.nsmallest(PAIRS, weakest.values(), _weakness)


def _weakness(row: Mapping[str, Any]) -> tuple[float, str]:
    return row["jaccard"], row["doc_id"]


def _pair_ids(tables: Tables) -> list[str]:
    return [row[name] for row in _pair_rows(tables) for name in ("doc_id", "kept_id")]


def _hit_rows(tables: Tables) -> list[dict[str, Any]]:
    columns = ("doc_id", "benchmark", "item", "start", "end")
    rows = tables.rows("decontaminate", "contamination", columns)
    return heapq.nsmallest(SAMPLES, rows, key=lambda row: (row["doc_id"], row["start"]))


def _hit_ids(tables: Tables) -> list[str]:
    return [row["doc_id"] for row in _hit_rows(tables)]


def _texts(tables: Tables, wanted: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Text, title and address of some documents; stops when all are found."""
    missing = set(wanted)
    found: dict[str, dict[str, Any]] = {}
    columns = ("doc_id", "source", "url", "title", "text")
    for batch in tables.batches("clean", "cleaned", columns):
        if not missing:
            break
        hit = pc.is_in(batch.column("doc_id"), value_set=pa.array(sorted(missing), pa.string()))
        for row in batch.filter(hit).to_pylist():
            found[row["doc_id"]] = row
            missing.discard(row["doc_id"])
    return found


def _excerpt(row: Mapping[str, Any], reason: str | None) -> Sample:
    return _sample(row, reason, before=row["text"][:EXCERPT_CHARS])


def _sample(row: Mapping[str, Any], reason: str | None, **parts: str) -> Sample:
    return Sample(
        doc_id=row["doc_id"],
        source=row["source"],
        url=row["url"][:300] if row["url"] else None,
        title=row["title"],
        reason=reason,
        **parts,
    )


def _dedup(tables: Tables, texts: Mapping[str, dict[str, Any]]) -> DedupNumbers | None:
    record = tables.records.get("dedup")
    if record is None:
        return None
    curve = json.loads(record.facts["s_curve"])
    clusters = tables.count("dedup", "duplicates", "cluster")
    sizes: Counter[str] = Counter()
    for removed in clusters.values():
        size = removed + 1
        low = max(b for b in CLUSTER_BINS if b <= size)
        later = [b for b in CLUSTER_BINS if b > low]
        sizes[f"{low}" if later and later[0] == low + 1 else f"{low}+"] += 1
    pairs = [
        PairSample(
            removed=_excerpt(texts[row["doc_id"]], None),
            kept=_excerpt(texts[row["kept_id"]], None),
            method=row["method"],
            jaccard=row["jaccard"],
            containment=row["containment"],
        )
        for row in _pair_rows(tables)
        if row["doc_id"] in texts and row["kept_id"] in texts
    ]
    return DedupNumbers(
        bands=curve["bands"],
        rows=curve["rows"],
        threshold=curve["threshold"],
        false_negative_area=curve["false_negative_area"],
        false_positive_area=curve["false_positive_area"],
        curve=tuple((x, y) for x, y in curve["points"]),
        by_method=dict(sorted(tables.count("dedup", "duplicates", "method").items())),
        cluster_sizes=dict(sorted(sizes.items(), key=lambda item: int(item[0].rstrip("+")))),
        weakest_jaccard=pairs[0].jaccard if pairs else None,
        capped_buckets=record.counts.get("capped_buckets", 0),
        pairs=tuple(pairs),
    )


def _contamination(
    tables: Tables, texts: Mapping[str, dict[str, Any]]
) -> ContaminationNumbers | None:
    record = tables.records.get("decontaminate")
    if record is None:
        return None
    documents: dict[str, set[str]] = defaultdict(set)
    items: dict[str, set[str]] = defaultdict(set)
    for row in tables.rows("decontaminate", "contamination", ("doc_id", "benchmark", "item")):
        documents[row["benchmark"]].add(row["doc_id"])
        items[row["benchmark"]].add(row["item"])
    measured = json.loads(record.facts["recall"])
    samples = []
    for row in _hit_rows(tables):
        if row["doc_id"] in texts:
            text, start, end = texts[row["doc_id"]]["text"], row["start"], row["end"]
            parts = {
                "before": text[max(0, start - CONTEXT_CHARS) : start],
                "marked": text[start:end][:EXCERPT_CHARS],
                "after": text[end : end + CONTEXT_CHARS],
            }
            label = f"{row['benchmark']}, item {row['item']}"
            samples.append(_sample(texts[row["doc_id"]], label, **parts))
    return ContaminationNumbers(
        documents_by_benchmark={name: len(ids) for name, ids in sorted(documents.items())},
        items_by_benchmark={name: len(ids) for name, ids in sorted(items.items())},
        items=record.counts.get("items", 0),
        uncovered_items=record.counts.get("uncovered_items", 0),
        recall={name: (r["found"], r["planted"]) for name, r in measured["recall"].items()},
        clean_documents=measured["clean_documents"],
        false_positives=measured["false_positives"],
        samples=tuple(samples),
    )


def _mixture(tables: Tables, manifest: Manifest) -> tuple[MixtureRow, ...]:
    rows = []
    for plan in json.loads(tables.records["mixture"].facts["plan"]):
        summary = manifest.train.sources.get(plan["source"])
        rows.append(
            MixtureRow(
                source=plan["source"],
                documents=plan["documents"],
                tokens=plan["tokens"],
                weight_asked=plan["weight_asked"],
                weight_got=plan["weight_got"],
                epochs=plan["epochs"],
                packed_tokens=summary.packed_tokens if summary else 0,
                bytes_per_token=(
                    round(summary.text_bytes / summary.tokens, 3)
                    if summary and summary.tokens
                    else None
                ),
            )
        )
    return tuple(rows)


def _packing(split: Split) -> PackingNumbers:
    account = split.account
    return PackingNumbers(
        rows=split.rows,
        tokens_in=account.tokens_in,
        packed=account.packed,
        dropped=account.dropped,
        padding=account.padding,
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
