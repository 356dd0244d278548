"""Everything that one run holds open, and how it is opened."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch

from schemas.manifest import Manifest
from train.checkpoint.pointer import CHECKPOINTS_NAME
from train.checkpoint.store import CheckpointStore, read_state
from train.data.loader import open_split, shard_files
from train.data.remote import ShardFiles, local_tokenizer, open_manifest
from train.data.spliced import open_spans
from train.distributed.flat_vectors import flat_weights
from train.distributed.precision import autocast_type
from train.distributed.world import World
from train.loop.build import Built, build_run
from train.loop.checkpoints import ManifestSpan, RunCheckpoints, run_identity
from train.loop.heldout import HeldoutEvaluation
from train.loop.plan import RunPlan
from train.loop.scaler import LossScaler
from train.loop.stream import RowSource
from train.loop.trainer import Trainer
from train.optim.groups import build_optimizer
from train.parallel.compose import build_strategy
from train.parallel.diloco import OuterLoop
from train.report.events import EVENTS_NAME, EventLog, Events, NoEvents
from train.report.speed import ModelSpeed
from train.settings import PrecisionConfig, TrainSettings
from train.warm_start.start import Resumed


@dataclass(kw_only=True)
class TrainingRun:
    """Everything that one run holds open.

    Attributes:
        settings: The recipe of the run, or of one phase of it.
        rows: The training split, as micro-batches.
        outer: DiLoCo's outer optimizer; None where every step is all-reduced.
    """

    settings: TrainSettings
    manifest: Manifest
    files: ShardFiles
    rows: RowSource
    built: Built
    trainer: Trainer
    store: CheckpointStore
    checkpoints: RunCheckpoints
    heldout: HeldoutEvaluation
    speed: ModelSpeed
    events: Events
    world: World
    outer: OuterLoop | None = None

    @property
    def output(self) -> Path:
        """Folder of the run."""
        return Path(self.settings.output)


def open_run(settings: TrainSettings, world: World, *, holds_momentum: bool = False) -> TrainingRun:
    """Open the dataset and build model, parallel strategy and optimizer.

    Args:
        settings: The recipe.
        world: All ranks.
        holds_momentum: This process is a parameter server: it keeps the momentum of all of them in
            its checkpoints.
    """
    files = shard_files(settings.manifest, settings.loader)
    manifest = open_manifest(files)
    data = open_spans(
        settings.spans, settings.loader, seed=settings.seed, first_sample=settings.first_sample
    )
    output = Path(settings.output)
    store = CheckpointStore(
        folder=output / CHECKPOINTS_NAME, config=settings.checkpoint, world=world
    )
    built = build_run(
        settings.start_request,
        settings.objective,
        manifest,
        tokenizer=lambda: local_tokenizer(files),
        resumed=_resumed(store),
    )
    if built.opening is not None and world.is_first:
        built.opening.show(output, built.make_batch, data.parts[0].data, settings.first_sample)
    built = replace(built, opening=None)  # it holds tensors that are needed no longer
    strategy = build_strategy(settings.strategy_request, built.model, world)
    plan = RunPlan.of(manifest, settings.batch, settings.stop, first_sample=settings.first_sample)
    trainer = Trainer(
        plan=plan,
        schedule=settings.schedule,
        max_grad_norm=settings.optimizer.max_grad_norm,
        strategy=strategy,
        optimizer=build_optimizer(strategy.parts, settings.optimizer),
        world=world,
        sources=data.sources,
        scaler=_scaler(settings.precision, world.device),
    )
    spans = [ManifestSpan(part.first_sample, part.data.manifest.root) for part in data.parts]
    events: Events = EventLog(output / EVENTS_NAME) if world.is_first else NoEvents()
    outer = OuterLoop(strategy.parts[0], settings.diloco) if settings.diloco else None
    open_heldout = partial(open_split, files, manifest, settings.loader, split="heldout", seed=0)
    return TrainingRun(
        settings=settings,
        manifest=manifest,
        files=files,
        rows=RowSource(
            data=data,
            make_batch=built.make_batch,
            microbatch=settings.batch.microbatch,
            prefetched=settings.loader.prefetch_microbatches,
        ),
        built=built,
        trainer=trainer,
        store=store,
        checkpoints=RunCheckpoints(
            store=store,
            trainer=trainer,
            identity=run_identity(settings, manifest, built, plan, spans),
            recipe=settings.model_dump(mode="json"),
            manifest_uri=files.base,
            spans=spans,
            events=events,
            outer=outer,
            velocity=torch.zeros_like(flat_weights(strategy.parts[0])) if holds_momentum else None,
        ),
        heldout=HeldoutEvaluation(
            config=settings.evaluation,
            open_split=open_heldout if manifest.heldout.rows else None,
            make_batch=built.make_batch,
            strategy=strategy,
            world=world,
            output=output,
        ),
        speed=_speed(settings.metrics.peak_flops, built, plan, world),
        events=events,
        world=world,
        outer=outer,
    )


def _scaler(precision: PrecisionConfig, device: torch.device) -> LossScaler | None:
    """fp16 alone needs a loss scale."""
    if autocast_type(precision.compute, device) != torch.float16:
        return None
    return LossScaler(scale=precision.initial_scale, growth_interval=precision.growth_interval)


def _speed(peak: float | None, built: Built, plan: RunPlan, world: World) -> ModelSpeed:
    config = built.model_config
    is_known = config is not None and world.is_first
    return ModelSpeed(
        flops_per_token=config.flops_per_token(plan.seq_len) if is_known and config else None,
        peak_flops=peak,
        device=world.device,
        ranks=world.size,
    )


def _resumed(store: CheckpointStore) -> Resumed | None:
    """What the checkpoint that the run will resume from says of its model."""
    path = store.latest()
    return None if path is None else Resumed.of(read_state(path)["identity"])
