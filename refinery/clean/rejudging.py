"""Verdicts of a ledger under settings that take fewer decisions, or others by score; texts are not read.

A decision that is switched off takes its reason away, and leaves all others as they were. Reasons that
scores give are made anew from the scores in the table.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame

from refinery.clean.config import CleanConfig
from refinery.clean.judging import REMOVED_WORDS
from refinery.filters.config import UrlConfig
from refinery.filters.python_rules import VERDICT
from refinery.filters.urls import BLOCKED_DOMAIN, BLOCKED_WORD, SOFT_WORDS
from refinery.filters.word_lists import words_reason
from refinery.language.config import UNSURE, UNWANTED
from refinery.quality.classifier import head_reasons, quality_reasons
from refinery.quality.config import QUALITY, HeadConfig, QualityConfig
from refinery.quality.reasons import HEAD, LOW_SCORE, PARETO, TOP, head_sampled
from refinery.quality.sampling import is_sampled_out
from refinery.sources.exclusions import EXCLUDED


def rejudged(rows: DataFrame, config: CleanConfig) -> DataFrame:
    """Rows of `cleaned` or `ledger` with the reasons of other settings; ranks by score are left out.

    `refinery.quality.top_fraction.mark_beyond` adds those, for they depend on all documents.
    """
    run = functools.partial(_rejudge_batches, config=config)
    return rows.mapInArrow(run, rows.schema)


def _rejudge_batches(
    batches: Iterator[pa.RecordBatch], *, config: CleanConfig
) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        ids = batch.column("doc_id").to_pylist()
        scores = [dict(one or ()) for one in batch.column("scores").to_pylist()]
        reasons = [
            reasons_under(config, before or [], score, doc_id)
            for before, score, doc_id in zip(
                batch.column("reasons").to_pylist(), scores, ids, strict=True
            )
        ]
        columns = {name: batch.column(name) for name in batch.schema.names}
        columns["reasons"] = pa.array(reasons, batch.schema.field("reasons").type)
        firsts = [one[0] if one else None for one in reasons]
        columns["drop_reason"] = pa.array(firsts, batch.schema.field("drop_reason").type)
        yield pa.RecordBatch.from_arrays(list(columns.values()), schema=batch.schema)


def reasons_under(
    config: CleanConfig, before: Sequence[str], scores: Mapping[str, float], doc_id: str
) -> list[str]:
    """The reasons of a document under settings that differ from the run's by decisions alone.

    Args:
        config: Settings of cleaning that no decision was added to, but by score.
        before: Its reasons in the run.
        scores: Its scores; empty for a document that was taken down.
        doc_id: Its id, which decides where documents are sampled.
    """
    if EXCLUDED in before:
        return list(before)
    plain = [reason for reason in before if not _is_of_score(reason) and is_given(reason, config)]
    if not scores:
        return plain
    if QUALITY in scores:
        plain += quality_reasons(scores[QUALITY], config.quality)
    plain += head_reasons(scores, config.heads)
    chosen = {QUALITY: config.quality.pareto}
    chosen |= {head: one.pareto for head, one in config.heads.items()}
    for head, pareto in chosen.items():
        if pareto is None or head not in scores:
            continue
        if is_sampled_out(np.array([scores[head]]), [doc_id], pareto)[0]:
            plain.append(head_sampled(head))
    return plain


def _is_of_score(reason: str) -> bool:
    return reason == LOW_SCORE or reason.startswith((HEAD, PARETO, TOP))


def is_given(reason: str, config: CleanConfig) -> bool:
    """Whether the settings still take the decision that gave a reason."""
    if _is_of_score(reason):
        return _is_given_by_score(reason, config)
    rules, language = config.rules, config.language
    if reason == UNWANTED:
        return language.languages is not None
    if reason == UNSURE:
        return language.min_score is not None or bool(language.min_score_by_language)
    if reason in (BLOCKED_DOMAIN, BLOCKED_WORD, SOFT_WORDS):
        return rules.urls != UrlConfig()
    if reason == REMOVED_WORDS:
        return rules.max_removed_words is not None
    for category, words in rules.word_lists.items():
        if reason == words_reason(category):
            return words.action == "drop"
    # A function of the recipe's own is no rule with bounds: it stays.
    return reason.startswith(VERDICT) or (rules.enabled and reason not in rules.disabled)


def _is_given_by_score(reason: str, config: CleanConfig) -> bool:
    if reason == LOW_SCORE:
        return config.quality.min_score is not None
    name = reason.partition(":")[2]
    head: HeadConfig | QualityConfig | None = config.heads.get(name)
    if name == QUALITY and head is None:
        head = config.quality
    if head is None:
        return False
    if reason.startswith(HEAD):
        return isinstance(head, HeadConfig) and (head.min_score, head.max_score) != (None, None)
    return (head.pareto if reason.startswith(PARETO) else head.top) is not None
