"""Published evaluations, with the scores of their items.

`train evaluate` writes `evaluation.json`, and the items of each task into the folder `evaluation` beside it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from schemas.errors import ContractError
from train.evaluation.cache import RESULT_NAME
from train.evaluation.items import ItemScore, Measure
from train.statistics.intervals import Floats

# The tasks that a run scored at its checkpoints, a line for each step.
CHECKPOINT_TASKS = "tasks.jsonl"
BITS = "bits_per_byte"
_MEASURES: dict[str, Measure] = {
    "acc": "sum",
    "acc_norm": "chars",
    "acc_bytes": "bytes",
    "acc_tokens": "tokens",
    "acc_slln": "slln",
    "acc_pmi": "pmi",
}
# The figure that decides, by the kind of a task; of generation, the first that was measured.
_MAIN = {
    "multiple_choice": "acc_norm",
    "classification": "acc",
    "minimal_pairs": "acc",
    "last_word": "acc",
}
_SCORE_FIELDS = {field.name for field in fields(ItemScore)}


@dataclass(frozen=True, kw_only=True)
class ItemFigures:
    """What a figure is made of, item by item: the sum of `parts` over the sum of `wholes`.

    Attributes:
        is_better_high: Whether more is better.
    """

    ids: tuple[str, ...]
    parts: Floats
    wholes: Floats
    clusters: tuple[str, ...] | None
    is_better_high: bool = True


@dataclass(frozen=True, kw_only=True)
class EvaluatedTask:
    """A task of an evaluation.

    Attributes:
        summary: What `evaluation.json` says of it.
        items_path: The file of its items.
    """

    summary: dict[str, Any]
    items_path: Path

    @property
    def name(self) -> str:
        return str(self.summary["name"])

    @property
    def main_figure(self) -> str:
        """Name of the figure that decides."""
        metrics: dict[str, Any] = self.summary["metrics"]
        known = _MAIN.get(self.summary["kind"])
        if known in metrics:
            return str(known)
        written = [name for name in metrics if name != BITS and "low" in metrics[name]]
        return written[0] if written else BITS

    @cached_property
    def lines(self) -> list[dict[str, Any]]:
        """The items' scores as they were written.

        Raises:
            ContractError: The file is gone, or a line is cut.
        """
        if not self.items_path.is_file():
            raise ContractError(
                f"{self.items_path}: no such file; the items of {self.name} are needed to compare them one "
                "by one: evaluate the model again"
            )
        with self.items_path.open(encoding="utf-8") as lines:
            try:
                return [json.loads(line) for line in lines if line.strip()]
            except json.JSONDecodeError as error:
                raise ContractError(
                    f"{self.items_path}: a line is no JSON ({error.msg}); evaluate the model again"
                ) from error

    @cached_property
    def scores(self) -> list[ItemScore]:
        return [_score(line) for line in self.lines]

    def earned(self, figure: str) -> list[float]:
        """What each item adds to a figure that is a mean over items.

        Raises:
            ContractError: The task has no such figure of its items.
        """
        if figure in _MEASURES and self.summary["kind"] == "last_word":
            return [float(score.greedy[0]) for score in self.scores]
        if figure in _MEASURES:
            return [score.correct(_MEASURES[figure]) for score in self.scores]
        if figure == "gold_probability":
            return [score.gold_probability for score in self.scores]
        if all(figure in line.get("metrics", {}) for line in self.lines):
            return [float(line["metrics"][figure]) for line in self.lines]
        raise ContractError(
            f"{self.items_path}: no figure {figure!r} of the items of {self.name}; there are "
            f"{', '.join(self.summary['metrics'])}"
        )

    def figures(self, figure: str) -> ItemFigures:
        """A figure item by item, the items in the order of their ids."""
        order = sorted(range(len(self.scores)), key=lambda index: self.scores[index].id)
        ordered = [self.scores[index] for index in order]
        if figure == BITS:
            bits, sizes = zip(*(score.gold_bits for score in ordered), strict=True)
            parts, wholes = np.array(bits, np.float64), np.array(sizes, np.float64)
        else:
            earned = self.earned(figure)
            parts = np.array([earned[index] for index in order], np.float64)
            wholes = np.ones(len(order))
        return ItemFigures(
            ids=tuple(score.id for score in ordered),
            parts=parts,
            wholes=wholes,
            clusters=_clusters(ordered),
            is_better_high=figure != BITS,
        )


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The evaluation of one model.

    Attributes:
        name: What the model is called on a page.
        path: The JSON file.
        control: Tasks that the n-gram control was measured on.
        copy: How much a decoder saves where a random string stands again; None where that was not asked.
    """

    name: str
    path: Path
    heldout: dict[str, Any] | None
    tasks: dict[str, EvaluatedTask]
    control: dict[str, EvaluatedTask]
    copy: dict[str, Any] | None = None


def read_evaluation(path: Path, name: str) -> Evaluation:
    """Read the evaluation of a run's folder, or a JSON file.

    Raises:
        ContractError: There is none, or it is no evaluation of this version.
    """
    file = path / RESULT_NAME if path.is_dir() else path
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ContractError(
            f"{file}: no evaluation there; run `python -m train evaluate --model {path} --tasks ...`"
        ) from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ContractError(f"{file}: no JSON ({error})") from error
    at_checkpoints = file.parent / CHECKPOINT_TASKS
    if isinstance(found, dict) and "asked" not in found and at_checkpoints.is_file():
        # The run itself scored tasks at its end; `train evaluate` was not asked since.
        last = json.loads(at_checkpoints.read_text("utf-8").splitlines()[-1])
        found |= {"asked": {}, "tasks": last["tasks"], **last.get("probes", {})}
    if not isinstance(found, dict) or "asked" not in found:
        raise ContractError(
            f"{file}: no evaluation of tasks there, at most the held-out loss of the run's end; run "
            f"`python -m train evaluate --model {path} --tasks ...`"
        )
    folder = file.with_suffix("")
    return Evaluation(
        name=name,
        path=file,
        heldout=found.get("heldout"),
        tasks=_tasks(found.get("tasks", []), folder, file),
        control=_tasks(found.get("control", {}).get("tasks", []), folder, file),
        copy=found.get("copy"),
    )


def _tasks(
    summaries: Sequence[dict[str, Any]], folder: Path, file: Path
) -> dict[str, EvaluatedTask]:
    tasks = {}
    for summary in summaries:
        if "items_file" not in summary or "metrics" not in summary:
            raise ContractError(
                f"{file}: written by an older version, without the scores of its items; evaluate the model "
                "again"
            )
        # A name only: what somebody else wrote must not lead out of the folder.
        items = folder / Path(str(summary["items_file"])).name
        shots = summary["shots"]
        key = f"{summary['name']}, {shots} shots" if shots else str(summary["name"])
        tasks[key] = EvaluatedTask(summary=summary, items_path=items)
    return tasks


def _score(line: dict[str, Any]) -> ItemScore:
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in line.items()
        if name in _SCORE_FIELDS
    }
    return ItemScore(**values)


def _clusters(scores: Sequence[ItemScore]) -> tuple[str, ...] | None:
    """Names of the clusters; an item without one stands alone."""
    if all(score.cluster is None for score in scores):
        return None
    return tuple(f"item {one.id}" if one.cluster is None else f"in {one.cluster}" for one in scores)
