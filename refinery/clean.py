"""From payloads to cleaned documents: one pass over a batch, the same for Spark and `explain`.

Extraction and normalisation run in the guarded child; language, rules and the classifier run on the
whole batch, vectorised, on text that the child has bounded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from refinery.clean_config import CleanConfig
from refinery.extract.limits import PageRejected
from refinery.extract.page import EXTRACT_VERSION, extract_page
from refinery.filters.rules import RULES_VERSION, failed_rules
from refinery.filters.values import VALUES_VERSION, compute_values
from refinery.guard import Guard, Killed
from refinery.language.identify import identify, language_reason
from refinery.normalize.text import NORMALIZER_VERSION, normalize_text
from refinery.quality.classifier import load_classifier
from refinery.sources.record import short_message, to_valid_text
from refinery.text_batch import TEXT_BATCH_VERSION, TextBatch

EMPTY = "page:empty"
CLEAN_VERSIONS = (
    EXTRACT_VERSION,
    NORMALIZER_VERSION,
    TEXT_BATCH_VERSION,
    VALUES_VERSION,
    RULES_VERSION,
)


@dataclass(frozen=True)
class Payload:
    """What the child gets."""

    data: bytes
    mime: str
    charset: str | None


@dataclass(frozen=True)
class NormalizedPage:
    """What the child gives back: raw and normalised text with the counters."""

    extracted_text: str
    text: str
    title: str | None
    counters: dict[str, int]


@dataclass(frozen=True)
class Rejected:
    """A document that ended before it had text."""

    reason: str
    message: str


@dataclass(frozen=True)
class CleanDocument:
    """Everything that `cleaned` says of one document."""

    page: NormalizedPage
    lang: str
    lang_score: float
    num_words: int
    values: dict[str, float]
    scores: dict[str, float]
    reasons: list[str]

    @property
    def drop_reason(self) -> str | None:
        """The first reason."""
        return self.reasons[0] if self.reasons else None


@dataclass(frozen=True)
class Models:
    """Local paths of the quality model and its card; None where the recipe trains none."""

    quality_model: Path
    quality_card: Path


class Cleaner:
    """Cleans batches of payloads; owns the guarded child. Close it, or use it as a context."""

    def __init__(self, config: CleanConfig, models: Models | None) -> None:
        self._config = config
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
                payload.data, mime=payload.mime, charset=payload.charset, config=self._config.extract
            )
        except PageRejected as error:
            return Rejected(error.reason, short_message(error.message))
        except (ValueError, RuntimeError) as error:
            return Rejected("page:parser", short_message(error))
        raw = to_valid_text(page.text)
        done = normalize_text(raw, self._config.normalize)
        counters = {**done.counters, "undecodable": page.num_replaced} if page.num_replaced else (
            done.counters
        )
        title = to_valid_text(page.title) if page.title else None
        return NormalizedPage(raw, done.text, title, counters)

    def normalize(self, payloads: Sequence[Payload]) -> list[NormalizedPage | Rejected]:
        """Text of each payload, or why there is none; without language, rules and scores."""
        results: list[NormalizedPage | Rejected] = []
        for result in self._guard.map(payloads):
            if isinstance(result, Killed):
                results.append(Rejected(result.reason, result.message))
            elif isinstance(result, NormalizedPage) and not result.text.strip():
                results.append(Rejected(EMPTY, "no text was left after extraction"))
            else:
                results.append(result)
        return results

    def clean(self, payloads: Sequence[Payload]) -> Iterator[CleanDocument | Rejected]:
        """Clean a batch; results come in its order."""
        prepared = self.normalize(payloads)
        pages = [page for page in prepared if isinstance(page, NormalizedPage)]
        judged = iter(self._judge(pages) if pages else [])
        for page in prepared:
            yield page if isinstance(page, Rejected) else next(judged)

    def _judge(self, pages: Sequence[NormalizedPage]) -> list[CleanDocument]:
        texts = [page.text for page in pages]
        languages = identify(texts, self._config.language)
        batch = TextBatch.of(texts)
        values = compute_values(batch)
        failed = failed_rules(values, [one.label for one in languages], self._config.rules)
        scores = self._score(texts)
        least = self._config.quality.min_score
        documents = []
        for place, page in enumerate(pages):
            reasons = list(failed[place])
            unfit = language_reason(languages[place], self._config.language)
            if unfit is not None:
                reasons.insert(0, unfit)
            if least is not None and scores and scores[place] < least:
                reasons.append("quality:score")
            documents.append(
                CleanDocument(
                    page=page,
                    lang=languages[place].label,
                    lang_score=languages[place].score,
                    num_words=int(batch.num_tokens[place]),
                    values={name: float(column[place]) for name, column in values.items()},
                    scores={"quality": scores[place]} if scores else {},
                    reasons=reasons,
                )
            )
        return documents

    def _score(self, texts: Sequence[str]) -> list[float]:
        if self._models is None:
            return []
        return load_classifier(self._models.quality_model, self._models.quality_card).score(texts)
