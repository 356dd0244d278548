"""Run a study of fine-tuning: choose the rate on dev, train every seed, report test once.

What is finished stays in `cells/`, one file for each run; a study that was stopped goes on behind them.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from schemas.errors import ContractError
from schemas.fingerprints import canonical_json, sha256_hex
from schemas.plain_json import json_text
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
from train.settings import TrainSettings

logger = logging.getLogger(__name__)
RESULT_NAME = "finetune.json"
_CELLS = "cells"


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
    tried = {cell: _outcome(study, cell, train, reports=False) for cell in selection_cells(study)}
    scores = {cell: outcome.dev for cell, outcome in tried.items()}
    rate = choose_rate(study, scores)
    outcomes = [_outcome(study, cell, train, reports=True) for cell in final_cells(study, rate)]
    line = _majority(study)
    bags = {labels: _bag(study, name) for labels, name in study.train.items()}
    rows = rows_of(outcomes, bags)
    result = as_dict(rows, rate, line, scores)
    folder = Path(study.output)
    (folder / RESULT_NAME).write_text(json_text(result, indent=1) + "\n", encoding="utf-8")
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


def _outcome(
    study: FinetuneSettings, cell: Cell, train: Callable[[TrainSettings], int], *, reports: bool
) -> Outcome:
    """The outcome of a run: read again where it is finished, else trained and asked."""
    settings = cell_settings(study, cell)
    question = _question(study, settings, reports=reports)
    target = Path(study.output) / _CELLS / f"{cell.name}{'' if reports else '-dev'}.json"
    if target.is_file():
        found = json.loads(target.read_text("utf-8"))
        if found.get("asked") == question:
            correct = tuple(bool(one) for one in found["correct"])
            return Outcome(
                cell=cell,
                dev=found["dev"],
                most_given=found["most_given"],
                test=found["test"],
                correct=correct,
            )
    logger.info("fine-tuning: %s", cell.name)
    train(settings)
    dev = _answers(settings, study.dev)
    test = _answers(settings, study.test) if reports else None
    outcome = Outcome(
        cell=cell,
        dev=accuracy(dev),
        most_given=most_given(dev),
        test=None if test is None else accuracy(test),
        correct=() if test is None else tuple(test.correct),
    )
    _store(target, question, outcome)
    # The weights have been asked; those of dozens of runs would fill the disk.
    shutil.rmtree(settings.output)
    return outcome


def _store(target: Path, question: str, outcome: Outcome) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    found = {
        "asked": question,
        "dev": outcome.dev,
        "most_given": outcome.most_given,
        "test": outcome.test,
        "correct": [int(one) for one in outcome.correct],
    }
    aside = target.with_suffix(".part")
    aside.write_text(json.dumps(found) + "\n", encoding="utf-8")
    aside.replace(target)


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
