"""Measure a run: the loss of each held-out document, the same documents for all runs, or a metric of a task."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from schemas.errors import ContractError, SettingsError
from schemas.fingerprints import canonical_json, sha256_hex
from schemas.settings import nearest
from train.distributed.world import open_world
from train.evaluation.heldout_documents import sums_by_document
from train.evaluation.open_heldout import (
    HeldoutRequest,
    OpenHeldout,
    heldout_of_weights,
    open_heldout,
)
from train.generation.open_model import open_weights
from train.loop.tasks import TASKS_NAME
from train.objectives.config import parse_objective
from train.studies.outcome import Documents
from train.studies.runs import StudyRun
from train.studies.settings import MeasureConfig

# What an objective draws is drawn alike for all runs, whatever their seeds.
_SEED = 0


def measure_heldout(
    checkpoint: Path, run: StudyRun, config: MeasureConfig
) -> tuple[float, Documents | None]:
    """The held-out figure of a checkpoint, and the losses of the documents that it is made of.

    The documents' sums leave out first tokens that no mark precedes in their row; the figure holds them. They are
    None for layouts whose rows do not say which document a label is of.

    Raises:
        ContractError: The weights do not read the split, or the figure needs another objective.
        PipelineError: The loss is not a number.
    """
    request = request_of(run, config)
    with open_world(timeout_seconds=run.settings.step_timeout_seconds) as world:
        weights = open_weights(checkpoint)
        weights.model.to(world.device)
        split = open_heldout(weights, request)
        heard: list[Any] = []
        found = heldout_of_weights(weights, split, world, heard=heard.append)
    figures = found.as_dict()
    name = "loss" if config.figure == "heldout_loss" else config.figure
    if figures[name] is None:
        raise ContractError(
            f"{checkpoint}: no {config.figure}; it needs the causal objective and a whole split, not "
            f"{request.objective.name} and {config.max_rows or 'all'} rows; measure heldout_loss"
        )
    return float(figures[name]), _documents(split, heard, _labels_identity(request, split))


def request_of(run: StudyRun, config: MeasureConfig) -> HeldoutRequest:
    """What a run is judged on."""
    objective = config.objective or run.phases[-1].settings.objective
    return HeldoutRequest(
        manifest=config.manifest or run.phases[-1].settings.manifest,
        objective=parse_objective(dict(objective)),
        max_rows=config.max_rows,
        seed=_SEED,
    )


def _labels_identity(request: HeldoutRequest, split: OpenHeldout) -> str:
    """What two runs must share for their documents to have the same labels."""
    objective = request.objective.model_copy(update={"augment": None}).model_dump(mode="json")
    root = split.data.manifest.root
    return sha256_hex(canonical_json({"root": root, "objective": objective}))[:32]


def _documents(split: OpenHeldout, heard: Sequence[Any], root: str) -> Documents | None:
    found = sums_by_document(split, heard)
    if found is None:
        return None
    return Documents(root=root, names=found.names, losses=found.losses, labels=found.labels)


def read_task(run: StudyRun, config: MeasureConfig) -> float:
    """The metric of a task that the run scored at its end.

    Raises:
        SettingsError: The recipe has no such task, or the task no such metric.
    """
    task, _, metric = config.figure.rpartition("/")
    path = Path(run.settings.output) / TASKS_NAME
    lines = path.read_text("utf-8").splitlines() if path.is_file() else []
    known = {one["name"]: one["metrics"] for line in lines for one in json.loads(line)["tasks"]}
    if task not in known:
        raise SettingsError(
            f"measure.figure {config.figure}: {path} has no task {task}{nearest(task, set(known))}"
        )
    if metric not in known[task]:
        raise SettingsError(
            f"measure.figure {config.figure}: {task} has no {metric}{nearest(metric, set(known[task]))}"
        )
    value = known[task][metric]["value"]
    return math.nan if value is None else float(value)
