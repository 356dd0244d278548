"""What the ledger holds, counted: reasons, languages, and distributions with their thresholds."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from refinery.clean.config import CleanConfig
from refinery.filters.rules import bounds_group, bounds_groups, rules_for
from refinery.filters.shipped_rules import Rule
from refinery.report.data import Histogram
from refinery.report.tables import Tables
from refinery.whatif.maps import map_columns

SHOWN_RULES = 9
# Length in words is shown whether or not it failed many.
LENGTH_RULE = "gopher:words"
LANGUAGE = "language confidence"
SHARE_EDGES = np.linspace(0, 1, 26)
# Of scores from tables, which are losses in nats more often than shares.
NAT_EDGES = np.linspace(-2, 12, 57)
COUNT_EDGES = np.concatenate(([0.0], np.logspace(0, 6, 25)))


@dataclass(frozen=True, kw_only=True)
class LedgerNumbers:
    """What the ledger holds, as `ReportData` has it."""

    drop_reasons: dict[str, int]
    all_reasons: dict[str, int]
    languages: dict[str, int]
    counters: dict[str, int]
    histograms: dict[str, Histogram]
    rule_histograms: dict[str, Histogram]


_FIRST = "SELECT drop_reason AS name, count(*) AS n FROM ledger WHERE drop_reason IS NOT NULL GROUP BY name ORDER BY n DESC, name"  # fmt: skip
_EVERY = "SELECT unnest(reasons) AS name, count(*) AS n FROM ledger GROUP BY name ORDER BY n DESC, name"  # fmt: skip
_LANGUAGES = "SELECT lang AS name, count(*) AS n FROM ledger WHERE lang IS NOT NULL GROUP BY name ORDER BY n DESC, name LIMIT 30"  # fmt: skip
_COUNTERS = "SELECT entry.key AS name, sum(entry.value)::BIGINT AS n FROM (SELECT unnest(map_entries(counters)) AS entry FROM ledger) GROUP BY name ORDER BY name"  # fmt: skip


def ledger_numbers(tables: Tables) -> LedgerNumbers:
    """Counts in SQL; shapes in one pass over the ledger, and in a second one for those of the rules."""
    chars = np.zeros(len(COUNT_EDGES) - 1, np.int64)
    shares: dict[str, NDArray[np.int64]] = {LANGUAGE: np.zeros(len(SHARE_EDGES) - 1, np.int64)}
    edges = dict.fromkeys(_table_scores(tables), NAT_EDGES)
    for batch in tables.batches("clean", "ledger", ("lang_score", "num_chars", "scores")):
        chars += _histogram(_floats(batch.column("num_chars")), COUNT_EDGES)
        scores = {LANGUAGE: _floats(batch.column("lang_score"))}
        scores |= {f"score: {n}": s for n, s in map_columns(batch.column("scores")).items()}
        for name, values in scores.items():
            counts = _histogram(values, edges.get(name, SHARE_EDGES))
            shares[name] = shares[name] + counts if name in shares else counts
    marks = _score_marks(clean_settings(tables))
    histograms = {"length": _made(COUNT_EDGES, chars, (), "characters")} | {
        name: _made(edges.get(name, SHARE_EDGES), shares[name], marks.get(name, ()), "score")
        for name in sorted(shares)
    }

    def counted(sql: str) -> dict[str, int]:
        return {row["name"]: row["n"] for row in tables.ask(sql)}

    return LedgerNumbers(
        drop_reasons=counted(_FIRST),
        all_reasons=counted(_EVERY),
        languages=counted(_LANGUAGES),
        counters=counted(_COUNTERS),
        histograms=histograms,
        rule_histograms=rule_histograms(tables),
    )


def _table_scores(tables: Tables) -> list[str]:
    """Names of the scores that tables gave, as their histograms are named."""
    record = tables.records.get("clean")
    heads = record.settings.get("heads", {}) if record is not None else {}
    return [f"score: {name}" for name, head in heads.items() if "column" in head]


def _score_marks(config: CleanConfig | None) -> dict[str, tuple[float, ...]]:
    if config is None:
        return {}
    bounds = {
        LANGUAGE: (config.language.min_score,),
        "score: quality": (config.quality.min_score,),
        **{f"score: {n}": (head.min_score, head.max_score) for n, head in config.heads.items()},
    }
    return {name: tuple(v for v in pair if v is not None) for name, pair in bounds.items()}


def _made(
    edges: NDArray[np.float64], counts: NDArray[np.int64], marks: tuple[float, ...], unit: str
) -> Histogram:
    return Histogram(edges=_plain(edges), counts=tuple(counts.tolist()), marks=marks, unit=unit)


def _floats(column: pa.Array) -> NDArray[np.float64]:
    return np.asarray(column.cast(pa.float64()).fill_null(np.nan).to_numpy(zero_copy_only=False))


def rule_histograms(tables: Tables) -> dict[str, Histogram]:
    """Values behind length and the rules that failed most documents, by `rule · language`.

    Each histogram holds the documents of the languages that share the bounds; the bounds are those
    that the recipe chose, in the form of the program that it named.
    """
    config = clean_settings(tables)
    if config is None or not config.rules.enabled:
        return {}
    chosen = _most_failed(tables, config)
    counts = {key: np.zeros(len(edges_of(rule)) - 1, np.int64) for key, rule in chosen.items()}
    for batch in tables.batches("clean", "ledger", ("lang", "values")):
        labels = batch.column("lang").to_pylist()
        groups = np.array([bounds_group(label, config.rules) for label in labels], object)
        columns = map_columns(batch.column("values"))
        for (name, group), rule in chosen.items():
            column = columns.get(rule.value)
            if column is not None:
                counts[name, group] += _histogram(column[groups == group], edges_of(rule))
    return {
        f"{name} · {group}": _made(
            edges_of(rule),
            counts[name, group],
            tuple(edge for edge in (rule.bounds.minimum, rule.bounds.maximum) if edge is not None),
            rule.value.replace("_", " "),
        )
        for (name, group), rule in chosen.items()
        if counts[name, group].any()
    }


def clean_settings(tables: Tables) -> CleanConfig | None:
    """The settings that the clean stage ran with; None where an older run did not record them."""
    settings = tables.records["clean"].settings if "clean" in tables.records else {}
    return CleanConfig.model_validate(settings["clean"]) if "clean" in settings else None


def edges_of(rule: Rule) -> NDArray[np.float64]:
    """Even edges for a share, logarithmic ones for a count."""
    bounds = [edge for edge in (rule.bounds.minimum, rule.bounds.maximum) if edge is not None]
    return SHARE_EDGES if max(bounds, default=1.0) <= 1 else COUNT_EDGES


def _most_failed(tables: Tables, config: CleanConfig) -> dict[tuple[str, str], Rule]:
    failed: Counter[tuple[str, str]] = Counter()
    groups: Counter[str] = Counter()
    for batch in tables.batches("clean", "ledger", ("lang", "reasons")):
        labels = batch.column("lang").to_pylist()
        groups.update(bounds_group(label, config.rules) for label in labels)
        reasons = batch.column("reasons")
        parents = pc.list_parent_indices(reasons)
        languages = pc.take(batch.column("lang"), parents).to_pylist()
        flat = pc.list_flatten(reasons).to_pylist()
        failed.update(
            (name, bounds_group(label, config.rules))
            for name, label in zip(flat, languages, strict=True)
        )
    rules = {
        (rule.name, group): rule
        for group in bounds_groups(config.rules)
        for rule in rules_for(group, config.rules)
    }
    ranked = sorted((key for key in failed if key in rules), key=lambda key: (-failed[key], key))
    shown = [group for group, count in groups.most_common() if count * 100 >= groups.total()]
    lengths = [(LENGTH_RULE, group) for group in shown]
    chosen = [key for key in lengths if key in rules] + ranked[:SHOWN_RULES]
    return {key: rules[key] for key in dict.fromkeys(chosen)}


def _histogram(values: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.int64]:
    known = np.clip(values[~np.isnan(values)], edges[0], edges[-1])
    return np.asarray(np.histogram(known, edges)[0], np.int64)


def _plain(edges: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(np.round(edges, 4).tolist())
