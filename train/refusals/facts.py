"""What settings are judged by."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.manifest import Manifest
from train.model.config import ModelConfig


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """What settings are judged by.

    Attributes:
        model: Shape of the model that the settings and the weights to start from give.
        world_size: Number of ranks, or of servers and workers together.
        manifest: The dataset; None where a recipe is planned without one.
        has_weights: Whether the run starts from weights that exist.
        loaded_classes: Classes of the head that these weights bring; None for none.
    """

    model: ModelConfig
    world_size: int
    manifest: Manifest | None = None
    has_weights: bool = False
    loaded_classes: int | None = None
