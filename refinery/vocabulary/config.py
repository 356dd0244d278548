"""Settings of the tokenizer that the recipe trains or takes."""

from __future__ import annotations

from schemas.settings import Settings


class VocabularyConfig(Settings):
    """A tokenizer trained on the kept training documents, or a given folder."""
