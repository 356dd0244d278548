"""Settings of the clean stage, put together from its parts."""

from __future__ import annotations

from pydantic import Field

from refinery.extract.config import ExtractConfig
from refinery.filters.config import RulesConfig
from refinery.language.config import LanguageConfig
from refinery.normalize.config import NormalizeConfig
from refinery.quality.config import HeadConfig, QualityConfig
from schemas.settings import Settings


class CleanConfig(Settings):
    """Extraction, normalisation, language, rules and the classifier's threshold."""

    extract: ExtractConfig = ExtractConfig()
    normalize: NormalizeConfig = NormalizeConfig()
    language: LanguageConfig = LanguageConfig()
    rules: RulesConfig = RulesConfig()
    quality: QualityConfig = QualityConfig()
    heads: dict[str, HeadConfig] = Field(
        default_factory=dict, description="bounds on the scores of `recipe.heads`, by name"
    )
