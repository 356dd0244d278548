"""Settings of the clean stage, put together from its parts."""

from __future__ import annotations

from pydantic import Field

from refinery.extract.config import ExtractConfig
from refinery.filters.config import RulesConfig
from refinery.language.config import LanguageConfig
from refinery.normalize.config import NormalizeConfig
from refinery.publish.own_code import OwnCodeLimits
from refinery.quality.config import QUALITY, HeadConfig, QualityConfig, TopFractionConfig
from schemas.settings import Settings


class CleanConfig(Settings):
    """How documents are cleaned: extraction, normalisation, language, rules and scores."""

    extract: ExtractConfig = ExtractConfig()
    normalize: NormalizeConfig = NormalizeConfig()
    language: LanguageConfig = LanguageConfig()
    rules: RulesConfig = RulesConfig()
    own_code: OwnCodeLimits = OwnCodeLimits()
    quality: QualityConfig = QualityConfig()
    heads: dict[str, HeadConfig] = Field(
        default_factory=dict,
        description="what the scores of `recipe.heads` do to a document, by name of the head",
    )
    domain_prefix: str | None = Field(
        default=None,
        pattern=r"\{domain\}",
        description="text put before each document as an edit; {domain} in it stands for the document's domain",
    )

    @property
    def top_fractions(self) -> dict[str, TopFractionConfig]:
        """Settings by head of those heads whose best documents alone stay, the quality model first."""
        chosen = {QUALITY: self.quality.top}
        chosen |= {head: config.top for head, config in self.heads.items()}
        return {head: config for head, config in chosen.items() if config is not None}
