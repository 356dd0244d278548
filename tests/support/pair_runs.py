"""Run one step of each of many recipes, in one process after the other or on ranks together."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from tests.support.option_pairs import Mix
from train.distributed.world import World, open_world
from train.loop.open_run import open_run
from train.parameter_server.run import pretrain_asynchronous
from train.phases import split_phases
from train.settings import TrainSettings


def run_share(mixes: Sequence[Mix]) -> None:
    """This rank's share of the recipes that need one process each."""
    rank, ranks = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    logging.disable(logging.CRITICAL)
    alone = World(rank=0, size=1, device=torch.device("cpu"))
    for mix in mixes[rank::ranks]:
        with _named(mix):
            _run_one_step(TrainSettings.model_validate(mix.recipe), alone)


def run_together(mixes: Sequence[Mix]) -> None:
    """All recipes, each on all ranks; a rank that waits in vain ends with an error soon."""
    logging.disable(logging.CRITICAL)
    with open_world(timeout_seconds=60) as world:
        for mix in mixes:
            with _named(mix):
                _run_one_step(TrainSettings.model_validate(mix.recipe), world)


def run_servers(mixes: Sequence[Mix], ports: Sequence[int]) -> None:
    """All recipes, each as a whole run of a parameter server and a worker."""
    logging.disable(logging.CRITICAL)
    for mix, port in zip(mixes, ports, strict=True):
        os.environ["MASTER_PORT"] = str(port)
        with _named(mix):
            assert pretrain_asynchronous(TrainSettings.model_validate(mix.recipe)) == 0


@contextmanager
def _named(mix: Mix) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        error.add_note(f"with the options {mix.label}")
        raise


def _run_one_step(settings: TrainSettings, world: World) -> None:
    """A step, an exchange where there is one, and the held-out loss, of each phase."""
    for phase in split_phases(settings):
        Path(phase.output).mkdir(parents=True, exist_ok=True)
        run = open_run(phase, world)
        trainer = run.trainer
        with run.rows.stream(trainer.plan, trainer.strategy.share, start_step=0) as stream:
            outcome = trainer.update(stream.of_step, stop_asked=False)
        assert math.isfinite(outcome.totals.mean)
        assert outcome.is_skipped or 0 < outcome.grad_norm < math.inf
        if run.outer is not None:
            run.outer.after_step(trainer.step)
        record = run.heldout.after_step(trainer.step, is_last=True)
        assert math.isfinite(record["heldout"]["loss"])
