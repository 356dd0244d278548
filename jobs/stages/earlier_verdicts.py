"""What earlier stages decided about documents, as later stages read it: edits and duplicates."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from pyspark.sql import DataFrame

from jobs.pipeline.stage import StageContext


def written_edits(context: StageContext, stages: Sequence[str]) -> DataFrame | None:
    """Edits of earlier stages, or `None` where they wrote none: then no text needs a join."""
    tables = []
    for stage in stages:
        record = context.records.get(stage)
        if record is not None and "edits" in record.tables and record.tables["edits"].rows:
            tables.append(context.read("edits", stage=stage))
    return reduce(DataFrame.unionByName, tables) if tables else None


def removed_duplicates(context: StageContext) -> DataFrame:
    """Rows of `duplicates` whose documents leave: none where dedup only marks."""
    rows = context.read("duplicates")
    return rows if context.recipe.dedup.removes else rows.limit(0)
