"""Settings of the clean stage, put together from its parts."""

from __future__ import annotations

from refinery.extract.config import ExtractConfig
from refinery.filters.config import RulesConfig
from refinery.language.config import LanguageConfig
from refinery.normalize.config import NormalizeConfig
from refinery.quality.config import QualityConfig
from schemas.settings import Settings


class CleanConfig(Settings):
    """Extraction, normalisation, language, rules and the classifier's threshold."""

    extract: ExtractConfig = ExtractConfig()
    normalize: NormalizeConfig = NormalizeConfig()
    language: LanguageConfig = LanguageConfig()
    rules: RulesConfig = RulesConfig()
    quality: QualityConfig = QualityConfig()
