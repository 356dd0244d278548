"""Run a study of fine-tuning: choose the rate on dev, train every seed, report test once.

What is finished stays in `cells/`, one file for each run; a study that was stopped goes on behind them, and several
workers that run the same command share it (train/studies/claims.py).
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from schemas.errors import ContractError
from schemas.fingerprints import canonical_json, sha256_hex
from schemas.plain_json import json_text
from train.checkpoint.durable import replace_text
from train.checkpoint.pointer import find_checkpoint
from train.data.config import LoaderConfig
from train.data.loader import SplitReader, open_split, shard_files
from train.data.remote import open_manifest
from train.finetune.bag_of_words import bag_of_words
from train.finetune.cells import (
    Cell,
    cell_settings,
    choose_rate,
    final_cells,
    selection_cells,
)
from train.finetune.page import write_page
from train.finetune.predictions import Answers, answer_all, read_targets
from train.finetune.settings import FinetuneSettings
from train.finetune.verdict import (
    LabelsRow,
    Outcome,
    accuracy,
    as_dict,
    most_given,
    rows_of,
)
from train.generation.open_model import open_weights
from train.loop.run import pretrain
from train.objectives.config import parse_objective
from train.phases import read_end
from train.settings import TrainSettings
from train.studies.claims import AskedToStopError, held, share

logger = logging.getLogger(__name__)
RESULT_NAME = "finetune.json"
_CELLS, _QUEUE = "cells", "queue"


@dataclass(frozen=True, kw_only=True)
class Study:
    """The result of a study.

    Attributes:
        page: The HTML file.
    """

    rows: tuple[LabelsRow, ...]
    rate: float
    majority: float
    page: Path


def run_study(
    study: FinetuneSettings, *, train: Callable[[TrainSettings], int] = pretrain
) -> Study:
    """Run what is not finished, and write `finetune.json` and its page.

    Args:
        study: The settings.
        train: Trains one recipe to its end.

    Raises:
        ContractError: A dataset has other rows than the study says, or dev and training share rows.
    """
    _check(study)
    tried = _outcomes(study, selection_cells(study), train, reports=False)
    scores = {cell: outcome.dev for cell, outcome in tried.items()}
    rate = choose_rate(study, scores)
    outcomes = list(_outcomes(study, list(final_cells(study, rate)), train, reports=True).values())
    line = _majority(study)
    bags = {labels: _bag(study, name) for labels, name in study.train.items()}
    rows = rows_of(outcomes, bags)
    result = as_dict(rows, rate, line, scores)
    folder = Path(study.output)
    with held(folder / _QUEUE, "page"):
        replace_text(folder / RESULT_NAME, json_text(result, indent=1) + "\n")
        page = write_page(folder, rows, result)
    return Study(rows=tuple(rows), rate=rate, majority=line, page=page)


def _check(study: FinetuneSettings) -> None:
    """Refuse before the first run what would make its figures wrong."""
    for labels, name in study.train.items():
        rows = _open(name).num_rows
        if rows != labels:
            raise ContractError(f"{name}: {rows:,} training rows; the study says {labels:,} labels")
    largest = study.train[max(study.train)]
    trained = _inputs(_open(largest))
    for what, name in (("dev", study.dev), ("test", study.test)):
        shared = len(trained & _inputs(_open(name)))
        if shared:
            raise ContractError(
                f"{what}: {shared:,} rows of {name} are training rows of {largest} too; what was learnt by "
                "heart would count as known"
            )
    for cell in (*selection_cells(study), *final_cells(study, 1e-5)):
        cell_settings(study, cell)


def _inputs(data: SplitReader) -> set[bytes]:
    """The inputs of all rows, as their ids."""
    found = set()
    for sample in range(data.num_rows):
        rows = data.read(np.array([sample], np.int64))
        found.add(rows.input_ids[0, : int(rows.extra["target_start"][0])].tobytes())
    return found


def _open(manifest: str) -> SplitReader:
    files = shard_files(manifest, LoaderConfig())
    return open_split(
        files, open_manifest(files), LoaderConfig(), split="train", seed=0, order="by_shard"
    )


def _outcomes(
    study: FinetuneSettings,
    cells: Sequence[Cell],
    train: Callable[[TrainSettings], int],
    *,
    reports: bool,
) -> dict[Cell, Outcome]:
    """The outcomes of all runs, each read again where it is finished, else trained and asked by one worker."""
    by_name = {cell.name: cell for cell in cells}
    share(
        list(by_name),
        Path(study.output) / _QUEUE,
        lambda name: _known(study, by_name[name], reports=reports) is not None,
        lambda name: _make(study, by_name[name], train, reports=reports),
    )
    known = {cell: _known(study, cell, reports=reports) for cell in cells}
    return {cell: outcome for cell, outcome in known.items() if outcome is not None}


def _target(study: FinetuneSettings, cell: Cell, *, reports: bool) -> Path:
    return Path(study.output) / _CELLS / f"{cell.name}{'' if reports else '-dev'}.json"


def _known(study: FinetuneSettings, cell: Cell, *, reports: bool) -> Outcome | None:
    """The outcome of a run that was finished with these settings and data."""
    target = _target(study, cell, reports=reports)
    if not target.is_file():
        return None
    found = json.loads(target.read_text("utf-8"))
    if found.get("asked") != _question(study, cell_settings(study, cell), reports=reports):
        return None
    return Outcome(
        cell=cell,
        dev=found["dev"],
        most_given=found["most_given"],
        test=found["test"],
        correct=tuple(bool(one) for one in found["correct"]),
    )


def _make(
    study: FinetuneSettings, cell: Cell, train: Callable[[TrainSettings], int], *, reports: bool
) -> None:
    """Train a run, ask it, and keep its answers.

    Raises:
        AskedToStopError: SIGTERM; the work is saved.
    """
    settings = cell_settings(study, cell)
    logger.info("fine-tuning: %s", cell.name)
    train(settings)
    if read_end(settings) is None:
        raise AskedToStopError(f"{cell.name}: asked to stop; the same command goes on")
    dev = _answers(settings, study.dev)
    test = _answers(settings, study.test) if reports else None
    outcome = Outcome(
        cell=cell,
        dev=accuracy(dev),
        most_given=most_given(dev),
        test=None if test is None else accuracy(test),
        correct=() if test is None else tuple(test.correct),
    )
    question = _question(study, settings, reports=reports)
    _store(_target(study, cell, reports=reports), question, outcome)
    # The weights have been asked; those of dozens of runs would fill the disk.
    shutil.rmtree(settings.output)


def _store(target: Path, question: str, outcome: Outcome) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    found = {
        "asked": question,
        "dev": outcome.dev,
        "most_given": outcome.most_given,
        "test": outcome.test,
        "correct": [int(one) for one in outcome.correct],
    }
    replace_text(target, json.dumps(found) + "\n")


def _question(study: FinetuneSettings, settings: TrainSettings, *, reports: bool) -> str:
    """What an outcome depends on, as a hash."""
    names = (settings.manifest, study.dev, *((study.test,) if reports else ()))
    roots = [open_manifest(shard_files(name, LoaderConfig())).root for name in names]
    recipe = settings.model_dump(mode="json", exclude={"output", "manifest"})
    return sha256_hex(canonical_json({"recipe": recipe, "roots": roots}))


def _answers(settings: TrainSettings, manifest: str) -> Answers:
    weights = open_weights(find_checkpoint(Path(settings.output)))
    objective = parse_objective(settings.objective)
    targets = read_targets(_open(settings.manifest))
    return answer_all(weights, objective, _open(manifest), targets)


def _bag(study: FinetuneSettings, train: str) -> float:
    """Accuracy on test of a bag of words that learnt from the same labels."""
    data = _open(train)
    targets = read_targets(data)
    return accuracy(bag_of_words(data, _open(study.dev), _open(study.test), targets))


def _majority(study: FinetuneSettings) -> float:
    """Accuracy on test of the target that is most frequent among the most labels."""
    frequent = read_targets(_open(study.train[max(study.train)])).texts[0]
    test = read_targets(_open(study.test))
    known = dict(zip(test.texts, test.counts, strict=True))
    return known.get(frequent, 0) / sum(test.counts)
