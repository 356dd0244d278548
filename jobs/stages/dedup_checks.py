"""What the dedup and decontamination jobs share: scratch tables, earlier edits, a gate."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.pipeline.stage import StageContext
from refinery.dedup.components import Persist
from refinery.publish import storage
from schemas.errors import QualityGateError


@contextmanager
def scratch(context: StageContext) -> Iterator[Persist]:
    """Write rows beside the attempt and read them back; all of it is removed at the end.

    A killed run leaves them; they go with the attempts of dead runs.
    """
    folder = f"{context.attempt_uri}.scratch"
    number = itertools.count()

    def persist(rows: DataFrame) -> DataFrame:
        uri = storage.join_uri(folder, str(next(number)))
        rows.write.mode("error").parquet(uri)
        return context.spark.read.schema(rows.schema).parquet(uri)

    yield persist
    system, path = storage.file_system(folder)
    if system.exists(path):
        system.rm(path, recursive=True)


def written_edits(context: StageContext, stages: Sequence[str]) -> DataFrame | None:
    """Edits of earlier stages, or `None` where they wrote none: then no text needs a join."""
    found = []
    for stage in stages:
        record = context.records.get(stage)
        if record is not None and "edits" in record.tables and record.tables["edits"].rows:
            found.append(context.read("edits", stage=stage))
    return reduce(DataFrame.unionByName, found) if found else None


def removed_duplicates(context: StageContext) -> DataFrame:
    """Rows of `duplicates` whose documents leave: none where dedup only marks."""
    rows = context.read("duplicates")
    return rows if context.recipe.dedup.removes else rows.limit(0)


def check_contamination(context: StageContext, *, num_documents: int) -> None:
    """Stop where more is removed than real contamination ever takes: a rule is wrong then.

    Raises:
        QualityGateError: With the words that matched in most documents.
    """
    config = context.recipe.decontaminate
    assert config is not None
    hits = context.read_back("contamination")
    num_hit = hits.select("doc_id").distinct().count()
    num_dropped = hits.where("action = 'drop'").select("doc_id").distinct().count()
    context.counts.update(scanned=num_documents, contaminated=num_hit, dropped=num_dropped)
    if num_hit <= config.max_removal_fraction * num_documents:
        return
    commonest = (
        hits.groupBy("ngram")
        .agg(F.countDistinct("doc_id").alias("docs"), F.min("benchmark").alias("benchmark"))
        .orderBy(F.desc("docs"), "ngram")
        .limit(5)
        .collect()
    )
    shown = "\n  ".join(f"{r['docs']} x {r['benchmark']}: {r['ngram'][:120]!r}" for r in commonest)
    raise QualityGateError(
        f"decontaminate: {num_hit} of {num_documents} documents hold a benchmark item, more than "
        f"recipe.decontaminate.max_removal_fraction {config.max_removal_fraction}; what matched:"
        f"\n  {shown}"
    )
