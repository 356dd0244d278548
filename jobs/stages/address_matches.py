"""Count what each take-down and each list of addresses met, so that one that meets nothing is said."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.pipeline.stage import StageContext
from refinery.filters.urls import BLOCKED_DOMAIN
from refinery.sources.config import ExcludeConfig
from refinery.sources.exclusions import EXCLUDED, Exclusions, excluded_by


def count_matches(context: StageContext) -> dict[str, int]:
    """Documents of this attempt's ledger by entry of `exclude` and of `clean.rules.urls`."""
    urls = context.recipe.clean.rules.urls
    ledger = context.read_back("ledger")
    excluded = ledger.where(F.col("drop_reason") == EXCLUDED)
    blocked = ledger.where(F.array_contains("reasons", BLOCKED_DOMAIN))
    return {
        **_counts(excluded, context.recipe.exclude, "exclude"),
        **_counts(blocked, ExcludeConfig(domains=urls.domains, lists=urls.lists), "rules.urls"),
    }


def _counts(rows: DataFrame, config: ExcludeConfig, section: str) -> dict[str, int]:
    names = Exclusions(config).names
    if not names:
        return {}
    found = rows.select(F.explode(excluded_by(config)).alias("entry")).groupBy("entry").count()
    counts = {row["entry"]: row["count"] for row in found.collect()}
    return {f"{section}: {name}": counts.get(name, 0) for name in names}
