"""`train evaluate`: runs, checkpoints or Hugging Face folders on held-out rows and on local tasks."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from schemas.errors import ContractError, SettingsError
from schemas.fingerprints import canonical_json, sha256_file, sha256_hex
from schemas.plain_json import json_text
from train.commands.arguments import existing_file, existing_folder, not_negative, positive
from train.data.config import LoaderConfig
from train.evaluation.cache import items_hash
from train.evaluation.items import READINGS
from train.evaluation.load import choose_items, choose_shots
from train.evaluation.open_tasks import TaskRequest, open_tasks
from train.evaluation.table import print_results

RESULT_NAME = "evaluation.json"
# Raised with every change of what the figures mean: results of older versions are measured again.
EVALUATION_VERSION = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        "--checkpoint",
        dest="models",
        type=Path,
        nargs="+",
        required=True,
        help="run, checkpoint or Hugging Face folder; several are compared in one table",
    )
    parser.add_argument("--manifest", help="manifest with the held-out split")
    parser.add_argument(
        "--tasks",
        nargs="*",
        default=[],
        help="shipped tasks by name, task files (.yaml), files of questions (.jsonl), or the items.jsonl "
        "of a decontaminated dataset",
    )
    parser.add_argument(
        "--data", type=existing_folder, help="folder of benchmarks that shipped tasks read"
    )
    parser.add_argument(
        "--shots", type=not_negative, default=0, help="examples before each question"
    )
    parser.add_argument(
        "--examples",
        type=existing_file,
        nargs="*",
        default=[],
        help="files that the examples come from: one for all tasks, or one for each; those that a task "
        "names by default",
    )
    parser.add_argument(
        "--seed", type=not_negative, default=1234, help="of the examples that are drawn"
    )
    parser.add_argument("--limit", type=positive, help="items of each task at most")
    parser.add_argument("--per-cluster", type=positive, help="items of each paradigm at most")
    parser.add_argument(
        "--clean",
        type=existing_file,
        help="items.jsonl of a decontaminated dataset: scores on the items that no document holds too",
    )
    parser.add_argument(
        "--no-generation",
        action="store_true",
        help="of tasks of generation, score the right answer only; nothing is written or run",
    )
    parser.add_argument(
        "--read",
        choices=READINGS,
        default="auto",
        help="how candidates are scored: likelihood for decoders and a t5 that answers, span or sentinel for a "
        "t5 of span corruption, pll_word_l2r or pseudo for a bert; auto: by family and objective",
    )
    parser.add_argument(
        "--objective",
        help="objective of the held-out loss; that of the run, or that of the family by default",
    )
    parser.add_argument(
        "--tokenizer", type=existing_folder, help="folder; that of the model by default"
    )
    parser.add_argument(
        "--output", type=Path, help="the JSON file; evaluation.json of the run where not given"
    )
    parser.add_argument("--max-rows", type=positive, help="read only so many held-out rows")


def run(args: argparse.Namespace) -> int:
    """Evaluate, write a JSON file for each model, print a table; what is there is not redone."""
    if args.manifest is None and not args.tasks:
        raise SettingsError("nothing to evaluate on: give --manifest, --tasks or both")
    if args.output is not None and len(args.models) > 1:
        raise SettingsError(f"--output: one file, {len(args.models)} models; leave it out")
    _check_tasks(args)
    results: dict[str, dict[str, Any]] = {}
    targets = []
    for model in args.models:
        result, target = _result(args, model)
        if result is None:
            continue  # another rank than the first
        results[str(model)] = result
        targets.append(target)
    print_results(results)
    for target in targets:
        print(target)
    return 0


def _check_tasks(args: argparse.Namespace) -> None:
    """Read all task files before any weights: a mistake in one costs seconds."""
    for choice in open_tasks(task_request(args)):
        loaded, _ = choice
        items = choose_items(loaded.items, limit=args.limit, per_cluster=args.per_cluster)
        choose_shots(loaded, items, args.shots, args.seed)


def task_request(args: argparse.Namespace) -> TaskRequest:
    """The tasks that the arguments name."""
    return TaskRequest(
        names=args.tasks, data=args.data, examples=args.examples, registered=args.clean
    )


def _result(args: argparse.Namespace, model: Path) -> tuple[dict[str, Any] | None, Path]:
    """The result of one model and its file; no result on ranks but the first."""
    asked, target = _question(args, model)
    if args.output is not None:
        target = args.output
    result = _published(target, asked)
    if result is None:
        from train.commands.evaluate_model import evaluate_model  # torch starts only now

        result = evaluate_model(args, model, target.with_suffix(""))
        if result is not None:
            target.parent.mkdir(parents=True, exist_ok=True)
            text = json_text({"asked": asked, **result}, indent=1)
            target.write_text(text + "\n", encoding="utf-8")
    return result, target


def _question(args: argparse.Namespace, model: Path) -> tuple[dict[str, Any], Path]:
    """What is asked, by contents, and where the answer is kept."""
    identity, target = weights_identity(model)
    root = None
    if args.manifest is not None:
        from train.data.loader import shard_files
        from train.data.remote import open_manifest

        root = open_manifest(shard_files(args.manifest, LoaderConfig())).root
    asked = {
        "version": EVALUATION_VERSION,
        "checkpoint": identity,
        "manifest_root": root,
        "tasks": [
            [loaded.task.name, items_hash(loaded)] for loaded, _ in open_tasks(task_request(args))
        ],
        "shots": args.shots,
        "seed": args.seed,
        "limit": args.limit,
        "per_cluster": args.per_cluster,
        "clean": None if args.clean is None else sha256_file(args.clean),
        "generates": not args.no_generation,
        "read": args.read,
        "objective": args.objective,
        "tokenizer": None if args.tokenizer is None else str(args.tokenizer),
        "max_rows": args.max_rows,
    }
    return asked, target


def weights_identity(model: Path) -> tuple[str, Path]:
    """What the weights are, as a hash, and the file of their evaluation.

    Raises:
        ContractError: The path holds neither a checkpoint nor weights.
    """
    from train.checkpoint.pointer import STATE_NAME, find_checkpoint

    if not model.is_dir():
        raise ContractError(f"{model}: no such folder; expected a run, a checkpoint or a model")
    files = [path for path in sorted(model.iterdir()) if path.suffix in (".json", ".safetensors")]
    if any(path.suffix == ".safetensors" for path in files):
        named = [[path.name, sha256_file(path)] for path in files if path.name != RESULT_NAME]
        return sha256_hex(canonical_json(named)), Path(f"evaluation-{model.resolve().name}.json")
    checkpoint = find_checkpoint(model)
    digest = sha256_file(checkpoint / STATE_NAME)
    return digest, checkpoint.parent.parent / RESULT_NAME


def _published(target: Path, asked: dict[str, Any]) -> dict[str, Any] | None:
    """The result that answers the same question, where there is one."""
    try:
        result: dict[str, Any] = json.loads(target.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError):
        return None
    same = canonical_json(result.get("asked")) == canonical_json(asked)
    return result if same else None
