"""Train one run of a study as any other run is trained, and measure it. Loads torch."""

from __future__ import annotations

import math
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean

import torch

from schemas.errors import ContractError, PipelineError
from schemas.yaml_files import dump_yaml
from train.checkpoint.durable import replace_text
from train.checkpoint.pointer import CHECKPOINTS_NAME, latest_checkpoint, step_of
from train.loop.run import pretrain
from train.loop.signals import AsksToStop, StopFlag
from train.report.run_files import middle, read_run
from train.studies.claims import AskedToStopError
from train.studies.measure import measure_heldout, read_task
from train.studies.outcome import Costs, Documents, Outcome
from train.studies.runs import StudyRun, plan_of
from train.studies.settings import MeasureConfig

RECIPE_NAME = "recipe.yaml"


class StopAtStep:
    """Asks to stop when the last step before a rung is done, or when the worker is asked to end."""

    def __init__(self, steps_left: int, worker: AsksToStop) -> None:
        self._left, self._worker = steps_left, worker

    @property
    def is_set(self) -> bool:
        self._left -= 1
        return self._left <= 0 or self._worker.is_set

    @property
    def leaves_step(self) -> bool:
        return self._worker.leaves_step


class Executor:
    """Trains runs in this process and measures them; SIGTERM ends it behind the step that runs.

    Args:
        config: What is measured.
    """

    def __init__(self, config: MeasureConfig) -> None:
        self._config, self._flag = config, StopFlag()

    def __call__(self, run: StudyRun) -> Outcome:
        """Train a run to its end, or to the step where it waits, from its own last checkpoint, and measure it.

        Raises:
            AskedToStopError: SIGTERM; the work is saved.
            PipelineError: The run cannot come to its end.
        """
        if self._flag.is_set:
            raise AskedToStopError(f"{run.name}: asked to stop; the same command goes on")
        began = time.process_time()
        output = Path(run.settings.output)
        output.mkdir(parents=True, exist_ok=True)
        recipe = run.settings.model_dump(mode="json", exclude_unset=True)
        replace_text(output / RECIPE_NAME, dump_yaml(recipe))
        try:
            checkpoint = self._train(run)
            value, documents = self._measure(checkpoint, run)
        except torch.OutOfMemoryError as error:
            raise PipelineError(f"out of memory: {str(error).splitlines()[0]}") from error
        return Outcome(
            name=run.name,
            fingerprint=run.fingerprint,
            state="done" if math.isfinite(value) else "failed",
            why=None if math.isfinite(value) else f"{self._config.figure} is {value}",
            value=value,
            documents=documents,
            tokens=read_tokens(run),
            costs=_costs(output, step_of(checkpoint), time.process_time() - began),
        )

    def _measure(self, checkpoint: Path, run: StudyRun) -> tuple[float, Documents | None]:
        if self._config.is_task:
            return read_task(run, self._config), None
        return measure_heldout(checkpoint, run, self._config)

    def _train(self, run: StudyRun) -> Path:
        """Train, and give the checkpoint that is measured.

        Raises:
            AskedToStopError: SIGTERM; the work is saved.
        """
        folder = Path(run.phases[-1].settings.output) / CHECKPOINTS_NAME
        goal = run.sizes.steps if run.until_step is None else run.until_step
        done = _step(folder)
        if run.ranks > 1:
            _on_ranks(run)
        elif run.until_step is None:
            pretrain(run.settings, goes_back=True, stop_flag=lambda: self._flag)
        elif done < goal:
            # Asked for once a phase: the earlier ones go to their ends.
            flags: Iterator[AsksToStop] = iter(
                [*[self._flag] * (len(run.phases) - 1), StopAtStep(goal - done, self._flag)]
            )
            pretrain(run.settings, goes_back=True, stop_flag=lambda: next(flags))
        reached = _step(folder)
        if reached < goal:
            raise AskedToStopError(
                f"{run.name}: asked to stop at step {reached:,} of {goal:,}; the same command goes on"
            )
        checkpoint = latest_checkpoint(folder)
        assert checkpoint is not None, "a step was reached"
        return checkpoint


def _step(folder: Path) -> int:
    """The step of the last checkpoint; 0 where there is none."""
    latest = latest_checkpoint(folder)
    return 0 if latest is None else step_of(latest)


def _on_ranks(run: StudyRun) -> None:
    """Train with the ranks that the recipe lays out, as `torchrun` starts them on this machine.

    Raises:
        PipelineError: A rank ended with an error.
    """
    recipe = Path(run.settings.output) / RECIPE_NAME
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone",
        "--nproc-per-node", str(run.ranks),
        "-m", "train", "pretrain", "--recipe", str(recipe), "--from-last-good",
    ]  # fmt: skip
    done = subprocess.run(command, check=False)
    if done.returncode:
        raise PipelineError(
            f"{run.name}: its ranks ended with exit code {done.returncode}; run it by hand to see why: "
            f"{' '.join(command[2:])}"
        )


def read_tokens(run: StudyRun) -> int:
    """The packed tokens that the weights of a run have read in all its phases.

    Raises:
        ContractError: They are not those of its plan.
    """
    read = 0
    for phase in run.phases:
        plan = plan_of(phase)
        read += (
            plan.trained_samples(_step(Path(phase.settings.output) / CHECKPOINTS_NAME))
            * plan.seq_len
        )
    if read != run.tokens:
        raise ContractError(f"{run.name}: read {read:,} tokens; its study planned {run.tokens:,}")
    return read


def _costs(output: Path, steps: int, cpu_seconds: float) -> Costs:
    """What a run cost; of metrics that are written every so many steps, the mean step counts for all."""
    try:
        run = read_run(output)
    except ContractError:  # a rung before the first line of metrics
        return Costs(cpu_seconds=cpu_seconds)
    return Costs(
        seconds=fmean(record["seconds"] for record in run.records) * steps,
        cpu_seconds=cpu_seconds,
        tokens_per_second=middle([record["tokens_per_second"] for record in run.records]),
        memory_bytes=run.peak_memory,
    )
