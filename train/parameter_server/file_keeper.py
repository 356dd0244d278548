"""The files of a run on parameter servers: the first server writes metrics, events, checkpoints."""

from __future__ import annotations

import logging
import queue
import threading
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from train.loop.open_run import TrainingRun
from train.loop.sinks import open_sinks
from train.parallel.config import AsynchronousConfig
from train.parameter_server.messages import Request
from train.parameter_server.server import ParameterServer, Update
from train.parameter_server.update_counter import UpdateCounter
from train.parameter_server.worker import Worker

logger = logging.getLogger(__name__)

_UPDATE_SECONDS = 0.2  # so often it is asked whether workers were lost, though no update came


@dataclass(kw_only=True)
class FileKeeper:
    """Keeps the files of a run while a thread serves the workers.

    Attributes:
        server: The server in this process.
        observer: Reads the weights of all servers.
        updates: What the server applied, in its order.
        first_step: The step that the servers began with.
    """

    run: TrainingRun
    config: AsynchronousConfig
    server: ParameterServer
    observer: Worker
    updates: queue.SimpleQueue[Update]
    first_step: int
    _noted_lost: int = field(default=0, init=False)

    def keep(self, serving: threading.Thread) -> None:
        """Write metrics, checkpoints and events until the workers have left."""
        run, total = self.run, self.run.trainer.plan.total_steps
        counter = UpdateCounter(run.trainer, run.speed)
        with ExitStack() as stack:
            sinks = open_sinks(
                stack,
                run.output,
                run.settings.metrics,
                run.store,
                first_step=self.first_step,
                total_steps=total,
            )
            while serving.is_alive() or not self.updates.empty():
                self._note_lost_workers()
                try:
                    counter.add(self.updates.get(timeout=_UPDATE_SECONDS))
                except queue.Empty:
                    continue
                is_whole = counter.gradients >= self.config.workers or self.config.staleness == 0
                if not is_whole or run.trainer.step >= total:
                    continue
                record = counter.close_step() | self._seen()
                run.trainer.step += 1
                record |= self._after_step(serving)
                for sink in sinks:
                    sink.write(record)
        self._note_lost_workers()

    def save(self) -> None:
        """Write a checkpoint of what the servers hold."""
        checkpoints = self.run.checkpoints
        assert checkpoints.velocity is not None
        # Steps are versions where nothing is stale; else the servers' versions differ anyway.
        is_synchronous = self.config.staleness == 0
        version = self.run.trainer.step - self.first_step if is_synchronous else 0
        checkpoints.velocity.copy_(self.observer.read(version))
        checkpoints.save()

    def _after_step(self, serving: threading.Thread) -> dict[str, Any]:
        """Evaluate at the end, save where it is due before; returns what the record gains."""
        run = self.run
        if run.trainer.step == run.trainer.plan.total_steps:
            serving.join()  # the last stale gradients
            self.observer.pull()
            return run.heldout.after_step(run.trainer.step, is_last=True)
        if run.trainer.step % run.store.config.every_steps == 0:
            self.save()
        return {}

    def _seen(self) -> dict[str, Any]:
        seen = self.server.seen
        return {
            "staleness": {str(updates): n for updates, n in sorted(seen.applied.items())},
            "refused": seen.refused,
            "lost_workers": self._noted_lost,
        }

    def _note_lost_workers(self) -> None:
        lost = self.server.seen.lost_workers
        if lost > self._noted_lost:
            self.run.events.append("lost_worker", step=self.run.trainer.step, workers_lost=lost)
            logger.warning("%d of %d workers lost; the others go on", lost, self.config.workers)
        self._noted_lost = lost


class OwnLink:
    """The link of a process to the server in it: an answer lies ready when its request was sent."""

    def __init__(self, server: ParameterServer) -> None:
        self._server = server
        self._answer: list[Tensor] = []

    def send(self, tensor: Tensor) -> None:
        self._answer = self._server.answer(Request.unpack(tensor))

    def receive(self, tensor: Tensor) -> Tensor:
        return self._answer.pop(0)
