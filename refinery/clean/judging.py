"""Verdicts on normalised pages: language, values, rules, scores, and the edits that follow from them.

Whole groups of pages are measured at once, vectorised; then each page is judged by itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from refinery.clean.config import CleanConfig
from refinery.clean.own_calls import GuardedScorer, OwnCalls, own_calls
from refinery.clean.pages import CleanDocument, NormalizedPage, Rejected
from refinery.filters.gopher_variants import variant_values
from refinery.filters.lines import LineEdits, line_edits, removed_word_fractions, sentences_left
from refinery.filters.python_rules import OwnVerdicts, RuleInput, run_python_rules
from refinery.filters.rules import PYTHON, failed_rules
from refinery.filters.urls import url_reasons
from refinery.filters.values import compute_values, measure_parts
from refinery.filters.word_lists import words_reason
from refinery.language.domains import domain_of
from refinery.language.identify import Language, language_reason
from refinery.language.mixture import Reading, chinese_variety, read_languages
from refinery.publish.own_code import Failure, run_each
from refinery.quality.actions import head_marks, head_masks
from refinery.quality.classifier import head_reasons, quality_reasons
from refinery.quality.config import QUALITY, HeadConfig, PythonScorerConfig
from refinery.quality.reasons import head_sampled
from refinery.quality.sampling import is_sampled_out
from refinery.quality.scorers import HeadModel, Scorer, load_scorer
from refinery.sources.record import short_message
from refinery.text.batch import GROUP_CHARS, TextBatch, spans_of_groups
from refinery.text.language_labels import CHINESE
from refinery.text.marked_edit import MarkedEdit

REMOVED_WORDS = "lines:removed_words"
DOMAIN_PREFIX = "domain:prefix"


@dataclass(frozen=True, kw_only=True)
class Measurements:
    """What was computed for a group of pages at once; each sequence has an entry per page.

    Attributes:
        pages: With the edits of line rules.
        readings: The languages of each page.
        values: What the rules look at, by name of the value.
        failed: Reasons of the rules that a page fails.
        removed_words: The fraction of a page's words that edits take away.
        scores: Scores of all pages, by head.
        own: What the recipe's functions said; its failures are those of scorers, too.
    """

    pages: Sequence[NormalizedPage]
    readings: Sequence[Reading]
    num_words: Sequence[int]
    values: Mapping[str, npt.NDArray[np.float64]]
    failed: Sequence[list[str]]
    removed_words: Sequence[float]
    scores: Mapping[str, Sequence[float]]
    own: OwnVerdicts


class Judge:
    """Gives the verdicts of one recipe; `models` holds what scores each head, with local files."""

    def __init__(self, config: CleanConfig, models: Mapping[str, HeadModel]) -> None:
        self._config = config
        self._models = models

    def judge(self, pages: Sequence[NormalizedPage]) -> list[CleanDocument | Rejected]:
        """Verdicts in the order of the pages; a page on which the recipe's own code failed is rejected."""
        documents: list[CleanDocument | Rejected] = []
        # Small groups keep the arrays of a batch in the processor's cache and memory bounded.
        for span in spans_of_groups([page.text for page in pages], GROUP_CHARS):
            measured = self._measure(pages[span])
            documents += [self._judge_page(measured, index) for index in range(len(measured.pages))]
        return documents

    def _measure(self, pages: Sequence[NormalizedPage]) -> Measurements:
        rules = self._config.rules
        texts = [page.text for page in pages]
        readings = read_languages(texts, self._config.language)
        labels = [reading.first.label for reading in readings]
        batch = TextBatch.of(texts)
        values = compute_values(batch)
        parts = {doc: one.part for doc, one in enumerate(readings) if one.part is not None}
        measure_parts(values, parts)
        if rules.lines:
            cut = line_edits(batch, rules.lines)
            values["sentences"] = sentences_left(batch, cut.edits)
            pages = _with_line_edits(pages, cut)
        if rules.gopher is not None:
            judged = [parts.get(doc, text) for doc, text in enumerate(texts)]
            values |= variant_values(judged, labels, rules.gopher)
        own = self._own_verdicts(pages, labels)
        values |= own.values
        scores = self._scores(texts, own.failures)
        return Measurements(
            pages=pages,
            readings=readings,
            num_words=batch.num_tokens.tolist(),
            values=values,
            failed=failed_rules(values, labels, rules),
            removed_words=removed_word_fractions(batch, [page.edits for page in pages]).tolist(),
            scores=scores,
            own=own,
        )

    def _own_verdicts(self, pages: Sequence[NormalizedPage], labels: Sequence[str]) -> OwnVerdicts:
        documents = [
            RuleInput(page.text, label, page.url, page.title)
            for page, label in zip(pages, labels, strict=True)
        ]
        names = self._config.rules.python
        return run_python_rules(names, documents, self._calls().run if names else None)

    def _calls(self) -> OwnCalls:
        """The child for the recipe's functions; forked when the first of them is called."""
        own = [
            model.python for model in self._models.values() if isinstance(model, PythonScorerConfig)
        ]
        return own_calls(self._config.own_code, (*self._config.rules.python, *own))

    def _scores(self, texts: Sequence[str], failures: dict[int, Failure]) -> dict[str, list[float]]:
        """Scores by head; what a scorer raises is added to the failures."""
        scores = {}
        for head, scorer in self._scorers().items():
            found, failed = run_each(scorer.score, texts, name=f"head {head}")
            scores[head] = [0.0 if score is None else score for score in found]
            for index, failure in failed.items():
                failures.setdefault(index, failure)
        return scores

    def _scorers(self) -> dict[str, Scorer]:
        return {
            head: GuardedScorer(load_scorer(model), self._calls())
            if isinstance(model, PythonScorerConfig)
            else load_scorer(model)
            for head, model in self._models.items()
        }

    def _judge_page(self, measured: Measurements, index: int) -> CleanDocument | Rejected:
        page, reading = measured.pages[index], measured.readings[index]
        if index in measured.own.failures and not page.is_kept:
            failure = measured.own.failures[index]
            return Rejected(failure.reason, short_message(failure.message))
        language = reading.first
        scores = {head: column[index] for head, column in measured.scores.items()}
        reasons = [
            *self._reasons(page, language, measured.failed[index], measured.removed_words[index]),
            *measured.own.reasons[index],
            *self._score_reasons(scores, page.doc_id),
        ]
        domain = domain_of(scores)
        if page.is_kept:
            reasons = []
        else:
            masked, failed = run_each(partial(self._with_actions, scores), [page], name="heads")
            if failed:
                return Rejected(failed[0].reason, short_message(failed[0].message))
            page = masked[0] or page
            page = _with_prefix(page, domain, self._config.domain_prefix)
        is_chinese = language.label in CHINESE
        return CleanDocument(
            page=page,
            lang=language.label,
            lang_score=language.score,
            second_lang=reading.second,
            chinese=chinese_variety(page.text, self._config.language) if is_chinese else None,
            num_words=measured.num_words[index],
            values={
                name: float(column[index])
                for name, column in measured.values.items()
                if not name.startswith(PYTHON) or not np.isnan(column[index])
            },
            scores=scores,
            reasons=reasons,
            domain=domain,
        )

    def _with_actions(
        self, scores: Mapping[str, float], pages: Sequence[NormalizedPage]
    ) -> list[NormalizedPage]:
        """Marks and masks of heads, whose scorers may be the user's own."""
        heads, scorers = self._config.heads, self._scorers()
        return [_with_head_actions(page, scores, heads, scorers) for page in pages]

    def _score_reasons(self, scores: Mapping[str, float], doc_id: str | None) -> list[str]:
        """Reasons of the classifiers: quality, other heads, sampling by score."""
        quality = (
            quality_reasons(scores[QUALITY], self._config.quality) if QUALITY in scores else []
        )
        heads = head_reasons(scores, self._config.heads)
        return [*quality, *heads, *self._sampled_out(scores, doc_id)]

    def _sampled_out(self, scores: Mapping[str, float], doc_id: str | None) -> list[str]:
        """Reasons of sampling by score; a document without an id is never sampled out."""
        chosen = {QUALITY: self._config.quality.pareto}
        chosen |= {head: config.pareto for head, config in self._config.heads.items()}
        return [
            head_sampled(head)
            for head, config in chosen.items()
            if config is not None
            and doc_id is not None
            and head in scores
            and is_sampled_out(np.array([scores[head]]), [doc_id], config)[0]
        ]

    def _reasons(
        self, page: NormalizedPage, language: Language, failed: list[str], removed: float
    ) -> list[str]:
        """Reasons in the order of the ledger: address, language, rules, line rules, word lists."""
        rules = self._config.rules
        unfit = language_reason(language, self._config.language)
        reasons = [*url_reasons(page.url, rules.urls), *([unfit] if unfit else []), *failed]
        if rules.max_removed_words is not None and removed > rules.max_removed_words:
            reasons.append(REMOVED_WORDS)
        reasons += [
            words_reason(category)
            for category, words in rules.word_lists.items()
            if words.action == "drop"
            and page.counters.get(words_reason(category), 0) >= words.min_count
        ]
        return reasons


def _with_head_actions(
    page: NormalizedPage,
    scores: Mapping[str, float],
    heads: Mapping[str, HeadConfig],
    scorers: Mapping[str, Scorer],
) -> NormalizedPage:
    """Count the marks of heads and add their masks; most recipes have neither."""
    counted = Counter(head_marks(scores, heads))
    masks = head_masks(page.text, heads, scorers)
    if not counted and not masks:
        return page
    counted.update(mask.reason for mask in masks)
    return replace(page, counters={**page.counters, **counted}, edits=(*page.edits, *masks))


def _with_prefix(page: NormalizedPage, domain: str | None, prefix: str | None) -> NormalizedPage:
    """Put the domain before the text, as an edit that replaces nothing."""
    if domain is None or prefix is None:
        return page
    edit = MarkedEdit.of(0, 0, prefix.replace("{domain}", domain), DOMAIN_PREFIX)
    return replace(page, edits=(edit, *page.edits))


def _with_line_edits(pages: Sequence[NormalizedPage], cut: LineEdits) -> list[NormalizedPage]:
    """Put edits of line rules before masks: where two overlap, the first one's replacement stays."""
    return [
        replace(page, counters={**page.counters, **counts}, edits=(*edits, *page.edits))
        if edits and not page.is_kept
        else page
        for page, edits, counts in zip(pages, cut.edits, cut.counts, strict=True)
    ]
