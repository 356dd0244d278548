"""Labels of the language model, and the label that was meant by another name of a language."""

from __future__ import annotations

from refinery.language.config import LanguageConfig
from refinery.language.identify import UNKNOWN, load_model, model_path
from refinery.language.scripts import OWN_LABELS
from refinery.text.language_labels import macro
from schemas.errors import SettingsError
from schemas.settings import closest

# English names, ISO 639-3 codes and regional tags that people write instead of lid.176's labels.
OTHER_NAMES = {
    "arabic": "ar", "ara": "ar", "bengali": "bn", "ben": "bn", "burmese": "my", "chinese": "zh",
    "mandarin": "zh", "zho": "zh", "chi": "zh", "cmn": "zh", "cn": "zh", "zh-cn": "zh",
    "zh-tw": "zh", "zh-hans": "zh", "zh-hant": "zh", "cantonese": "yue", "czech": "cs", "ces": "cs",
    "cz": "cs", "danish": "da", "dan": "da", "dk": "da", "dutch": "nl", "nld": "nl",
    "english": "en", "eng": "en", "uk-en": "en", "finnish": "fi", "fin": "fi", "french": "fr",
    "fra": "fr", "german": "de", "deu": "de", "ger": "de", "greek": "el", "ell": "el", "gr": "el",
    "hebrew": "he", "heb": "he", "iw": "he", "hindi": "hi", "hin": "hi", "hungarian": "hu",
    "hun": "hu", "indonesian": "id", "ind": "id", "italian": "it", "ita": "it", "japanese": "ja",
    "jpn": "ja", "jp": "ja", "khmer": "km", "korean": "ko", "kor": "ko", "kr": "ko", "lao": "lo",
    "malay": "ms", "msa": "ms", "norwegian": "no", "nor": "no", "nb": "no", "persian": "fa",
    "farsi": "fa", "fas": "fa", "polish": "pl", "pol": "pl", "portuguese": "pt", "por": "pt",
    "romanian": "ro", "ron": "ro", "russian": "ru", "rus": "ru", "serbian": "sr", "spanish": "es",
    "spa": "es", "swedish": "sv", "swe": "sv", "se": "sv", "tamil": "ta", "thai": "th", "tha": "th",
    "turkish": "tr", "tur": "tr", "ukrainian": "uk", "ukr": "uk", "ua": "uk", "urdu": "ur",
    "vietnamese": "vi", "vie": "vi", "vn": "vi",
}  # fmt: skip


def model_labels(config: LanguageConfig) -> frozenset[str]:
    """All labels that the language model gives.

    Raises:
        SettingsError: The model is missing, or is none of fastText's.
    """
    path = model_path(config)
    if not path.is_file():
        raise SettingsError(f"recipe.clean.language.model: nothing at {path}")
    try:
        labels = load_model(path).get_labels()
    except ValueError as error:
        raise SettingsError(f"recipe.clean.language.model {path}: {error}") from error
    return frozenset(label.removeprefix("__label__") for label in labels)


def check_languages(config: LanguageConfig) -> None:
    """Refuse languages that the model never says.

    Raises:
        SettingsError: With every such name, and the label that was probably meant.
    """
    labels = model_labels(config) | OWN_LABELS | {UNKNOWN}
    labels |= {macro(label) for label in labels}
    named = [("languages", name) for name in config.languages or ()]
    named += [("min_score_by_language", name) for name in config.min_score_by_language]
    faults = [
        f"recipe.clean.language.{key}: no language '{name}'{_hint(name, labels)}"
        for key, name in named
        if name not in labels
    ]
    if faults:
        raise SettingsError("\n  ".join(faults))


def _hint(name: str, labels: frozenset[str]) -> str:
    plain = name.lower().replace("_", "-")
    for guess in (plain, OTHER_NAMES.get(plain), plain.split("-")[0]):
        if guess in labels:
            return f"; did you mean '{guess}'?"
    meant = closest(plain, OTHER_NAMES)
    if meant:
        match = meant.split("'")[1]
        if OTHER_NAMES[match] in labels:
            return f"; did you mean '{OTHER_NAMES[match]}' ({match})?"
    return f"; the model knows {len(labels)} labels such as {', '.join(sorted(labels)[:3])} ..."
