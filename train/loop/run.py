"""A whole run: open data and world, build, resume, train, evaluate, save, export."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch

from schemas.errors import PipelineError
from schemas.yaml_files import dump_yaml
from train.checkpoint.pointer import CHECKPOINTS_NAME, latest_checkpoint, step_of
from train.checkpoint.state import whole_weights
from train.data.remote import local_tokenizer
from train.distributed.precision import set_tf32
from train.distributed.sharded_tensors import local_part
from train.distributed.world import World, open_world
from train.loop.borders import Borders, LeftStep
from train.loop.certificate import certificate, write_certificate
from train.loop.guard import Decision, SpikeError
from train.loop.last_good import go_back_to_last_good
from train.loop.only_writer import only_writer
from train.loop.open_run import TrainingRun, open_run
from train.loop.plan import StepSpan
from train.loop.records import step_record
from train.loop.replays import NOT_FINITE
from train.loop.rollback import roll_back
from train.loop.sentinel import sentinel_of
from train.loop.signals import AsksToStop, StopFlag
from train.loop.sinks import METRICS_NAME, Sink, open_sinks
from train.loop.swap_requests import moment_of, take_request
from train.loop.swaps import SwapQueue, swaps_of_run
from train.loop.take_over import take_over_of
from train.loop.trainer import MicroBatch, NotFiniteError, StepBegunAgain, StepOutcome
from train.parallel.pipeline import PipelineStrategy
from train.phases import PhaseEnd, follow, read_end, settings_sha256, split_phases, write_end
from train.report.page import write_report
from train.sections import attach, section
from train.settings import TrainSettings

logger = logging.getLogger(__name__)

# Why a stretch of steps ends.
Left = Literal["done", "stopped", "swap", "went_back", "other_rows"]
SETTINGS_NAME, EXPORT_NAME = "settings.yaml", "export"


def pretrain(
    settings: TrainSettings,
    *,
    is_fresh: bool = False,
    goes_back: bool = False,
    stop_flag: Callable[[], AsksToStop] = StopFlag,
) -> int:
    """Train to the end of the recipe, or until SIGTERM; resumes from the last good checkpoint.

    Args:
        settings: The recipe.
        is_fresh: Begin anew where a checkpoint is there.
        goes_back: Where the last checkpoint is damaged, resume from the newest that is whole.
        stop_flag: Makes what each phase asks whether it is to end.

    Returns:
        0, also when it was asked to stop: the work is saved.

    Raises:
        PipelineError: Another run holds the folder.
    """
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    attach()
    flag = stop_flag()  # from here on: also who opens a large model may be asked to stop
    with (
        open_world(timeout_seconds=settings.step_timeout_seconds) as world,
        only_writer(Path(settings.output), world),
    ):
        set_tf32(world.device, is_used=settings.precision.tf32)
        before: PhaseEnd | None = None
        for number, phase in enumerate(split_phases(settings)):
            if goes_back:
                go_back_to_last_good(Path(phase.output) / CHECKPOINTS_NAME, world)
            flag = stop_flag() if number else flag
            before = _run_phase(phase, before, world, is_fresh=is_fresh, flag=flag)
            if before is None:
                break  # asked to stop
    return 0


def _run_phase(
    settings: TrainSettings,
    before: PhaseEnd | None,
    world: World,
    *,
    is_fresh: bool,
    flag: AsksToStop,
) -> PhaseEnd | None:
    """Train one phase, unless it ended earlier; None where it was asked to stop."""
    if before is not None:
        settings = follow(settings, before)
    ended = None if is_fresh else read_end(settings)
    if ended is not None:
        logger.info("%s: ended earlier", settings.output)
        return ended
    swaps = SwapQueue(output=Path(settings.output))
    swapped = _settings_of_now(settings, swaps, world)
    while True:
        run = open_run(swapped, world)
        run.trainer.has_request = lambda: world.is_first and swaps.has_request()
        run.trainer.take_over, run.trainer.check = take_over_of(run), sentinel_of(run)
        run.tasks.check()
        run.checkpoints.resume(is_fresh=is_fresh)
        if world.is_first:
            write_settings(run.output, run.checkpoints.recipe)
        left = _train(run, flag, swaps)
        if left not in ("swap", "went_back"):
            break
        is_fresh = False
        if left == "swap":
            swapped = swaps.make(swapped, run.events, moment_of(run))
        else:
            swapped = _settings_of_now(settings, swaps, world)
    return None if left == "stopped" else _end(run, settings)


def _settings_of_now(settings: TrainSettings, swaps: SwapQueue, world: World) -> TrainSettings:
    """The settings at the last checkpoint of the run; what was swapped later is queued again."""
    events = world.tell(swaps_of_run(swaps.output) if world.is_first else None)
    latest = latest_checkpoint(swaps.output / CHECKPOINTS_NAME)
    return swaps.replay(settings, events, step=0 if latest is None else step_of(latest))


def write_settings(output: Path, recipe: dict[str, Any]) -> None:
    """Write the resolved recipe into the folder of the run."""
    output.mkdir(parents=True, exist_ok=True)
    (output / SETTINGS_NAME).write_text(dump_yaml(recipe), encoding="utf-8")


def _end(run: TrainingRun, recipe: TrainSettings) -> PhaseEnd:
    plan = run.trainer.plan
    end = PhaseEnd(
        checkpoint=str(run.store.path(run.trainer.step)),
        manifest=run.settings.manifest,
        next_sample=plan.span(plan.total_steps).start,
        settings_sha256=settings_sha256(recipe),
    )
    if run.world.is_first:
        write_end(run.output, end)
    run.world.barrier()
    return end


def _train(run: TrainingRun, flag: AsksToStop, swaps: SwapQueue) -> Left:
    """Train to the end, to a stop or to a swap, and save what there is."""
    resumed = run.trainer.step
    run.tasks.catch_up(resumed, is_last=resumed == run.trainer.plan.total_steps)
    left = _train_steps(run, flag, swaps)
    if left == "swap":
        _save_before_the_end(run)
        return left
    if left == "went_back":
        return left
    run.checkpoints.finish()
    if left == "stopped":
        step = run.trainer.step
        run.events.append("stop", step=step)
        logger.info("asked to stop: step %d is saved: %s", step, run.store.latest())
    else:
        finish(run)
        if run.world.is_first:
            certify(run)
    if run.world.is_first:
        write_page(run.output)
    return left


def certify(run: TrainingRun) -> None:
    """Write what the run has read, and note that it did; the first rank calls it."""
    trainer, latest, events = run.trainer, run.store.latest(), run.events.events
    if latest is None:
        return
    body = certificate(
        trainer.plan,
        trainer.consumed,
        manifests=run.checkpoints.spans,
        checkpoint=latest,
        last_event=events[-1]["sha256"] if events else "",
    )
    write_certificate(run.output, body)
    run.events.append("certificate", step=trainer.step, certificate=body["sha256"])


def _train_steps(run: TrainingRun, flag: AsksToStop, swaps: SwapQueue) -> Left:
    """Step until the end of the recipe, a stop or a swap."""
    while True:
        left = _train_stretch(run, flag, swaps)
        if left != "other_rows":
            return left


def _train_stretch(run: TrainingRun, flag: AsksToStop, swaps: SwapQueue) -> Left:
    """Step until the end, a stop, a swap, or something after which other rows follow than those read ahead."""
    trainer, total, take_over = run.trainer, run.trainer.plan.total_steps, run.trainer.take_over
    is_stopped = False
    borders = _borders(run, flag)
    with ExitStack() as stack:
        stream = stack.enter_context(
            run.rows.stream(trainer.plan, trainer.strategy.share, start_step=trainer.step)
        )
        sinks = _open_sinks(run, stack, first_step=trainer.step)
        if take_over is not None:
            take_over.stream, take_over.has_fewer = stream, False
        while trainer.step < total and not is_stopped:
            if swaps.is_due(trainer.step):
                return "swap"
            waited = stream.waited_seconds
            read = partial(borders.of_step, read=stream.of_step)
            outcome = _update(run, read, flag)
            if not isinstance(outcome, StepOutcome):
                return outcome
            decision = outcome.decision
            if decision is not None and roll_back(run, decision):
                return "went_back" if swaps.has_made_after(trainer.step) else "other_rows"
            take_request(run, swaps, is_there=outcome.totals.has_request)
            is_stopped = outcome.totals.stop_asked
            record = _close_step(run, outcome, waited_seconds=stream.waited_seconds - waited)
            if take_over is not None and take_over.has_fewer and not sinks:
                sinks = _open_sinks(run, stack, first_step=outcome.span.step)
            for sink in sinks:
                sink.write(record)
            if _has_other_rows(run, decision) and not is_stopped:
                return "other_rows" if trainer.step < total else "done"
    return "stopped" if is_stopped else "done"


def _update(
    run: TrainingRun, read: Callable[[StepSpan], Iterator[MicroBatch]], flag: AsksToStop
) -> StepOutcome | Left:
    """Do a step, or say why it was left."""
    try:
        return run.trainer.update(read, stop_asked=flag.is_set)
    except LeftStep as left:
        _leave_step(run, left)
        return "stopped"
    except StepBegunAgain:
        return "other_rows"
    except NotFiniteError as error:
        run.events.append(NOT_FINITE, step=run.trainer.step, error=str(error))
        raise
    except SpikeError:
        _save_before_the_end(run)
        raise


def _close_step(run: TrainingRun, outcome: StepOutcome, *, waited_seconds: float) -> dict[str, Any]:
    """Do what is due after a step; returns its figures."""
    trainer, is_stopped = run.trainer, outcome.totals.stop_asked
    is_last = trainer.step == trainer.plan.total_steps
    seq_len = trainer.plan.seq_len
    record = step_record(outcome, run.speed, seq_len=seq_len, waited_seconds=waited_seconds)
    if run.outer is not None:
        # Asked to stop they do not meet: a resumed run meets where this one would have.
        run.outer.after_step(trainer.step, is_last=is_last)
    run.checkpoints.after_step(is_last=is_last or is_stopped)
    record |= run.heldout.after_step(trainer.step, is_last=is_last and not is_stopped)
    if not is_stopped:
        publish = run.checkpoints.finish
        record |= run.tasks.after_step(trainer.step, is_last=is_last, publish=publish)
    if trainer.take_over is not None:
        trainer.take_over.record = record
    return record


def _has_other_rows(run: TrainingRun, decision: Decision | None) -> bool:
    """Whether other rows follow than those that are read ahead: a skip, or fewer ranks."""
    take_over = run.trainer.take_over
    has_skip = decision is not None and decision.action.kind == "skip_batches"
    return has_skip or (take_over is not None and take_over.has_fewer)


def _open_sinks(run: TrainingRun, stack: ExitStack, *, first_step: int) -> list[Sink]:
    """What the first rank writes figures to; those that a lost first rank may not have written come first."""
    if not run.world.is_first:
        return []
    take_over, before = run.trainer.take_over, None
    if take_over is not None:
        before, take_over.unwritten = take_over.unwritten, None
    sinks = open_sinks(
        stack,
        run.output,
        run.settings.metrics,
        run.store,
        first_step=first_step if before is None else before["step"],
        total_steps=run.trainer.plan.total_steps,
    )
    if before is not None:
        for sink in sinks:
            sink.write(before)
    return sinks


def _save_before_the_end(run: TrainingRun) -> None:
    """Save what was there before the step that ends the run; all ranks call it."""
    run.trainer.optimizer.zero_grad(set_to_none=True)
    run.checkpoints.after_left_step()
    run.checkpoints.finish()


def _borders(run: TrainingRun, flag: AsksToStop) -> Borders:
    """The borders between the run's micro-batches; a pipeline asks at them within its schedule too."""
    strategy = run.trainer.strategy
    made = Borders(
        world=run.world,
        flag=flag,
        share=strategy.share,
        microbatch=run.settings.batch.microbatch,
    )
    if isinstance(strategy, PipelineStrategy):
        strategy.leaving.border = made
    return made


def _leave_step(run: TrainingRun, left: LeftStep) -> None:
    """Save what was there before the step that all ranks left; all ranks call it.

    Raises:
        Exception: What kept a rank from going on; on the others, an error without words.
    """
    run.trainer.optimizer.zero_grad(set_to_none=True)
    run.checkpoints.after_left_step()
    if left.has_failed:
        run.checkpoints.finish()
        raise left.error or PipelineError()


def write_page(output: Path) -> None:
    """Write the page of a run that has metrics."""
    if (output / METRICS_NAME).stat().st_size:
        logger.info("report: %s", write_report(output))


def _check_weights(run: TrainingRun) -> None:
    """Refuse to end as trained with weights that are not finite; all ranks learn of it together."""
    parts = run.trainer.strategy.parts
    named = [item for part in parts for item in part.named_parameters()]
    wrong = [n for n, value in named if not bool(torch.isfinite(local_part(value)).all())]
    total = run.world.sum(torch.tensor([float(len(wrong))], device=run.world.device))
    if float(total) > 0:
        named_first = f", {wrong[0]} the first" if wrong else ""
        raise PipelineError(
            f"after step {run.trainer.step}: {int(total)} tensors hold numbers that are not finite"
            f"{named_first}; nothing was exported"
        )


def finish(run: TrainingRun) -> None:
    """Export the last weights; all ranks call it.

    Raises:
        PipelineError: The steps were not done, or left weights that are no numbers.
    """
    if run.trainer.scaler is not None:
        run.trainer.scaler.check_work()
    _check_weights(run)
    with section("checkpoint"):
        weights = whole_weights(run.trainer.strategy.parts)
        if run.world.is_first:
            logger.info("checkpoint: %s", run.store.latest())
            if run.settings.checkpoint.export:
                run.built.export(run.output / EXPORT_NAME, weights, local_tokenizer(run.files))
                logger.info("export for transformers: %s", run.output / EXPORT_NAME)
        run.world.barrier()
