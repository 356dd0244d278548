"""Facts of the stage `mixture`: the plan that packing and the report repeat."""

from __future__ import annotations

from typing import ClassVar

from refinery.mixture.plan import SourcePlan
from refinery.publish.facts import StageFacts


class MixtureFacts(StageFacts):
    """The plan by source, in the order of the recipe, and what people should know of it."""

    stage: ClassVar[str] = "mixture"

    plan: tuple[SourcePlan, ...]
    warnings: tuple[str, ...] = ()
