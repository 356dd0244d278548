"""What do a decoder, a BERT and a T5 of 3 M parameters learn from 10 M tokens of English and Chinese?

    python -m benchmarks.train.pretrained_families --data DATA --work SCRATCH [--families decoder bert t5]
        [--until pretrain|curve|tune]

The refinery makes a dataset of books, manuals and histories. Each family is pretrained with one recipe
(`family_recipes.py`); its ten checkpoints are measured on the held-out split and on 20 pairs of each paradigm
of BLiMP and ZhoBLiMP, beside a 5-gram counted from the same shards. Then it is tuned on four tasks
(`family_tasks.py`) with 100, 300, 1,000 and 2,500 labels and five seeds, against the same model from new weights and a bag
of words. A rate of three is chosen on dev for each arm with 1,000 labels.

About half an hour for pretraining a family and one to two and a half hours for tuning it, on a free core: estimates from the
steps of single runs. Everything goes on where it was stopped, as long as SCRATCH is there. Without it, what is recorded is
not made again: a family whose tasks are all recorded is left alone, and of another one the weights are pretrained anew.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch

from benchmarks.corpora.text_files import DATA
from benchmarks.corpora.two_languages import described, refined
from benchmarks.record import RESULTS, argument_parser, record
from benchmarks.train.family_recipes import MODELS, TOKENS, pretraining
from benchmarks.train.family_tasks import TASKS, packed_task
from train.comparison.compare import beside_control
from train.comparison.results import read_evaluation
from train.finetune.cells import Cell, final_cells
from train.finetune.settings import FinetuneSettings
from train.finetune.study import run_study
from train.loop.run import pretrain
from train.statistics.seeds import SeedDifference, seed_difference

NAME = "pretrained_families"
STAGES = ("pretrain", "curve", "tune")
LABELS = (100, 300, 1000, 2500)
RATES = (3e-4, 1e-3, 3e-3)
PER_PARADIGM = 20


def main() -> None:
    """Make what is not recorded, one family behind the other."""
    parser = argument_parser(__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--families", nargs="+", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=list(TASKS))
    parser.add_argument("--until", choices=STAGES, default=STAGES[-1])
    parser.add_argument("--tokens", type=int, default=TOKENS)
    args = parser.parse_args()
    torch.set_num_threads(1)
    for family in args.families:
        known = _recorded(family)
        missing = [name for name in args.tasks if name not in known.get("tasks", {})]
        if known.get("curve") and not missing:
            continue
        dataset = refined(args.data / "text", args.work)
        _check_same(known, dataset, family)
        run = args.work / family / "run"
        pretrain(pretraining(family, dataset, run, args.tokens))
        if args.until == STAGES[0]:
            continue
        known = {"dataset": described(dataset), "tokens_seen": args.tokens, **known}
        if not known.get("curve"):
            known |= _curve(args.data / "benchmarks", dataset, run, family)
            record(NAME, known, case=family)
        for name in missing if args.until == STAGES[2] else []:
            tuned = _tune(args, family, name, dataset, run)
            known["tasks"] = {**known.get("tasks", {}), name: tuned}
            record(NAME, known, case=family)


def _recorded(family: str) -> dict[str, Any]:
    """What is recorded of a family, without the conditions."""
    path = RESULTS / f"{NAME}.json"
    cases = json.loads(path.read_text("utf-8"))["cases"] if path.is_file() else {}
    return {key: value for key, value in cases.get(family, {}).items() if key != "record"}


def _check_same(known: dict[str, Any], dataset: Path, family: str) -> None:
    root = described(dataset)["root"]
    if known and known["dataset"]["root"] != root:
        sys.exit(f"{family}: recorded of the dataset {known['dataset']['root']}, here is {root}")


def _curve(benchmarks: Path, dataset: Path, run: Path, family: str) -> dict[str, Any]:
    """Figures of each checkpoint, and the last one pair by pair beside the 5-gram."""
    checkpoints = sorted((run / "checkpoints").glob("step-*"))
    points = []
    for checkpoint in checkpoints:
        asked = ["--control"] if checkpoint == checkpoints[-1] else []
        asked += ["--copy"] if family == "decoder" else []
        found = _evaluated(benchmarks, dataset, checkpoint, asked)
        points.append(
            {
                "step": int(checkpoint.name.partition("-")[2]),
                "heldout": found["heldout"],
                "copy": found.get("copy"),
                "tasks": [_short(task) for task in found["tasks"]],
            }
        )
    evaluation = read_evaluation(run / "curve" / f"{checkpoints[-1].name}.json", "last")
    beside = [
        {
            "task": row.task, "figure": row.figure, "control": row.values[0], "model": row.values[1],
            "difference": [row.difference.value, row.difference.low, row.difference.high],
            "verdict": row.verdict,
        }
        for row in beside_control(evaluation)
    ]  # fmt: skip
    control = [_short(task) for task in found["control"]["tasks"]]
    return {"curve": points, "control": control, "beside_control": beside}


def _evaluated(benchmarks: Path, dataset: Path, checkpoint: Path, asked: list[str]) -> Any:
    target = checkpoint.parents[1] / "curve" / f"{checkpoint.name}.json"
    command = [
        sys.executable, "-m", "train", "evaluate", "--model", str(checkpoint), "--output", str(target),
        "--manifest", str(dataset), "--tasks", "blimp", "zhoblimp", "--data", str(benchmarks),
        "--per-cluster", str(PER_PARADIGM), *asked,
    ]  # fmt: skip
    target.parent.mkdir(exist_ok=True)
    subprocess.run(command, check=True)
    return json.loads(target.read_text("utf-8"))


def _short(task: dict[str, Any]) -> dict[str, Any]:
    kept = ("name", "form", "items", "metrics", "groups")
    return {key: task[key] for key in kept if key in task}


def _tune(args: Any, family: str, name: str, dataset: Path, run: Path) -> dict[str, Any]:
    """Both arms of a task, and their difference at each number of labels."""
    packed = packed_task(name, args.data, dataset / "tokenizer", args.work, LABELS)
    classes = {"num_classes": len(TASKS[name].labels)} if family == "bert" else {}
    common: dict[str, Any] = {
        "protocol": "roberta", "train": packed.train, "dev": packed.dev, "test": packed.test,
        "objective": {"name": "classify" if family == "bert" else "text_to_text"},
        "rates": RATES, "min_steps": 100,
    }  # fmt: skip
    recipe: dict[str, Any] = {
        "stop": {"epochs": 3},
        "threads": 1,
        "checkpoint": {"keep_last": 1, "export": False},
    }
    found: dict[str, Any] = {}
    scores: dict[str, dict[int, Any]] = {}
    for arm, source, model in (
        ("pretrained", str(run), classes),
        ("new weights", None, {**MODELS[family], **classes}),
    ):
        output = args.work / family / name / arm.replace(" ", "-")
        own = {**recipe, **({"model": model} if model else {})}
        study = FinetuneSettings(output=str(output), source=source, recipe=own, **common)
        run_study(study)
        found[arm] = json.loads((output / "finetune.json").read_text("utf-8"))
        cells = list(final_cells(study, found[arm]["rate"]))
        scores[arm] = {labels: _correct(output, cells, labels) for labels in LABELS}
    found["gain"] = {
        str(labels): _plain(
            seed_difference(scores["pretrained"][labels], scores["new weights"][labels])
        )
        for labels in LABELS
    }
    return found


def _correct(output: Path, cells: list[Cell], labels: int) -> Any:
    """[seeds, test rows], 1.0 where a row was answered rightly."""
    files = [output / "cells" / f"{cell.name}.json" for cell in cells if cell.labels == labels]
    return np.array([json.loads(file.read_text("utf-8"))["correct"] for file in files], float)


def _plain(difference: SeedDifference) -> dict[str, Any]:
    by_t = difference.by_t
    return {
        "difference": round(by_t.value, 4),
        "interval": [round(by_t.low, 4), round(by_t.high, 4)],
        "bootstrap": [round(end, 4) for end in difference.bootstrap],
        "verdict": "better" if by_t.low > 0 else "worse" if by_t.high < 0 else "not told apart",
    }


if __name__ == "__main__":
    main()
