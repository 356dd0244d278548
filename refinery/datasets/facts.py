"""Facts of the stage `pack`: the dataset that it wrote."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from refinery.publish.facts import StageFacts


class PackFacts(StageFacts):
    """Where the dataset is, and its root over content."""

    stage: ClassVar[str] = "pack"

    manifest: str = Field(description="URI of the manifest")
    root: str
