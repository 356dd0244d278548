"""A whole run: open data and world, build, resume, train, evaluate, save, export."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import yaml

from train.checkpoint.pointer import CHECKPOINTS_NAME
from train.checkpoint.state import whole_weights
from train.checkpoint.store import CheckpointStore, read_state
from train.data.loader import open_split, shard_files
from train.data.remote import local_tokenizer, open_manifest
from train.data.spliced import open_spans
from train.distributed.precision import autocast_type
from train.distributed.world import World, open_world
from train.evaluation.heldout import HeldoutLoss, heldout_loss
from train.loop.build import build_run
from train.loop.open_run import Run
from train.loop.plan import RunPlan
from train.loop.resume import resume, save
from train.loop.scaler import LossScaler
from train.loop.signals import StopFlag
from train.loop.stream import StepStream, microbatches
from train.loop.trainer import StepOutcome, Trainer
from train.optim.groups import build_optimizer
from train.parallel.compose import build_strategy
from train.parallel.diloco import OuterLoop
from train.phases import PhaseEnd, follow, read_end, settings_sha256, split_phases, write_end
from train.report.events import EVENTS_NAME, EventLog
from train.report.metrics import MetricsFile, ProgressLine
from train.report.page import write_report
from train.report.tensorboard import TensorBoardFile, scalars
from train.settings import TrainSettings
from train.warm_start.start import Resumed

logger = logging.getLogger(__name__)

SETTINGS_NAME, METRICS_NAME = "settings.yaml", "metrics.jsonl"
TENSORBOARD_NAME = "tensorboard"
EXPORT_NAME, EVALUATION_NAME = "export", "evaluation.json"


def pretrain(settings: TrainSettings, *, is_fresh: bool = False) -> int:
    """Train to the end of the recipe, or until SIGTERM; resumes from the last good checkpoint.

    Returns:
        0, also when it was asked to stop: the work is saved.
    """
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    with open_world(timeout_seconds=settings.step_timeout_seconds) as world:
        before: PhaseEnd | None = None
        for phase in split_phases(settings):
            before = _run_phase(phase, before, world, is_fresh=is_fresh)
            if before is None:
                break  # asked to stop
    return 0


def _run_phase(
    settings: TrainSettings, before: PhaseEnd | None, world: World, *, is_fresh: bool
) -> PhaseEnd | None:
    """Train one phase, unless it ended earlier; None where it was asked to stop."""
    if before is not None:
        settings = follow(settings, before)
    ended = None if is_fresh else read_end(settings)
    if ended is not None:
        logger.info("%s: ended earlier", settings.output)
        return ended
    run = open_run(settings, world)
    resume(run, is_fresh=is_fresh)
    if world.is_first:
        write_settings(run)
    if not _train(run):
        return None
    return _end(run)


def write_settings(run: Run) -> None:
    """The resolved recipe beside what the run writes."""
    run.output.mkdir(parents=True, exist_ok=True)
    text = yaml.safe_dump(run.settings.model_dump(mode="json"), allow_unicode=True)
    (run.output / SETTINGS_NAME).write_text(text, encoding="utf-8")


def _end(run: Run) -> PhaseEnd:
    plan = run.trainer.plan
    end = PhaseEnd(
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
    """Open the dataset and build model, strategy and optimizer."""
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
    strategy = build_strategy(settings, built.model, world)
    plan = RunPlan.of(settings, manifest)
    precision = settings.precision
    is_fp16 = autocast_type(precision.compute, world.device) == torch.float16
    trainer = Trainer(
        settings=settings,
        plan=plan,
        strategy=strategy,
        optimizer=build_optimizer(strategy.parts, settings.optimizer),
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
        outer=OuterLoop(strategy.parts[0], settings.diloco) if settings.diloco else None,
    )


def _resumed(store: CheckpointStore) -> Resumed | None:
    """What the checkpoint that the run will resume from says of its model."""
    path = store.latest()
    return None if path is None else Resumed.of(read_state(path)["identity"])


def _train(run: Run) -> bool:
    """Train to the end; False where the run was asked to stop before."""
    trainer, settings = run.trainer, run.settings
    flag = StopFlag()
    items = microbatches(
        trainer.plan,
        run.data,
        trainer.strategy.share,
        run.built.make_batch,
        microbatch=settings.batch.microbatch,
        start_step=trainer.step,
    )
    stream = StepStream(items, depth=settings.loader.prefetch_microbatches)
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
                record = step_record(run, outcome, waited=stream.waited_seconds - waited)
                is_stopped = outcome.totals.stop_asked
                is_last = trainer.step == total or is_stopped
                if run.outer is not None:
                    # Asked to stop they do not meet: a resumed run meets where this one would have.
                    run.outer.after_step(trainer.step, is_last=trainer.step == total)
                saved = None
                if is_last or trainer.step % settings.checkpoint.every_steps == 0:
                    saved = save(run)
                record |= evaluated(run, is_last=is_last and not is_stopped)
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
    if is_stopped:
        if run.events is not None:
            run.events.append("stop", step=trainer.step)
        logger.info("asked to stop: saved step %d in %s", trainer.step, saved)
        report(run)
        return False
    finish(run)
    report(run)
    return True


def report(run: Run) -> None:
    """Write the page of a run that has metrics."""
    metrics = run.output / METRICS_NAME
    if run.world.is_first and metrics.stat().st_size:
        logger.info("report: %s", write_report(run.output))


def step_record(run: Run, outcome: StepOutcome, *, waited: float) -> dict[str, Any]:
    """One line of metrics; `waited` is in seconds."""
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
        "tokens_by_source": {k: round(v) for k, v in outcome.totals.tokens_by_source.items()},
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


def evaluated(run: Run, *, is_last: bool) -> dict[str, Any]:
    """The held-out loss where it is due, for a line of metrics."""
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
    data = open_split(run.files, run.manifest, run.settings.loader, split="heldout", seed=0)
    return heldout_loss(
        run.trainer.strategy.parts[0],
        data,
        run.built.make_batch,
        run.world,
        microbatch=config.microbatch,
        max_rows=config.max_rows,
        strategy=run.trainer.strategy,
    )


def finish(run: Run) -> None:
    """Export the last weights; all ranks call it."""
    weights = whole_weights(run.trainer.strategy.parts)
    if run.world.is_first:
        last = run.store.latest()
        logger.info("checkpoint: %s", last)
        if run.settings.checkpoint.export:
            run.built.export(run.output / EXPORT_NAME, weights, local_tokenizer(run.files))
    run.world.barrier()
