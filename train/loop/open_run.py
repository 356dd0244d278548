"""Everything that one run holds open, and how it is opened."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

import torch

from schemas.errors import ContractError
from schemas.manifest import Manifest
from train.checkpoint.pointer import CHECKPOINTS_NAME
from train.checkpoint.state_file import read_state
from train.checkpoint.store import CheckpointStore
from train.data.cursor import DataOrder
from train.data.loader import open_split, shard_files
from train.data.presence import absent_shards
from train.data.remote import ShardFiles, local_tokenizer, open_manifest
from train.data.spliced import SplicedReader, open_spans
from train.distributed.flat_vectors import flat_weights
from train.distributed.precision import autocast_type, log_type
from train.distributed.world import World
from train.loop.build import Built, build_run
from train.loop.checkpoints import ManifestSpan, RunCheckpoints, run_identity
from train.loop.data_order import order_of_run
from train.loop.guard import SpikeGuard
from train.loop.heldout import HeldoutEvaluation
from train.loop.plan import RunPlan
from train.loop.scaler import LossScaler
from train.loop.stream import RowSource
from train.loop.tasks import TaskEvaluation
from train.loop.trainer import Trainer
from train.model.blend import ActivationBlend
from train.optim.config import ScheduleConfig
from train.optim.groups import build_optimizer
from train.optim.peaks import ModelSize, with_peak
from train.parallel.compose import build_strategy
from train.parallel.diloco import OuterLoop
from train.report.events import EVENTS_NAME, Events, FirstRankEvents
from train.report.speed import ModelSpeed
from train.settings import PrecisionConfig, TrainSettings
from train.stability.embedding import scale_embedding_gradient
from train.warm_start.start import Resumed


@dataclass(kw_only=True)
class TrainingRun:
    """Everything that one run holds open.

    Attributes:
        settings: The recipe of the run, or of one phase of it.
        data: The training split, through all manifests of the run.
        order: How its passes are ordered.
        outer: DiLoCo's outer optimizer; None where every step is all-reduced.
        holds_momentum: Whether this process is a parameter server: its checkpoints hold the momentum
            of all of them.
    """

    settings: TrainSettings
    manifest: Manifest
    files: ShardFiles
    data: SplicedReader
    order: DataOrder
    built: Built
    trainer: Trainer
    store: CheckpointStore
    events: Events
    world: World
    outer: OuterLoop | None = None
    holds_momentum: bool = False

    @property
    def output(self) -> Path:
        """Folder of the run."""
        return Path(self.settings.output)

    @cached_property
    def rows(self) -> RowSource:
        """The training split, as micro-batches."""
        return RowSource(
            data=self.data,
            make_batch=self.built.make_batch,
            microbatch=self.settings.batch.microbatch,
            prefetched=self.settings.loader.prefetch_microbatches,
        )

    @cached_property
    def checkpoints(self) -> RunCheckpoints:
        """What saves and resumes the run."""
        trainer = self.trainer
        spans = [
            ManifestSpan(part.first_sample, part.data.manifest.root) for part in self.data.parts
        ]
        weights = flat_weights(trainer.strategy.parts[0]) if self.holds_momentum else None
        settings = self.settings.model_copy(update={"schedule": trainer.schedule})
        return RunCheckpoints(
            store=self.store,
            trainer=trainer,
            identity={
                **run_identity(settings, self.manifest, self.built, trainer.plan, spans),
                "order": self.order,
            },
            recipe=settings.model_dump(mode="json"),
            manifest_uri=self.files.base,
            spans=spans,
            events=self.events,
            outer=self.outer,
            velocity=None if weights is None else torch.zeros_like(weights),
        )

    @cached_property
    def heldout(self) -> HeldoutEvaluation:
        """The held-out loss, as often as the recipe asks for it."""
        open_heldout = partial(
            open_split, self.files, self.manifest, self.settings.loader, split="heldout", seed=0
        )
        return HeldoutEvaluation(
            config=self.settings.evaluation,
            open_split=open_heldout if self.manifest.heldout.rows else None,
            batches=self.built.evaluation_batches,
            strategy=self.trainer.strategy,
            world=self.world,
            output=self.output,
        )

    @cached_property
    def tasks(self) -> TaskEvaluation:
        """The scores on tasks, as often as the recipe asks for them."""
        evaluation = self.settings.evaluation
        return TaskEvaluation(
            config=None if evaluation is None else evaluation.tasks,
            store=self.store,
            world=self.world,
            output=self.output,
        )

    @cached_property
    def speed(self) -> ModelSpeed:
        """The share of the hardware's peak that the run reaches; only the first rank says it."""
        config, seq_len = self.built.model_config, self.trainer.plan.seq_len
        return ModelSpeed(
            flops_per_token=None if config is None else config.flops_per_token(seq_len),
            peak_flops=self.settings.metrics.peak_flops,
            world=self.world,
        )


def open_run(settings: TrainSettings, world: World, *, holds_momentum: bool = False) -> TrainingRun:
    """Open the dataset and build model, parallel strategy and optimizer."""
    files = shard_files(settings.manifest, settings.loader)
    manifest = open_manifest(files)
    order = order_of_run(settings)
    data = open_spans(
        settings.spans,
        settings.loader,
        seed=settings.seed,
        first_sample=settings.first_sample,
        order=order,
    )
    _refuse_absent_shards(settings, data, world)
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
    if built.start_report is not None and world.is_first:
        built.start_report.show(output, built.make_batch, data.parts[0].data, settings.first_sample)
    built = replace(built, start_report=None)  # it holds tensors that are needed no longer
    events = FirstRankEvents(output / EVENTS_NAME, lambda: world.is_first)
    if settings.stability is not None and settings.stability.embedding_gradient_scale is not None:
        scale_embedding_gradient(built.model, settings.stability.embedding_gradient_scale)
    log_type(settings.precision.compute, world.device)
    strategy = build_strategy(settings.strategy_request, built.model, world)
    trainer = Trainer(
        plan=RunPlan.of(
            manifest, settings.batch, settings.stop, first_sample=settings.first_sample
        ),
        schedule=_schedule(settings, built),
        max_grad_norm=settings.optimizer.max_grad_norm,
        strategy=strategy,
        optimizer=build_optimizer(strategy.parts, settings.optimizer),
        world=world,
        sources=data.sources,
        scaler=_scaler(settings.precision, world.device),
        guard=SpikeGuard(config=settings.stability, events=events) if settings.stability else None,
    )
    if settings.activation_blend is not None:
        blend = ActivationBlend.of(settings.activation_blend, strategy.parts, world.device)
        trainer.before_step = blend.go_to
    return TrainingRun(
        settings=settings,
        manifest=manifest,
        files=files,
        data=data,
        order=order,
        built=built,
        trainer=trainer,
        store=store,
        events=events,
        world=world,
        outer=OuterLoop(strategy.parts[0], settings.diloco) if settings.diloco else None,
        holds_momentum=holds_momentum,
    )


def _schedule(settings: TrainSettings, built: Built) -> ScheduleConfig:
    """The recipe's schedule, with a number for its peak."""
    shape, model = built.model_config, built.model
    if shape is not None:
        return with_peak(settings.schedule, settings.optimizer, ModelSize.of(shape))
    tables = (module.weight for module in model.modules() if isinstance(module, torch.nn.Embedding))
    size = ModelSize(
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        embeddings=sum(table.numel() for table in tables),
    )
    return with_peak(settings.schedule, settings.optimizer, size)


def _refuse_absent_shards(settings: TrainSettings, data: SplicedReader, world: World) -> None:
    """See that all shards are there before anything is trained; each rank looks at its share.

    Raises:
        ContractError: Some are not.
    """
    faults: list[str] = []
    for part in data.parts:
        manifest = part.data.manifest
        shards = [*manifest.train.shards]
        if settings.evaluation is not None:
            shards += manifest.heldout.shards
        faults += absent_shards(part.files, shards[world.rank :: world.size])
    if world.any(bool(faults)):
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise ContractError(faults[0] + more if faults else "")


def _scaler(precision: PrecisionConfig, device: torch.device) -> LossScaler | None:
    """fp16 alone needs a loss scale."""
    if autocast_type(precision.compute, device) != torch.float16:
        return None
    return LossScaler(scale=precision.initial_scale, growth_interval=precision.growth_interval)


def _resumed(store: CheckpointStore) -> Resumed | None:
    """What the checkpoint that the run will resume from says of its model."""
    path = store.latest()
    return None if path is None else Resumed.of(read_state(path)["identity"])
