"""Facts of the stage `quality`: the card of each classifier that it trained."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from refinery.publish.facts import Facts, StageFacts


class ModelCard(Facts):
    """What scoring needs to know of a classifier, and its honest test; also its JSON file."""

    classifier_version: int
    normalizer_version: int = Field(description="of the text that it was trained on")
    max_chars: int = Field(description="code points of a text that it reads")
    training_documents: int
    test_documents: int
    settings: dict[str, Any] = Field(description="the recipe's settings of the training")
    auc: float | None = Field(description="null where the test holds documents of one class only")
    precision: float | None = Field(description="at a score of 0.5")
    recall: float | None = Field(description="at a score of 0.5")


class QualityFacts(StageFacts):
    stage: ClassVar[str] = "quality"

    cards: dict[str, ModelCard]
