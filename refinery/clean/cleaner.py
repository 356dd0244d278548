"""From payloads to cleaned documents: one pass over a batch, the same for Spark and `explain`.

Extraction and normalisation run in the guarded child; language, rules and the classifier run on the
whole batch, vectorised, on text that the child has bounded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from refinery.clean.config import CleanConfig
from refinery.clean.guard import Guard, Killed
from refinery.clean.stored_verdicts import StoredVerdicts
from refinery.extract.limits import PageRejected
from refinery.extract.page import EXTRACT_VERSION, extract_page
from refinery.filters.gopher_variants import GOPHER_VARIANTS_VERSION, variant_values
from refinery.filters.lines import (
    LINES_VERSION,
    LineEdits,
    line_edits,
    removed_word_fractions,
    sentences_left,
)
from refinery.filters.pii import PII_VERSION, find_pii
from refinery.filters.rules import RULES_VERSION, failed_rules
from refinery.filters.urls import URL_RULES_VERSION, url_reasons
from refinery.filters.values import VALUES_VERSION, compute_values
from refinery.filters.word_lists import WORD_LISTS_VERSION, find_words, words_reason
from refinery.language.domains import domain_of
from refinery.language.identify import Language, identify, language_reason
from refinery.language.mixture import SecondLanguage, Variety, chinese_variety, second_languages
from refinery.normalize.text import NORMALIZER_VERSION, normalize_text
from refinery.quality.actions import head_marks, head_masks
from refinery.quality.classifier import (
    Classifier,
    ModelFiles,
    head_reasons,
    load_classifier,
    quality_reasons,
)
from refinery.quality.config import QUALITY, HeadConfig
from refinery.quality.sampling import head_sampled, is_sampled_out
from refinery.sources.record import short_message, to_valid_text
from refinery.text.batch import TEXT_BATCH_VERSION, TextBatch
from refinery.text.marked_edit import MarkedEdit

EMPTY = "page:empty"
GROUP_CHARS = 400_000
REMOVED_WORDS = "lines:removed_words"
DOMAIN_PREFIX = "domain:prefix"
CLEAN_VERSIONS = (
    EXTRACT_VERSION,
    NORMALIZER_VERSION,
    TEXT_BATCH_VERSION,
    VALUES_VERSION,
    RULES_VERSION,
    GOPHER_VARIANTS_VERSION,
    LINES_VERSION,
    PII_VERSION,
    URL_RULES_VERSION,
    WORD_LISTS_VERSION,
)
# Written to each row of the ledger, so that rows of several runs can be told apart in one table.
RULE_VERSIONS = (
    f"values {VALUES_VERSION}, rules {RULES_VERSION}, lines {LINES_VERSION}, "
    f"urls {URL_RULES_VERSION}, words {WORD_LISTS_VERSION}"
)


@dataclass(frozen=True)
class Payload:
    """What the guarded child gets: one document as the archive holds it."""

    data: bytes
    mime: str
    charset: str | None
    url: str | None = None
    doc_id: str | None = None


@dataclass(frozen=True)
class NormalizedPage:
    """What the guarded child gives back.

    Attributes:
        extracted_text: Before normalisation.
        text: After it; edits count its code points.
        counters: How often steps of extraction and normalisation changed something, by name.
        edits: Line rules first, then masks.
        page_lang, published: As the page declares them.
    """

    extracted_text: str
    text: str
    title: str | None
    counters: dict[str, int]
    url: str | None = None
    edits: tuple[MarkedEdit, ...] = ()
    page_lang: str | None = None
    published: date | None = None
    doc_id: str | None = None


@dataclass(frozen=True)
class Rejected:
    """A document of which no text was got, and why."""

    reason: str
    message: str


@dataclass(frozen=True)
class CleanDocument:
    """All that the table `cleaned` says about one document."""

    page: NormalizedPage
    lang: str
    lang_score: float
    second_lang: SecondLanguage | None
    chinese: Variety | None
    num_words: int
    values: dict[str, float]
    scores: dict[str, float]
    reasons: list[str]
    domain: str | None = None

    @property
    def edits(self) -> tuple[MarkedEdit, ...]:
        return self.page.edits

    @property
    def drop_reason(self) -> str | None:
        return self.reasons[0] if self.reasons else None


class Cleaner:
    """Cleans batches of payloads. It owns the guarded child: use it as a context manager."""

    def __init__(
        self,
        config: CleanConfig,
        models: Mapping[str, ModelFiles],
        *,
        verdicts: StoredVerdicts | None = None,
    ) -> None:
        """Take settings, models and earlier verdicts.

        Args:
            config: Settings of the clean stage.
            models: Local files by head; empty where the recipe trains none.
            verdicts: The guard's verdicts of earlier tries; new ones are added to them.
        """
        self._config = config
        self._verdicts = verdicts
        self._models = models
        self._guard: Guard[Payload, NormalizedPage | Rejected] = Guard(
            self._prepare, config.extract.guard
        )

    def __enter__(self) -> Cleaner:
        return self

    def __exit__(self, *error: object) -> None:
        self._guard.close()

    def _prepare(self, payload: Payload) -> NormalizedPage | Rejected:
        """Extract and normalise one document; runs in the child."""
        try:
            page = extract_page(
                payload.data,
                mime=payload.mime,
                charset=payload.charset,
                config=self._config.extract,
            )
        except PageRejected as error:
            return Rejected(error.reason, short_message(error.message))
        except (ValueError, RuntimeError) as error:
            return Rejected("page:parser", short_message(error))
        raw = to_valid_text(page.text)
        done = normalize_text(raw, self._config.normalize)
        counters = dict(done.counters)
        if page.num_replaced:
            counters["undecodable"] = page.num_replaced
        if page.is_misdeclared:
            counters["misdeclared_charset"] = 1
        if page.is_linked:
            counters["linked_data"] = 1
        title = to_valid_text(page.title) if page.title else None
        return self._with_edits(
            NormalizedPage(
                raw,
                done.text,
                title,
                counters,
                payload.url,
                page_lang=page.language,
                published=page.published,
                doc_id=payload.doc_id,
            )
        )

    def _with_edits(self, page: NormalizedPage) -> NormalizedPage:
        """Add the masks of personal data and listed words; patterns run under the child's limits."""
        rules = self._config.rules
        edits = find_pii(page.text, rules.pii) if rules.pii is not None else []
        words, masks = find_words(page.text, rules.word_lists)
        if not edits and not words:
            return page
        counters = {**page.counters, **words, **Counter(edit.reason for edit in edits)}
        return replace(page, counters=counters, edits=(*edits, *masks))

    def normalize(self, payloads: Sequence[Payload]) -> list[NormalizedPage | Rejected]:
        """Text of each payload, or why there is none; language, rules and scores are left out."""
        results: list[NormalizedPage | Rejected] = []
        for result in self._run_guarded(payloads):
            if isinstance(result, Killed):
                results.append(Rejected(result.reason, result.message))
            elif isinstance(result, NormalizedPage) and not result.text.strip():
                results.append(Rejected(EMPTY, "no text was left after extraction"))
            else:
                results.append(result)
        return results

    def _run_guarded(
        self, payloads: Sequence[Payload]
    ) -> Iterator[NormalizedPage | Rejected | Killed]:
        """Results in order; a document with a stored verdict is not tried again."""
        if self._verdicts is None:
            yield from self._guard.map(payloads)
            return
        earlier = [self._verdicts.find(payload.doc_id) for payload in payloads]
        untried = [p for p, known in zip(payloads, earlier, strict=True) if known is None]
        fresh = self._guard.map(untried)
        for payload, known in zip(payloads, earlier, strict=True):
            result = next(fresh) if known is None else known
            if known is None and isinstance(result, Killed):
                result = self._verdicts.store(payload.doc_id, result)
            yield result

    def clean(self, payloads: Sequence[Payload]) -> Iterator[CleanDocument | Rejected]:
        """Clean a batch; results come in its order."""
        prepared = self.normalize(payloads)
        pages = [page for page in prepared if isinstance(page, NormalizedPage)]
        judged = iter(self._judge(pages) if pages else [])
        for page in prepared:
            yield page if isinstance(page, Rejected) else next(judged)

    def _judge(self, pages: Sequence[NormalizedPage]) -> list[CleanDocument]:
        # Small groups keep the arrays of a batch in the processor's cache and memory bounded.
        return [one for group in _groups(pages) for one in self._judge_group(group)]

    def _judge_group(self, pages: Sequence[NormalizedPage]) -> list[CleanDocument]:
        texts = [page.text for page in pages]
        languages = identify(texts, self._config.language)
        seconds = second_languages(texts, languages, self._config.language)
        batch = TextBatch.of(texts)
        labels = [one.label for one in languages]
        values = compute_values(batch)
        if self._config.rules.lines:
            cut = line_edits(batch, self._config.rules.lines)
            values["sentences"] = sentences_left(batch, cut.edits)
            pages = _with_line_edits(pages, cut)
        if self._config.rules.gopher is not None:
            values |= variant_values(texts, labels, self._config.rules.gopher)
        failed = failed_rules(values, labels, self._config.rules)
        removed = removed_word_fractions(batch, [page.edits for page in pages])
        classifiers = {head: load_classifier(files) for head, files in self._models.items()}
        scores = {head: classifier.score(texts) for head, classifier in classifiers.items()}
        documents = []
        for index, page in enumerate(pages):
            reasons = self._reasons(page, languages[index], failed[index], removed[index])
            own = {head: column[index] for head, column in scores.items()}
            if QUALITY in own:
                reasons += quality_reasons(own[QUALITY], self._config.quality)
            reasons += head_reasons(own, self._config.heads)
            reasons += self._sampled_out(own, page.doc_id)
            page = _with_head_actions(page, own, self._config.heads, classifiers)
            domain = domain_of(own)
            page = _with_prefix(page, domain, self._config.domain_prefix)
            documents.append(
                CleanDocument(
                    page=page,
                    lang=languages[index].label,
                    lang_score=languages[index].score,
                    second_lang=seconds[index],
                    chinese=(
                        chinese_variety(page.text, self._config.language)
                        if languages[index].label == "zh"
                        else None
                    ),
                    num_words=int(batch.num_tokens[index]),
                    values={name: float(column[index]) for name, column in values.items()},
                    scores=own,
                    reasons=reasons,
                    domain=domain,
                )
            )
        return documents

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
    classifiers: Mapping[str, Classifier],
) -> NormalizedPage:
    """Count the marks of heads and add their masks; most recipes have neither."""
    counted = Counter(head_marks(scores, heads))
    masks = head_masks(page.text, heads, classifiers)
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
        if edits
        else page
        for page, edits, counts in zip(pages, cut.edits, cut.counts, strict=True)
    ]


def _groups(pages: Sequence[NormalizedPage]) -> Iterator[list[NormalizedPage]]:
    """Consecutive pages that have GROUP_CHARS code points together, or one page that has more."""
    group: list[NormalizedPage] = []
    size = 0
    for page in pages:
        if group and size + len(page.text) > GROUP_CHARS:
            yield group
            group, size = [], 0
        group.append(page)
        size += len(page.text)
    if group:
        yield group
