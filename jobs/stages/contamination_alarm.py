"""The alarm of decontaminate: more contaminated documents than the recipe allows stop the job."""

from __future__ import annotations

from pyspark.sql import functions as F

from jobs.pipeline.stage import StageContext
from schemas.errors import QualityGateError

SHOWN, NGRAM_CHARS = 5, 120


def check_contamination(context: StageContext, *, num_documents: int) -> None:
    """Count what was found; stop where it is more than real contamination ever is: a rule is wrong.

    Raises:
        QualityGateError: With the words that matched in most documents.
    """
    config = context.recipe.decontaminate
    assert config is not None, "the stage runs only where the recipe names benchmarks"
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
        .limit(SHOWN)
        .collect()
    )
    shown = "\n  ".join(
        f"{r['docs']} x {r['benchmark']}: {r['ngram'][:NGRAM_CHARS]!r}" for r in commonest
    )
    raise QualityGateError(
        f"decontaminate: {num_hit} of {num_documents} documents hold a benchmark item, more than "
        f"recipe.decontaminate.max_removal_fraction {config.max_removal_fraction}; what matched:"
        f"\n  {shown}"
    )
