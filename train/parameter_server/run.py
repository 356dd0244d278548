"""Runs with `asynchronous:`: the first ranks are parameter servers, the others workers.

Worker n of W reads the rows of data rank n, as in a run of W replicas, and pushes one gradient per
step; W gradients are a step of the metrics. The first server's process also keeps the run's files.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch._C._distributed_c10d import TCPStore

from train.batch.losses import LossMeter, StepSums
from train.data.cursor import RankShare
from train.distributed.flat_vectors import flat_weights
from train.distributed.links import GlooLink
from train.distributed.world import World
from train.loop.open_run import Run
from train.loop.resume import resume, save
from train.loop.run import (
    METRICS_NAME,
    TENSORBOARD_NAME,
    evaluated,
    finish,
    open_run,
    report,
    step_record,
    write_settings,
)
from train.loop.signals import StopFlag
from train.loop.stream import StepStream, microbatches
from train.loop.trainer import StepOutcome
from train.optim.schedules import learning_rate
from train.parallel.config import AsynchronousConfig
from train.parameter_server.launch import WORKER_ENDED
from train.parameter_server.messages import Request, Tally
from train.parameter_server.server import ParameterServer, ServerContract, Update
from train.parameter_server.worker import Worker, stretch
from train.report.metrics import MetricsFile, ProgressLine
from train.report.tensorboard import TensorBoardFile, scalars
from train.settings import TrainSettings

logger = logging.getLogger(__name__)

_START, _READY = "start_step", "server_ready"
_JOINED = "worker_joined"
_LOOK_SECONDS = 0.1
_OBSERVER, _PATIENT_SECONDS = "observer", 30 * 86400.0


def pretrain_asynchronous(settings: TrainSettings, *, is_fresh: bool = False) -> int:
    """What this process does in the run: RANK of the environment says which one it is."""
    config = settings.asynchronous
    assert config is not None
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    rank = int(os.environ["RANK"])
    store = _open_store(rank, settings.step_timeout_seconds)
    run = open_run(settings, World(rank=rank, size=1, device=torch.device("cpu")))
    if rank < config.servers:
        run.velocity = torch.zeros_like(flat_weights(run.trainer.strategy.parts[0]))
    if rank >= config.servers:
        _work(run, config, store, rank - config.servers)
    elif rank == 0:
        _lead(run, config, store, is_fresh=is_fresh)
    else:
        _hold(run, config, store, rank)
    return 0


def _open_store(rank: int, timeout_seconds: float) -> TCPStore:
    has_agent = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    return TCPStore(
        os.environ["MASTER_ADDR"],
        int(os.environ["MASTER_PORT"]),
        is_master=rank == 0 and not has_agent,
        wait_for_workers=False,
        timeout=timedelta(seconds=timeout_seconds),
    )


def _link(run: Run, store: TCPStore, server: int, other: str, *, end: str) -> GlooLink:
    # A client of the store answers one thread at a time, and waiting for a peer takes it whole.
    own = store.clone()  # type: ignore[attr-defined]
    # The first server reads the weights when it saves, which may be hours from now.
    seconds = _PATIENT_SECONDS if other == _OBSERVER else run.settings.step_timeout_seconds
    return GlooLink(own, f"asynchronous-{server}-{other}", end=end, timeout_seconds=seconds)


def _server(
    run: Run,
    config: AsynchronousConfig,
    number: int,
    *,
    on_update: Callable[[Update], None] | None = None,
    is_ending: Callable[[], bool] = lambda: False,
) -> ParameterServer:
    """The server of a stretch of the model's weights and of the momentum, as they are now."""
    trainer = run.trainer
    model = trainer.strategy.parts[0]
    groups = trainer.optimizer.param_groups
    decay_of = {id(p): float(group["weight_decay"]) for group in groups for p in group["params"]}
    weights = flat_weights(model)
    assert run.velocity is not None
    part = stretch(weights.numel(), config.servers)[number]
    decay = torch.cat([torch.full((p.numel(),), decay_of[id(p)]) for p in model.parameters()])
    per_step = 1 if config.staleness == 0 else config.workers
    start, last = trainer.step, trainer.plan.total_steps - 1
    every = run.settings.checkpoint.every_steps

    def rate_of(version: int) -> float:
        progress = trainer.plan.progress(min(start + version // per_step, last))
        return learning_rate(progress, run.settings.schedule)

    optimizer = run.settings.optimizer
    return ParameterServer(
        weights[part],
        ServerContract(
            bound=config.staleness,
            workers=config.workers,
            rate_of=rate_of,
            momentum=optimizer.momentum,
            max_norm=optimizer.max_grad_norm,
            is_held=lambda version: (start + version) % every == 0 and start + version <= last,
            is_ending=is_ending,
        ),
        decay=decay[part],
        num_sums=StepSums.packed_size(len(trainer.sources)),
        velocity=run.velocity[part],
        on_update=on_update,
    )


def _links_of(
    run: Run, config: AsynchronousConfig, store: TCPStore, server: int
) -> list[Callable[[], GlooLink]]:
    return [partial(_link_of_worker, run, store, server, n) for n in range(config.workers)]


def _link_of_worker(run: Run, store: TCPStore, server: int, number: int) -> GlooLink:
    """Wait for a worker; one that died before it joined would be waited for until the timeout.

    Raises:
        ConnectionError: It ended, or did not come in time.
    """
    own = store.clone()  # type: ignore[attr-defined]
    until = time.monotonic() + run.settings.step_timeout_seconds
    while not own.check([f"{_JOINED}-{number}"]):
        if own.check([f"{WORKER_ENDED}-{number}"]) or time.monotonic() > until:
            raise ConnectionError(f"worker {number} did not join")
        time.sleep(_LOOK_SECONDS)
    return _link(run, store, server, str(number), end="server")


def _hold(run: Run, config: AsynchronousConfig, store: TCPStore, number: int) -> None:
    """Serve a stretch until the workers have left and the first server has read it."""
    StopFlag()  # the workers stop; a server ends when they have
    resume(run, is_fresh=False)
    server = _server(run, config, number)
    store.set(f"{_READY}-{number}", "")
    thread = threading.Thread(target=server.serve, args=(_links_of(run, config, store, number),))
    thread.start()
    server.observe(_link(run, store, number, _OBSERVER, end="server"))
    thread.join()


def _lead(run: Run, config: AsynchronousConfig, store: TCPStore, *, is_fresh: bool) -> None:
    """Serve the first stretch and keep the files of the run."""
    flag = StopFlag()
    resume(run, is_fresh=is_fresh)
    write_settings(run)
    updates: queue.SimpleQueue[Update] = queue.SimpleQueue()
    server = _server(run, config, 0, on_update=updates.put, is_ending=lambda: flag.is_set)
    others = range(1, config.servers)
    store.wait([f"{_READY}-{number}" for number in others])  # they read the same checkpoint
    store.set(_START, str(run.trainer.step))
    thread = threading.Thread(target=server.serve, args=(_links_of(run, config, store, 0),))
    thread.start()
    observed = [_link(run, store, number, _OBSERVER, end="worker") for number in others]
    observer = Worker(run.trainer.strategy.parts[0], [_Own(server), *observed])
    first_step = run.trainer.step
    _keep_files(run, config, server, updates, observer, thread)
    is_stopped = flag.is_set and run.trainer.step < run.trainer.plan.total_steps
    _save(run, observer, first_step)
    run.store.finish()
    observer.close()
    if is_stopped:
        _note(run, "stop")
        logger.info("asked to stop: saved step %d", run.trainer.step)
    else:
        finish(run)
    report(run)


class _Own:
    """The link of a process to the server in it."""

    def __init__(self, server: ParameterServer) -> None:
        self._server = server
        self._answers: list[Tensor] = []

    def send(self, request: Tensor) -> None:
        """A pull or read: the answer lies ready."""
        self._answers = self._server.answer(Request.unpack(request))

    def receive(self, tensor: Tensor) -> Tensor:
        """The next part of the answer."""
        return self._answers.pop(0)


def _keep_files(
    run: Run,
    config: AsynchronousConfig,
    server: ParameterServer,
    updates: queue.SimpleQueue[Update],
    observer: Worker,
    serving: threading.Thread,
) -> None:
    """Metrics, checkpoints and events until the workers have left."""
    trainer, settings = run.trainer, run.settings
    metrics = MetricsFile(run.output / METRICS_NAME, resume_step=trainer.step)
    board = None
    if settings.metrics.tensorboard:
        board = TensorBoardFile(run.output / TENSORBOARD_NAME, first_step=trainer.step)
    step, first_step, lost = _Step(run), trainer.step, 0
    with ProgressLine(total_steps=trainer.plan.total_steps, enabled=True) as line:
        while serving.is_alive() or not updates.empty():
            lost = _note_lost(run, config, server, lost)
            try:
                step.add(updates.get(timeout=0.2))
            except queue.Empty:
                continue
            is_whole = step.gradients >= config.workers or config.staleness == 0
            if not is_whole or trainer.step >= trainer.plan.total_steps:
                continue
            record = step.close() | {
                "staleness": {str(k): n for k, n in sorted(server.seen.applied.items())},
                "refused": server.seen.refused,
                "lost_workers": lost,
            }
            trainer.step += 1
            if trainer.step == trainer.plan.total_steps:
                serving.join()  # the last stale gradients
                observer.pull()
                record |= evaluated(run, is_last=True)
            elif trainer.step % settings.checkpoint.every_steps == 0:
                _save(run, observer, first_step)
            metrics.write(record)
            if board is not None:
                board.write(record["step"], scalars(record))
            run.store.poll()
            line.show(record)
    _note_lost(run, config, server, lost)
    metrics.close()
    if board is not None:
        board.close()


def _note_lost(run: Run, config: AsynchronousConfig, server: ParameterServer, known: int) -> int:
    """Tell of workers lost since; how many are."""
    lost = server.seen.lost_workers
    if lost > known:
        _note(run, "lost_worker", workers_lost=lost)
        logger.warning("%d of %d workers lost; the others go on", lost, config.workers)
    return lost


def _save(run: Run, observer: Worker, first_step: int) -> None:
    """Write a checkpoint of what the servers hold."""
    config = run.settings.asynchronous
    assert config is not None
    assert run.velocity is not None
    # Steps are versions where nothing is stale; else the servers' versions differ anyway.
    version = run.trainer.step - first_step if config.staleness == 0 else 0
    momentum = observer.read(version)
    run.velocity.copy_(momentum)
    save(run)


class _Step:
    """Adds up the gradients of a step for its line of metrics."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._began = time.perf_counter()
        self._begin()

    def _begin(self) -> None:
        trainer = self._run.trainer
        self._meter = LossMeter(trainer.sources, self._run.world.device)
        self._waited = 0.0
        self.gradients = 0
        self._last: Update | None = None

    def add(self, update: Update) -> None:
        """Count one update of the server."""
        num_sources = len(self._run.trainer.sources)
        self._meter.sums.add_(StepSums.unpack(update.tally.sums, num_sources))
        self._waited += update.tally.waited_seconds
        self.gradients += update.gradients
        self._last = update

    def close(self) -> dict[str, Any]:
        """The line of the step; the next one begins."""
        trainer, last = self._run.trainer, self._last
        assert last is not None
        outcome = StepOutcome(
            span=trainer.plan.span(trainer.step),
            totals=self._meter.total(self._run.world, stop_asked=False),
            grad_norm=last.norm,
            lr=last.rate,
            loss_scale=None,
            is_skipped=False,
            seconds=last.seconds - self._began,
        )
        record = step_record(self._run, outcome, waited=self._waited / self.gradients)
        self._began = last.seconds
        self._begin()
        return record


def _note(run: Run, kind: str, **details: Any) -> None:
    assert run.events is not None
    run.events.append(kind, step=run.trainer.step, **details)


def _work(run: Run, config: AsynchronousConfig, store: TCPStore, number: int) -> None:
    """Compute gradients until the recipe's end or SIGTERM.

    Where nothing may be stale the first server alone says when to leave: all leave after one round.
    """
    flag = StopFlag()
    trainer = run.trainer
    strategy = trainer.strategy
    strategy.share = RankShare(rank=number, ranks=config.workers)
    trainer.step = int(store.get(_START))
    store.set(f"{_JOINED}-{number}", "")
    links = [_link(run, store, n, str(number), end="worker") for n in range(config.servers)]
    worker = Worker(strategy.parts[0], links)
    items = microbatches(
        trainer.plan,
        run.data,
        strategy.share,
        run.built.make_batch,
        microbatch=run.settings.batch.microbatch,
        start_step=trainer.step,
    )
    stream = StepStream(items, depth=run.settings.loader.prefetch_microbatches)
    try:
        while trainer.step < trainer.plan.total_steps and not worker.is_over:
            if flag.is_set and config.staleness > 0:
                break
            waited = stream.waited_seconds
            rows = list(stream.of_step(trainer.plan.span(trainer.step)))
            seconds = stream.waited_seconds - waited
            worker.step(partial(_gradient, run, rows, seconds))
            trainer.step += 1
    finally:
        stream.close()
    worker.close()
    logger.info("worker %d: %d steps, %d gradients too late", number, trainer.step, worker.refused)


def _gradient(run: Run, rows: list[Any], waited: float) -> Tally:
    """Leave gradients of sums in the model; says what they are sums over."""
    trainer = run.trainer
    meter = LossMeter(trainer.sources, run.world.device)
    items = (item.counted(meter, readers=1) for item in rows)
    trainer.strategy.accumulate(items, meter, backward_scale=1.0)
    return Tally(
        labels=float(meter.sums.labels), waited_seconds=waited, sums=meter.sums.pack().cpu()
    )
