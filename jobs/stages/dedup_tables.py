"""What the dedup job reads and writes besides its verdicts: payload hashes, the index, edits."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial, reduce

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.pipeline.stage import StageContext
from refinery.dedup import recurring
from refinery.dedup.components import Persist
from refinery.dedup.config import DedupConfig
from refinery.dedup.dumps import Known
from refinery.dedup.earlier import EarlierRun
from refinery.dedup.facts import RecurringPassage
from refinery.dedup.index import index_files, index_rows, known_documents, read_sets, write_index
from refinery.dedup.lsh import scheme_name
from refinery.publish import storage
from schemas.tables import TABLES

EXAMPLES = 20


def payload_hashes(context: StageContext, config: DedupConfig) -> DataFrame | None:
    """(doc_id, payload_sha256); None where bytes are not compared or no payload was kept."""
    record = context.records.get("ingest")
    if not config.exact_bytes or record is None or "fetches" not in record.tables:
        return None
    # Equal ids have equal payloads: the id is a hash over them.
    rows = context.read("fetches").groupBy("doc_id")
    return rows.agg(F.min("payload_sha256").alias("payload_sha256"))


def read_known(
    spark: SparkSession, runs: Sequence[EarlierRun], config: DedupConfig
) -> Known | None:
    """What earlier runs left; None where there are none."""
    if not runs:
        return None
    ddl = TABLES["signatures"].ddl
    uris = [run.table_uri("signatures") for run in runs]
    signatures = [spark.read.schema(ddl).parquet(uri) for uri in uris if storage.exists(uri)]
    edge_uris = [run.table_uri("edges") for run in runs]
    edges = [spark.createDataFrame([], TABLES["edges"].ddl)] + [
        spark.read.schema(TABLES["edges"].ddl).parquet(uri)
        for uri in edge_uris
        if storage.exists(uri)
    ]
    return Known(
        known_documents(reduce(DataFrame.unionByName, signatures)),
        reduce(DataFrame.unionByName, edges),
        partial(read_sets, files=index_files(uris), num_buckets=config.index_buckets),
    )


def publish_signatures(
    context: StageContext, documents: DataFrame, sets: DataFrame, config: DedupConfig
) -> None:
    """Write `signatures`: the index of a run that later ones compare with, or its narrow form."""
    scheme = scheme_name(config)
    if not config.keep_index:
        context.write("signatures", index_rows(documents, None, scheme, config.index_buckets))
        return
    rows = index_rows(documents, sets, scheme, config.index_buckets)
    write_index(rows, context.table_uri("signatures"))


def write_recurring(
    context: StageContext,
    documents: DataFrame,
    order: DataFrame,
    config: DedupConfig,
    persist: Persist,
) -> tuple[RecurringPassage, ...]:
    """Write `edits` of passages that many of the kept documents hold; returns the commonest."""
    rules = config.recurring
    if rules is None or not recurring.limits(rules):
        return ()
    gone = context.read_back("duplicates").select("doc_id")
    kept = documents.join(gone, ["doc_id"], how="left_anti")
    passages = persist(recurring.passages_of(kept, rules))
    frequent = persist(recurring.frequent_passages(passages, rules))
    context.write("edits", recurring.recurring_edits(passages, frequent, order))
    for row in context.read_back("edits").groupBy("reason").count().collect():
        context.counts[row["reason"]] = row["count"]
    context.counts["recurring:documents"] = (
        context.read_back("edits").select("doc_id").distinct().count()
    )
    return recurring.examples(frequent, kept.select("doc_id", "text"), most=EXAMPLES)
