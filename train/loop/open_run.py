"""Everything that one run holds open."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from torch import Tensor

from schemas.manifest import Manifest
from train.checkpoint.store import CheckpointStore
from train.data.remote import ShardFiles
from train.data.spliced import SplicedReader
from train.distributed.world import World
from train.loop.build import Built
from train.loop.trainer import Trainer
from train.parallel.diloco import OuterLoop
from train.report.events import EventLog
from train.report.speed import peak_flops
from train.settings import TrainSettings


@dataclass(kw_only=True)
class Run:
    """Everything that one run holds open.

    Attributes:
        outer: Of ranks that step alone and meet now and then.
        velocity: [N] momentum of all parameter servers, where there are some.
    """

    settings: TrainSettings
    manifest: Manifest
    files: ShardFiles
    data: SplicedReader
    built: Built
    trainer: Trainer
    store: CheckpointStore
    world: World
    events: EventLog | None = None
    outer: OuterLoop | None = None
    velocity: Tensor | None = None

    @property
    def output(self) -> Path:
        """Folder of the run."""
        return Path(self.settings.output)

    @cached_property
    def _peak_flops(self) -> float:
        """Of all ranks together."""
        given = self.settings.metrics.peak_flops
        return (given or peak_flops(self.world.device)) * self.world.size

    def mfu(self, tokens_per_second: float) -> float | None:
        """Share of the peak that the model's own operations are; None for models that cannot say."""
        config = self.built.model_config
        if config is None or not self.world.is_first:
            return None
        flops = config.flops_per_token(self.trainer.plan.seq_len)
        return tokens_per_second * flops / self._peak_flops
