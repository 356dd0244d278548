"""From payloads to cleaned documents: one pass over a batch, the same for Spark and `explain`.

Extraction and normalisation run in the guarded child; language, rules and the classifier run on the
whole batch, vectorised, on text that the child has bounded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from refinery.clean.config import CleanConfig
from refinery.clean.guard import Guard
from refinery.clean.guarded_child import Failed, Killed, Limits
from refinery.clean.judging import Judge
from refinery.clean.pages import CleanDocument, NormalizedPage, Payload, Rejected
from refinery.clean.stored_verdicts import StoredVerdicts
from refinery.compiled import compile_loaded
from refinery.extract.limits import PageRejected
from refinery.extract.page import EXTRACT_VERSION, extract_page
from refinery.filters.gopher_variants import GOPHER_VARIANTS_VERSION
from refinery.filters.lines import (
    LINES_VERSION,
)
from refinery.filters.pii import PII_VERSION, find_pii
from refinery.filters.rules import RULES_VERSION
from refinery.filters.urls import URL_RULES_VERSION
from refinery.filters.values import VALUES_VERSION
from refinery.filters.word_lists import WORD_LISTS_VERSION, find_words
from refinery.language.identify import LANGUAGE_VERSION
from refinery.normalize.text import NORMALIZER_VERSION, normalize_text
from refinery.quality.scorers import HeadModel
from refinery.sources.record import KEPT_TEXT, short_message, to_valid_text
from refinery.text.batch import TEXT_BATCH_VERSION
from refinery.text.charset import CHARSET_VERSION

EMPTY = "page:empty"
CLEAN_VERSIONS = (
    CHARSET_VERSION,
    EXTRACT_VERSION,
    NORMALIZER_VERSION,
    TEXT_BATCH_VERSION,
    LANGUAGE_VERSION,
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


class Cleaner:
    """Cleans batches of payloads. It owns the guarded child: use it as a context manager."""

    def __init__(
        self,
        config: CleanConfig,
        models: Mapping[str, HeadModel],
        *,
        verdicts: StoredVerdicts | None = None,
    ) -> None:
        """Take settings, models and earlier verdicts.

        Args:
            config: Settings of the clean stage.
            models: What scores each head, with local files; empty where the recipe has none.
            verdicts: The guard's verdicts of earlier tries; new ones are added to them.
        """
        compile_loaded("refinery")
        self._config = config
        self._verdicts = verdicts
        self._judge = Judge(config, models)
        self._guard: Guard[Payload, NormalizedPage | Rejected] = Guard(
            self._prepare,
            Limits(
                cpu_seconds=config.extract.guard.cpu_seconds,
                address_bytes=config.extract.guard.memory_bytes,
            ),
        )

    def __enter__(self) -> Cleaner:
        return self

    def __exit__(self, *error: object) -> None:
        self._guard.close()

    def _prepare(self, payload: Payload) -> NormalizedPage | Rejected:
        """Extract and normalise one document; runs in the child."""
        if payload.mime == KEPT_TEXT:
            text = payload.data.decode()
            return NormalizedPage(
                text, text, None, {}, payload.url, doc_id=payload.doc_id, is_kept=True
            )
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
        if page.is_held:
            counters["held_by_scripts"] = 1
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
            if isinstance(result, Killed | Failed):
                results.append(Rejected(result.reason, short_message(result.message)))
            elif isinstance(result, NormalizedPage) and not result.text.strip():
                results.append(Rejected(EMPTY, "no text was left after extraction"))
            else:
                results.append(result)
        return results

    def _run_guarded(
        self, payloads: Sequence[Payload]
    ) -> Iterator[NormalizedPage | Rejected | Killed | Failed]:
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
        judged = iter(self._judge.judge(pages))
        for page in prepared:
            yield page if isinstance(page, Rejected) else next(judged)
