"""Each rule as it judged each group of languages: value, bounds, their source, and what it dropped."""

from __future__ import annotations

from collections import Counter

from refinery.clean.config import CleanConfig
from refinery.filters.rules import bounds_group, bounds_groups, rules_for
from refinery.report.data import RuleBound
from refinery.report.tables import Tables

_FAILED = """
SELECT reason, coalesce(lang, '') AS lang, count(*) AS failed,
  count(*) FILTER (WHERE reason = drop_reason) AS first
FROM (SELECT lang, drop_reason, unnest(list_distinct(reasons)) AS reason FROM ledger)
GROUP BY ALL
"""


def rule_bounds(tables: Tables, config: CleanConfig | None) -> tuple[RuleBound, ...]:
    """Rules that dropped or failed any document, by the languages that share bounds; in the rules' order."""
    if config is None:
        return ()
    failed: Counter[tuple[str, str]] = Counter()
    first: Counter[tuple[str, str]] = Counter()
    for row in tables.ask(_FAILED):
        key = row["reason"], bounds_group(row["lang"] or None, config.rules)
        failed[key] += row["failed"]
        first[key] += row["first"]
    return tuple(
        RuleBound(
            rule=rule.name,
            group=group,
            value=rule.value,
            meaning=rule.meaning,
            minimum=rule.bounds.minimum,
            maximum=rule.bounds.maximum,
            source=rule.source,
            failed=failed[rule.name, group],
            first=first[rule.name, group],
        )
        for group in bounds_groups(config.rules)
        for rule in rules_for(group, config.rules)
        if failed[rule.name, group]
    )
