"""Runs with `asynchronous:`: the first ranks are parameter servers, the others workers.

Worker n of W reads the rows of data rank n, as in a run of W replicas, and pushes one gradient per
step; W gradients are a step of the metrics. The first server's process also keeps the run's files.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import torch
from torch import Tensor

from schemas.errors import PipelineError, SettingsError
from train.batch.losses import StepSums
from train.checkpoint.pointer import CHECKPOINTS_NAME
from train.distributed.flat_vectors import flat_weights
from train.distributed.links import Link
from train.distributed.world import World
from train.loop.last_good import go_back_to_last_good
from train.loop.only_writer import only_writer
from train.loop.open_run import TrainingRun, open_run
from train.loop.run import finish, write_page, write_settings
from train.loop.signals import AsksToStop, StopFlag
from train.loop.trainer import Trainer
from train.optim.schedules import learning_rate
from train.parallel.config import AsynchronousConfig
from train.parameter_server.file_keeper import FileKeeper, OwnLink
from train.parameter_server.rendezvous import Rendezvous
from train.parameter_server.server import ParameterServer, ServerContract, Update
from train.parameter_server.work import ComputeGradient, compute_gradient, work
from train.parameter_server.worker import Worker, stretch
from train.settings import TrainSettings

logger = logging.getLogger(__name__)


def pretrain_asynchronous(
    settings: TrainSettings,
    *,
    is_fresh: bool = False,
    goes_back: bool = False,
    stop_flag: Callable[[], AsksToStop] = StopFlag,
    gradient: ComputeGradient = compute_gradient,
) -> int:
    """What this process does in the run: RANK of the environment says which one it is.

    Args:
        settings: The recipe.
        is_fresh: Begin anew where a checkpoint is there.
        goes_back: Where the last checkpoint is damaged, resume from the newest that is whole.
        stop_flag: Makes what the first server asks, after each update, whether the run is to end.
        gradient: Computes a worker's gradient.
    """
    config = settings.asynchronous
    assert config is not None
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    rank = int(os.environ["RANK"])
    # From here on: also who waits for the others may be asked to stop.
    flag = stop_flag() if rank == 0 else StopFlag()
    rendezvous = Rendezvous.open(rank, timeout_seconds=settings.step_timeout_seconds)
    world = World(rank=rank, size=1, device=torch.device("cpu"))
    with ExitStack() as stack:
        if rank == 0:
            output = Path(settings.output)
            stack.enter_context(only_writer(output, world))
            if goes_back:
                go_back_to_last_good(output / CHECKPOINTS_NAME, world)
            rendezvous.tell_folder_is_ready()
        rendezvous.wait_for_folder()
        _take_part(
            settings,
            config,
            rendezvous,
            world,
            is_fresh=is_fresh,
            flag=flag,
            gradient=gradient,
        )
    return 0


def _take_part(
    settings: TrainSettings,
    config: AsynchronousConfig,
    rendezvous: Rendezvous,
    world: World,
    *,
    is_fresh: bool,
    flag: AsksToStop,
    gradient: ComputeGradient,
) -> None:
    """Serve, lead or work, by the number of this process."""
    rank = world.rank
    is_server = rank < config.servers
    run = open_run(settings, world, holds_momentum=is_server)
    if not is_server:
        work(
            run.trainer,
            run.rows,
            config,
            rendezvous,
            number=rank - config.servers,
            flag=flag,
            gradient=gradient,
        )
    elif rank == 0:
        _lead(run, config, rendezvous, flag, is_fresh=is_fresh)
    else:
        _hold(run, config, rendezvous, rank)


def _server(
    run: TrainingRun,
    config: AsynchronousConfig,
    number: int,
    *,
    on_update: Callable[[Update], None] | None = None,
    is_ending: Callable[[], bool] = lambda: False,
) -> ParameterServer:
    """The server of a stretch of the model's weights and of the momentum, as they are now."""
    trainer, optimizer = run.trainer, run.settings.optimizer
    every = run.settings.checkpoint.every_steps
    weights, velocity = flat_weights(trainer.strategy.parts[0]), run.checkpoints.velocity
    assert velocity is not None
    part = stretch(weights.numel(), config.servers)[number]
    start, last = trainer.step, trainer.plan.total_steps - 1
    updates_per_step = 1 if config.staleness == 0 else config.workers

    def rate_of(version: int) -> float:
        progress = trainer.plan.progress(min(start + version // updates_per_step, last))
        return learning_rate(progress, trainer.schedule)

    return ParameterServer(
        weights[part],
        ServerContract(
            bound=config.staleness,
            workers=config.workers,
            rate_of=rate_of,
            momentum=optimizer.momentum_or_default,
            max_grad_norm=optimizer.max_grad_norm,
            is_held=lambda version: (start + version) % every == 0 and start + version <= last,
            is_ending=is_ending,
        ),
        decay=_flat_decay(trainer)[part],
        num_sums=StepSums.packed_size(len(trainer.sources)),
        velocity=velocity[part],
        on_update=on_update,
    )


def _flat_decay(trainer: Trainer) -> Tensor:
    """[N] coefficients of weight decay, in the order of the flat weights."""
    groups = trainer.optimizer.param_groups
    if any(group["lr_scale"] != 1.0 for group in groups):
        raise SettingsError("asynchronous does not go with muP: servers have one rate for all")
    decay_of = {id(p): float(group["weight_decay"]) for group in groups for p in group["params"]}
    parameters = trainer.strategy.parts[0].parameters()
    return torch.cat([torch.full((p.numel(),), decay_of.get(id(p), 0.0)) for p in parameters])


def _hold(
    run: TrainingRun, config: AsynchronousConfig, rendezvous: Rendezvous, number: int
) -> None:
    """Serve a stretch until the workers have left and the first server has read it.

    SIGTERM is heard and left to the workers: a server ends when they have.
    """
    run.checkpoints.resume(is_fresh=False)
    server = _server(run, config, number)
    rendezvous.tell_server_is_ready(number)
    thread = threading.Thread(
        target=server.serve, args=(rendezvous.links_to_workers(number, config.workers),)
    )
    thread.start()
    server.observe(rendezvous.link_to_observer(number))
    thread.join()


def _lead(
    run: TrainingRun,
    config: AsynchronousConfig,
    rendezvous: Rendezvous,
    flag: AsksToStop,
    *,
    is_fresh: bool,
) -> None:
    """Serve the first stretch and keep the files of the run.

    Raises:
        PipelineError: The workers left before the recipe's end, and nobody had asked them to.
    """
    trainer = run.trainer
    run.checkpoints.resume(is_fresh=is_fresh)
    write_settings(run.output, run.checkpoints.recipe)
    updates: queue.SimpleQueue[Update] = queue.SimpleQueue()

    def is_ending() -> bool:
        # Where each step takes a gradient of every worker, none is right without all of them.
        has_lost = config.staleness == 0 and server.seen.lost_workers > 0
        return flag.is_set or has_lost

    server = _server(run, config, 0, on_update=updates.put, is_ending=is_ending)
    others = range(1, config.servers)
    rendezvous.wait_for_servers(others)  # they read the same checkpoint
    rendezvous.tell_start_step(trainer.step)
    links = rendezvous.links_to_workers(0, config.workers)
    serving = threading.Thread(target=server.serve, args=(links,))
    serving.start()
    servers: list[Link] = [OwnLink(server), *rendezvous.links_of_observer(others)]
    observer = Worker(trainer.strategy.parts[0], servers)
    keeper = FileKeeper(
        run=run,
        config=config,
        server=server,
        observer=observer,
        updates=updates,
        first_step=trainer.step,
    )
    keeper.keep(serving)
    is_stopped = flag.is_set and trainer.step < trainer.plan.total_steps
    if trainer.step > 0 or not is_stopped:
        keeper.save()
    run.checkpoints.finish()
    observer.close()
    _finish_files(run, config, lost=server.seen.lost_workers, is_stopped=is_stopped)


def _finish_files(
    run: TrainingRun, config: AsynchronousConfig, *, lost: int, is_stopped: bool
) -> None:
    """Note how the run ended: stopped, done and exported, or neither.

    Raises:
        PipelineError: The workers left before the recipe's end, and nobody had asked the run to stop.
    """
    step, total = run.trainer.step, run.trainer.plan.total_steps
    if is_stopped:
        run.events.append("stop", step=step)
        logger.info("asked to stop: step %d is saved: %s", step, run.store.latest())
    elif step == total:
        finish(run)
    write_page(run.output)
    if step < total and not is_stopped:
        reason = (
            f"{lost} of {config.workers} workers were lost"
            if lost
            else "a worker was asked to stop"
        )
        raise PipelineError(
            f"ended at step {step} of {total}: {reason}; step {step} is saved, start the run again for the rest"
        )
