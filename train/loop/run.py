"""A whole run: open data and world, build, resume, train, evaluate, save, export."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
import yaml

from schemas.errors import SettingsError
from schemas.manifest import Manifest
from train.checkpoint.environment import changed_environment, environment_lock
from train.checkpoint.state import collect_tensors, restore_tensors, whole_weights
from train.checkpoint.store import CheckpointStore, load_tensors, read_state, refuse_other_run
from train.data.loader import open_dataset, shard_files
from train.data.remote import ShardFiles, local_tokenizer, open_manifest
from train.data.spliced import SplicedDataset, open_spans
from train.evaluation.heldout import HeldoutLoss, heldout_loss
from train.loop.build import Built, build_run
from train.loop.plan import RunPlan
from train.loop.precision import autocast_type
from train.loop.scaler import LossScaler
from train.loop.signals import StopFlag
from train.loop.stream import StepStream, microbatches
from train.loop.trainer import StepOutcome, Trainer
from train.optim.groups import build_optimizer
from train.parallel.compose import build_layout
from train.parallel.world import World, open_world
from train.report.events import EVENTS_NAME, EventLog
from train.report.metrics import MetricsFile, ProgressLine
from train.report.page import write_report
from train.report.speed import peak_flops
from train.report.tensorboard import TensorBoardFile, scalars
from train.settings import TrainSettings
from train.stages import StageEnd, follow, read_end, settings_sha256, split_stages, write_end
from train.warm_start.start import Resumed

logger = logging.getLogger(__name__)

SETTINGS_NAME, METRICS_NAME, CHECKPOINTS_NAME = "settings.yaml", "metrics.jsonl", "checkpoints"
TENSORBOARD_NAME = "tensorboard"
EXPORT_NAME, EVALUATION_NAME = "export", "evaluation.json"


@dataclass(kw_only=True)
class Run:
    """Everything that one run holds open."""

    settings: TrainSettings
    manifest: Manifest
    files: ShardFiles
    data: SplicedDataset
    built: Built
    trainer: Trainer
    store: CheckpointStore
    world: World
    events: EventLog | None = None

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


def pretrain(settings: TrainSettings, *, is_fresh: bool = False) -> int:
    """Train to the end of the recipe, or until SIGTERM; resumes from the last good checkpoint.

    Returns:
        0, also when it was asked to stop: the work is saved.
    """
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    with open_world(timeout_seconds=settings.step_timeout_seconds) as world:
        before: StageEnd | None = None
        for stage in split_stages(settings):
            before = _run_stage(stage, before, world, is_fresh=is_fresh)
            if before is None:
                break  # asked to stop
    return 0


def _run_stage(
    settings: TrainSettings, before: StageEnd | None, world: World, *, is_fresh: bool
) -> StageEnd | None:
    """Train one stage, unless it ended earlier; None where it was asked to stop."""
    if before is not None:
        settings = follow(settings, before)
    ended = None if is_fresh else read_end(settings)
    if ended is not None:
        logger.info("%s: ended earlier", settings.output)
        return ended
    run = open_run(settings, world)
    _resume(run, is_fresh=is_fresh)
    if world.is_first:
        run.output.mkdir(parents=True, exist_ok=True)
        text = yaml.safe_dump(settings.model_dump(mode="json"), allow_unicode=True)
        (run.output / SETTINGS_NAME).write_text(text, encoding="utf-8")
    if not _train(run):
        return None
    return _end(run)


def _end(run: Run) -> StageEnd:
    plan = run.trainer.plan
    end = StageEnd(
        checkpoint=str(run.store.path(run.trainer.step)),
        manifest=run.settings.manifest,
        next_sample=plan.span(plan.total_steps).start,
        settings_sha256=settings_sha256(run.settings),
    )
    if run.world.is_first:
        write_end(run.output, end)
    run.world.barrier()
    return end


def open_run(settings: TrainSettings, world: World) -> Run:
    """Open the dataset and build model, layout and optimizer."""
    files = shard_files(settings.manifest, settings.loader)
    manifest = open_manifest(files)
    data = open_spans(
        settings.spans, settings.loader, seed=settings.seed, first_sample=settings.first_sample
    )
    store = CheckpointStore(
        folder=Path(settings.output) / CHECKPOINTS_NAME, config=settings.checkpoint, world=world
    )
    built = build_run(
        settings,
        manifest,
        tokenizer=lambda: local_tokenizer(files),
        resumed=_resumed(store),
    )
    if built.opening is not None and world.is_first:
        built.opening.show(
            Path(settings.output), built.make_batch, data.parts[0].data, settings.first_sample
        )
    built = replace(built, opening=None)  # it holds tensors that are needed no longer
    layout = build_layout(settings, built.model, world)
    plan = RunPlan.of(settings, manifest)
    precision = settings.precision
    is_fp16 = autocast_type(precision.compute, world.device) == torch.float16
    trainer = Trainer(
        settings=settings,
        plan=plan,
        layout=layout,
        optimizer=build_optimizer(layout.parts, settings.optimizer),
        world=world,
        sources=data.sources,
        scaler=LossScaler(scale=precision.initial_scale, growth_interval=precision.growth_interval)
        if is_fp16
        else None,
    )
    return Run(
        settings=settings,
        manifest=manifest,
        files=files,
        data=data,
        built=built,
        trainer=trainer,
        store=store,
        world=world,
        events=EventLog(Path(settings.output) / EVENTS_NAME) if world.is_first else None,
    )


def _resumed(store: CheckpointStore) -> Resumed | None:
    """What the checkpoint that the run will resume from says of its model."""
    path = store.latest()
    return None if path is None else Resumed.of(read_state(path)["identity"])


def identity(run: Run) -> dict[str, Any]:
    """What a resumed run must share with the one that wrote the checkpoint."""
    return {
        "manifest_root": run.manifest.root,
        "spans": _spans(run),
        "tokenizer_sha256": run.manifest.tokenizer.sha256,
        "model": run.built.model_identity,
        "trainable": run.settings.trainable,
        "new_rows": None if run.built.new_rows is None else list(run.built.new_rows),
        "first_sample": run.settings.first_sample,
        "seed": run.settings.seed,
        "batch": run.settings.batch.model_dump(mode="json", exclude={"microbatch"}),
        **_changeable(run.settings, run.trainer.plan),
    }


def _changeable(settings: TrainSettings, plan: RunPlan) -> dict[str, Any]:
    """Blocks that a resumed run may change where `checkpoint.accept_changes` names them.

    The schedule counts with the length of the run: most curves bend with it.
    """
    return {
        "optimizer": settings.optimizer.model_dump(mode="json"),
        "schedule": {
            **settings.schedule.model_dump(mode="json"),
            "total_steps": plan.total_steps if settings.schedule.needs_end else None,
        },
        "objective": settings.objective,
    }


def _resume(run: Run, *, is_fresh: bool) -> None:
    path = run.store.latest()
    if path is None:
        if run.events is not None:
            run.events.append("start", step=0)
            _note_manifests(run, from_sample=run.settings.first_sample)
        return
    if is_fresh:
        raise SettingsError(f"{path}: the output already holds a checkpoint, and --fresh was given")
    state = read_state(path)
    accepted = run.settings.checkpoint.accept_changes
    expected = identity(run)
    consumed = int(state["consumed_samples"])
    # What comes later may change; what was read may not.
    for spans in (expected, state["identity"]):
        spans["spans"] = [span for span in spans.get("spans", []) if span[0] <= consumed]
    changed = refuse_other_run(path, state, expected, accepted=accepted)
    trainer = run.trainer
    tensors = collect_tensors(trainer.layout.parts, trainer.optimizer)
    load_tensors(path, tensors, world_size=run.world.size)
    restore_tensors(trainer.layout.parts, trainer.optimizer, tensors)
    trainer.step = int(state["step"])
    if trainer.scaler is not None and state["scaler"] is not None:
        trainer.scaler.restore(state["scaler"])
    changes = changed_environment(state["environment"], environment_lock())
    logger.info("resumed %s at step %d", path, trainer.step)
    if run.events is not None:
        run.events.restore(state.get("events", []))
        parallel = run.settings.parallel.model_dump(mode="json")
        run.events.append(
            "resume",
            step=trainer.step,
            world_size=run.world.size,
            parallel=parallel,
            settings_changed=changed,
            environment_changed=changes,
        )
        _note_manifests(run, from_sample=int(state["consumed_samples"]))
    for change in changes:
        logger.warning("the environment changed, bits may differ: %s", change)


def _spans(run: Run) -> list[list[Any]]:
    """First sample and root of each manifest."""
    return [[part.first_sample, part.data.manifest.root] for part in run.data.parts]


def _note_manifests(run: Run, *, from_sample: int) -> None:
    """Note the manifests that are still to come, unless they are noted already."""
    assert run.events is not None
    manifests = [event for event in run.events.events if event["kind"] == "manifest"]
    noted = [(event["manifest_root"], event["from_tokens"]) for event in manifests]
    for number, (first, root) in enumerate(_spans(run)):
        tokens = max(first - run.settings.first_sample, 0) * run.trainer.plan.seq_len
        if (root, tokens) in noted or (number > 0 and first < from_sample):
            continue
        step = run.trainer.plan.step_of(first)
        run.events.append("manifest", step=step, manifest_root=root, from_tokens=tokens)


def save(run: Run) -> Path:
    """Write a checkpoint of the state after the last update."""
    trainer = run.trainer
    state = {
        "step": trainer.step,
        "consumed_samples": trainer.plan.span(trainer.step).start,
        "identity": identity(run),
        "scaler": trainer.scaler.state() if trainer.scaler is not None else None,
        "settings": run.settings.model_dump(mode="json"),
        "manifest": run.files.base,
        "environment": environment_lock(),
        "world_size": run.world.size,
        "events": run.events.events if run.events is not None else [],
    }
    tensors = collect_tensors(trainer.layout.parts, trainer.optimizer)
    return run.store.save(trainer.step, tensors, state)


def _train(run: Run) -> bool:
    """Train to the end; False where the run was asked to stop before."""
    trainer, settings = run.trainer, run.settings
    flag = StopFlag()
    items = microbatches(
        trainer.plan,
        run.data,
        trainer.layout.share,
        run.built.make_batch,
        microbatch=settings.batch.microbatch,
        start_step=trainer.step,
    )
    stream = StepStream(items, depth=settings.loader.prefetch_batches)
    metrics = None
    if run.world.is_first:
        metrics = MetricsFile(run.output / METRICS_NAME, resume_step=trainer.step)
    board = None
    if run.world.is_first and settings.metrics.tensorboard:
        board = TensorBoardFile(run.output / TENSORBOARD_NAME, first_step=trainer.step)
    saved: Path | None = None
    total = trainer.plan.total_steps
    is_stopped = False
    try:
        with ProgressLine(total_steps=total, enabled=run.world.is_first) as line:
            while trainer.step < total and not is_stopped:
                waited = stream.waited_seconds
                outcome = trainer.update(stream.of_step, stop_asked=flag.is_set)
                record = _record(run, outcome, waited=stream.waited_seconds - waited)
                is_stopped = outcome.totals.stop_asked
                is_last = trainer.step == total or is_stopped
                saved = None
                if is_last or trainer.step % settings.checkpoint.every_steps == 0:
                    saved = save(run)
                record |= _evaluated(run, is_last=is_last and not is_stopped)
                if metrics is not None and trainer.step % settings.metrics.every_steps == 0:
                    metrics.write(record)
                    if board is not None:
                        board.write(record["step"], scalars(record))
                run.store.poll()
                line.show(record)
    finally:
        stream.close()
        if metrics is not None:
            metrics.close()
        if board is not None:
            board.close()
    run.store.finish()
    run.store.finish()
    if is_stopped:
        if run.events is not None:
            run.events.append("stop", step=trainer.step)
        logger.info("asked to stop: saved step %d in %s", trainer.step, saved)
        _report(run)
        return False
    _finish(run)
    _report(run)
    return True


def _report(run: Run) -> None:
    metrics = run.output / METRICS_NAME
    if run.world.is_first and metrics.stat().st_size:
        logger.info("report: %s", write_report(run.output))


def _record(run: Run, outcome: StepOutcome, *, waited: float) -> dict[str, Any]:
    tokens = outcome.span.count * run.trainer.plan.seq_len
    return {
        "step": outcome.span.step,
        "consumed_start": outcome.span.start,
        "batch": outcome.span.count,
        "tokens": (outcome.span.start + outcome.span.count) * run.trainer.plan.seq_len,
        "loss": outcome.totals.mean,
        "labels": int(outcome.totals.labels),
        "pair_loss": outcome.totals.pair_mean,
        "pairs": int(outcome.totals.pairs),
        "loss_by_source": outcome.totals.means_by_source(),
        "labels_by_source": {k: int(v) for k, v in outcome.totals.labels_by_source.items()},
        "grad_norm": outcome.grad_norm,
        "lr": outcome.lr,
        "loss_scale": outcome.loss_scale,
        "skipped": outcome.is_skipped,
        "seconds": outcome.seconds,
        "tokens_per_second": tokens / outcome.seconds,
        "mfu": run.mfu(tokens / outcome.seconds),
        "wait_share": waited / outcome.seconds,
        "time": time.time(),
    }


def _evaluated(run: Run, *, is_last: bool) -> dict[str, Any]:
    config = run.settings.evaluation
    if config is None or run.manifest.heldout.rows == 0:
        return {}
    is_due = config.every_steps is not None and run.trainer.step % config.every_steps == 0
    if not (is_due or is_last):
        return {}
    result = evaluate_heldout(run)
    if run.world.is_first and is_last:
        last = {"heldout": result.as_dict()}
        text = json.dumps(last, indent=1, ensure_ascii=False)
        (run.output / EVALUATION_NAME).write_text(text + "\n", encoding="utf-8")
    return {"heldout": result.as_dict()}


def evaluate_heldout(run: Run) -> HeldoutLoss:
    """Loss on the held-out split; every rank reads its share."""
    config = run.settings.evaluation
    assert config is not None
    data = open_dataset(run.files, run.manifest, run.settings.loader, split="heldout", seed=0)
    return heldout_loss(
        run.trainer.layout.parts[0],
        data,
        run.built.make_batch,
        run.world,
        microbatch=config.microbatch,
        max_rows=config.max_rows,
        layout=run.trainer.layout,
    )


def _finish(run: Run) -> None:
    weights = whole_weights(run.trainer.layout.parts)
    if run.world.is_first:
        last = run.store.latest()
        logger.info("checkpoint: %s", last)
        if run.settings.checkpoint.export:
            run.built.export(run.output / EXPORT_NAME, weights, local_tokenizer(run.files))
    run.world.barrier()
