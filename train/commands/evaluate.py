"""`train evaluate`: runs, checkpoints or Hugging Face folders on held-out rows and on local tasks."""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path
from typing import Any

from schemas.errors import ContractError, SettingsError
from schemas.fingerprints import canonical_json, sha256_file
from schemas.plain_json import json_text
from train.commands.arguments import existing_file, existing_folder, not_negative, positive
from train.comparison.compare import Recipe, beside_control
from train.comparison.lm_eval import as_lm_eval
from train.comparison.page import write_page
from train.comparison.results import read_evaluation
from train.comparison.table import print_comparison
from train.data.config import LoaderConfig
from train.evaluation.cache import RESULT_NAME, items_hash
from train.evaluation.foresight import findable
from train.evaluation.items import READINGS
from train.evaluation.load import choose_items, choose_shots
from train.evaluation.open_tasks import TaskRequest, is_plain, open_tasks, task_path
from train.evaluation.table import print_results

logger = logging.getLogger(__name__)
# Raised with every change of what the figures mean: results of older versions are measured again.
EVALUATION_VERSION = 5


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
    _add_task_arguments(parser)


def _add_task_arguments(parser: argparse.ArgumentParser) -> None:
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
        help="how candidates are scored: likelihood for decoders and a t5 that answers, span or sentinel for a "
        "t5 of span corruption, pll_word_l2r or pseudo for a bert; auto: by family and objective, as tasks "
        "are by default; files of questions (.jsonl) are read by likelihood unless this says otherwise",
    )
    parser.add_argument(
        "--control",
        action="store_true",
        help="score the same items by a 5-gram counted from the training shards: frequency without grammar",
    )
    parser.add_argument(
        "--copy",
        action="store_true",
        help="of a decoder: how much less a random string costs where it stands for the second time",
    )
    parser.add_argument(
        "--lm-eval",
        type=Path,
        metavar="FILE",
        help="the figures once more, in the result format of lm-evaluation-harness",
    )


def run(args: argparse.Namespace) -> int:
    """Evaluate, write a JSON file for each model, print a table; what is there is not redone."""
    if args.manifest is None and not args.tasks and not args.copy:
        raise SettingsError("nothing to evaluate on: give --manifest, --tasks or both, or --copy")
    if args.output is not None and len(args.models) > 1:
        raise SettingsError(f"--output: one file, {len(args.models)} models; leave it out")
    if args.lm_eval is not None and len(args.models) > 1:
        raise SettingsError(f"--lm-eval: one file, {len(args.models)} models; give one model")
    if args.read is None:
        # A file of questions was written for models that answer: another score of it has to be asked for.
        plain = any(is_plain(task_path(name)) for name in args.tasks)
        args.read = "likelihood" if plain else "auto"
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
        _write_others(args, target)
        print(target)
    return 0


def _write_others(args: argparse.Namespace, target: Path) -> None:
    """The page of an evaluation beside its JSON, and the same for other programs."""
    name = target.resolve().parent.name if target.name == RESULT_NAME else target.stem
    found = read_evaluation(target, name)
    rows = beside_control(found)
    print_comparison(rows)
    print(write_page(target.with_suffix(".html"), [Recipe(name=name, seeds=(found,))], rows))
    if args.lm_eval is not None:
        text = json_text(as_lm_eval(found), indent=1) + "\n"
        try:
            args.lm_eval.write_text(text, encoding="utf-8")
        except OSError as error:
            raise ContractError(f"{args.lm_eval}: cannot be written ({error.strerror})") from error
        print(args.lm_eval)


def _check_tasks(args: argparse.Namespace) -> None:
    """Read all task files before any weights: a mistake in one costs seconds."""
    for choice in open_tasks(task_request(args)):
        loaded, _ = choice
        items = choose_items(loaded.items, limit=args.limit, per_cluster=args.per_cluster)
        choose_shots(loaded, items, args.shots, args.seed)
        logger.info("%s", findable(loaded.task.name, items))


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
    from train.evaluation.open_scorer import weights_hash  # torch starts only now

    identity, target = weights_hash(model)
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
        "control": args.control,
        "copy": args.copy,
    }
    return asked, target


def _published(target: Path, asked: dict[str, Any]) -> dict[str, Any] | None:
    """The result that answers the same question, where there is one."""
    try:
        result: dict[str, Any] = json.loads(target.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError):
        return None
    same = canonical_json(result.get("asked")) == canonical_json(asked)
    return result if same else None
